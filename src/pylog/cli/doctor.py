"""`pylog doctor`: verify all that is on the disk; report, never change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError
from pylog.cli.topics import unknown_topic

if TYPE_CHECKING:
    from pylog.cli.partition_check import PartitionReport

_PROBLEMS_SHOWN = 20


def doctor(
    topics: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC", help="Topics to check; all if left out.", show_default=False
        ),
    ] = None,
    folder: options.FolderOption = "",
    deep: Annotated[
        bool, typer.Option("--deep", help="Also decompress and decode every record.")
    ] = False,
    json_output: options.JsonOption = False,
) -> None:
    """Verify checksums, indexes and offsets of all or some topics.

    Programs may go on writing meanwhile. Not a byte is changed. Exit code 1 when anything is
    wrong.
    """
    from logcore import layout
    from pylog.cli import partition_check

    path = options.require_folder(folder)
    partitions = _find_partitions(path, topics or [])
    total = sum(partition_check.partition_size_bytes(partition) for partition in partitions)
    compacted, reports = _check_topics(path, [partition.name for partition in partitions], topics)
    with console.progress("Checking", total) as bar:
        for partition in partitions:
            bar.describe(f"Checking {partition.name}, bytes")
            was_compacted = (partition / layout.CLEANER_FILE).exists()
            may_have_gaps = was_compacted or partition.name.rpartition("-")[0] in compacted
            reports.append(
                partition_check.check_partition(partition, deep, may_have_gaps, bar.advance)
            )
    if json_output:
        console.out_json(_as_json(folder, reports))
    else:
        _print_reports(folder, reports)
    count = sum(len(report.problems) for report in reports)
    if count:
        bad = [report.name for report in reports if report.problems]
        raise CommandError(
            f"{count} problem{'s' if count > 1 else ''} in {', '.join(bad)}; nothing was changed"
        )


def _find_partitions(folder: Path, topics: list[str]) -> list[Path]:
    """Return the partition folders to check, by topic and number.

    Raises:
        CommandError: a topic that is not there, or a folder that is no log.
    """
    from logcore import layout

    found: list[tuple[str, int, Path]] = []
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir():
            continue
        parsed = layout.parse_partition_dir_name(entry.name)
        if parsed is not None:
            found.append((parsed[0], parsed[1], entry))
    if not (folder / "pylog.meta").exists() and not found:
        raise CommandError(f"{folder} is not the folder of a log: it has no pylog.meta")
    known = sorted({topic for topic, _partition, _path in found})
    for topic in topics:
        if topic not in known:
            raise unknown_topic(topic, known, str(folder))
    return [path for topic, _partition, path in sorted(found) if not topics or topic in topics]


def _check_topics(
    folder: Path, found: list[str], wanted: list[str] | None
) -> tuple[set[str], list["PartitionReport"]]:
    """Compare the partitions that lie there with what the topics' own files say.

    Returns:
        Names of the compacted topics, and a report for the folder itself if something is wrong.
    """
    from pylog import KafkaException
    from pylog.cli import failures
    from pylog.cli.partition_check import PartitionReport
    from pylog.log_dir import LogDir

    report = PartitionReport(str(folder))
    compacted: set[str] = set()
    try:
        with LogDir.open(folder, create=False, read_only=True) as log_dir:
            topics = log_dir.topics()
    except (KafkaException, OSError) as exc:
        report.complain(failures.describe(exc)[0])
        return compacted, [report]
    for name, metadata in topics.items():
        if "compact" in metadata.configs.get("cleanup.policy", ""):
            compacted.add(name)
        for partition in range(metadata.partitions):
            if (not wanted or name in wanted) and f"{name}-{partition}" not in found:
                report.complain(f"{folder}: partition {partition} of topic {name} is missing")
    return compacted, [report] if report.problems else []


def _print_reports(folder: str, reports: list["PartitionReport"]) -> None:
    if not reports:
        console.out(f"{folder} holds no topics.")
        return
    rows = []
    styles = {}
    for index, report in enumerate(reports):
        if report.problems:
            styles[index] = "bold red"
        rows.append(
            (
                report.name,
                console.count_text(report.segments),
                console.count_text(report.batches),
                console.count_text(report.records),
                console.bytes_text(report.size_bytes),
                console.count_text(report.index_entries),
                console.count_text(report.sums),
                f"{len(report.problems)} problems" if report.problems else "ok",
            )
        )
    console.table(
        ("partition", "segments", "batches", "records", "size", "index", "sums", "verdict"),
        rows,
        numbers=(1, 2, 3, 4, 5, 6),
        styles=styles,
    )
    for report in reports:
        for problem in report.problems[:_PROBLEMS_SHOWN]:
            console.out(problem)
        if len(report.problems) > _PROBLEMS_SHOWN:
            console.out(f"... and {len(report.problems) - _PROBLEMS_SHOWN} more in {report.name}")
        if report.quarantined:
            console.out(
                f"{report.name}: {report.quarantined} files in quarantine, put aside by a recovery"
            )


def _as_json(folder: str, reports: list["PartitionReport"]) -> dict[str, Any]:
    return {
        "folder": folder,
        "ok": not any(report.problems for report in reports),
        "partitions": [
            {
                "name": report.name,
                "segments": report.segments,
                "batches": report.batches,
                "records": report.records,
                "size_bytes": report.size_bytes,
                "index_entries": report.index_entries,
                "sums": report.sums,
                "quarantined": report.quarantined,
                "problems": report.problems,
            }
            for report in reports
        ],
    }
