"""`pylog compact`: of each key keep the last record, now."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from logcore.cleanable import Backlog
    from logcore.compaction import Compacted
    from logcore.log import Log
    from pylog.log_dir import LogDir


def compact(
    topics: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC", help="Compacted topics; all of them if left out.", show_default=False
        ),
    ] = None,
    folder: options.FolderOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Clean anew what was cleaned before, too.")
    ] = False,
    roll: Annotated[
        bool,
        typer.Option("--roll", help="Seal the segment that is written to, to clean it too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what there is to clean.")
    ] = False,
    json_output: options.JsonOption = False,
) -> None:
    """Drop records that a later one of the same key replaced.

    Programs may go on reading and writing meanwhile. Without this command any program that has the
    folder open does the same in the background, once a share of min.cleanable.dirty.ratio of a
    partition is dirty.
    """
    from pylog.log_dir import LogDir

    path = options.require_folder(folder)
    with LogDir.open(path, create=False) as log_dir:
        logs = [log for name in _chosen(log_dir, topics or []) for log in log_dir.partitions(name)]
        if roll and not dry_run:
            for log in logs:
                log.roll()
        if dry_run:
            _show_backlogs(logs, everything, json_output)
        else:
            _compact_all(logs, everything, json_output)


def _chosen(log_dir: "LogDir", wanted: list[str]) -> list[str]:
    """The topics to compact.

    Raises:
        CommandError: one that is not there, or is not compacted.
    """
    from pylog.cli.topics import unknown_topic

    known = log_dir.topics()
    compacted = [
        name
        for name, metadata in known.items()
        if "compact" in metadata.configs.get("cleanup.policy", "")
    ]
    for name in wanted:
        if name not in known:
            raise unknown_topic(name, sorted(known), str(log_dir.path))
        if name not in compacted:
            raise CommandError(
                f"topic {name} is not compacted; to have it so: "
                f"pylog topics alter {name} -c cleanup.policy=compact"
            )
    return sorted(set(wanted) or set(compacted))


def _name(log: "Log") -> str:
    return log.path.rpartition("/")[2]


def _backlog(log: "Log", everything: bool) -> "Backlog":
    import time

    from logcore import cleanable

    return cleanable.look(log, time.time_ns() // 1_000_000, is_all_dirty=everything)


def _show_backlogs(logs: list["Log"], everything: bool, json_output: bool) -> None:
    found = [(log, _backlog(log, everything)) for log in logs]
    if json_output:
        console.out_json(
            [
                {
                    "name": _name(log),
                    "clean_bytes": backlog.clean_bytes,
                    "dirty_bytes": backlog.dirty_bytes,
                    "other_bytes": log.size_bytes - backlog.clean_bytes - backlog.dirty_bytes,
                    "first_dirty_offset": backlog.first_dirty_offset,
                    "end_offset": backlog.end_offset,
                    "is_due": backlog.is_due(log.config),
                }
                for log, backlog in found
            ]
        )
        return
    rows = [
        (
            _name(log),
            console.bytes_text(backlog.clean_bytes),
            console.bytes_text(backlog.dirty_bytes),
            console.bytes_text(log.size_bytes - backlog.clean_bytes - backlog.dirty_bytes),
            f"{backlog.dirty_ratio:.0%}",
            "yes" if backlog.is_due(log.config) else "no",
        )
        for log, backlog in found
    ]
    columns = ("partition", "clean", "dirty", "not yet cleanable", "dirty ratio", "due")
    console.table(columns, rows, numbers=(1, 2, 3, 4))


def _compact_all(logs: list["Log"], everything: bool, json_output: bool) -> None:
    from logcore.errors import LogError

    done: list[tuple[str, Compacted | None]] = []
    failures: list[str] = []
    total = sum(_backlog(log, everything).work_bytes for log in logs)
    with console.progress("Compacting", total) as bar:
        for log in logs:
            bar.describe(f"Compacting {_name(log)}, bytes")
            try:
                done.append((_name(log), _compact_one(log, everything, bar)))
            except LogError as error:
                failures.append(f"{_name(log)}: {error}")
    if json_output:
        console.out_json([_as_json(name, result) for name, result in done])
    elif done:
        _print_results(done)
    elif not failures:
        console.out("No topic is compacted.")
    if failures:
        raise CommandError("; ".join(failures))


def _compact_one(log: "Log", everything: bool, bar: console.Progress) -> "Compacted | None":
    from logcore import compaction

    if not log.try_cleaning():
        raise CommandError(f"{_name(log)}: another process is compacting it now")
    try:
        return compaction.compact(
            log, scope="all" if everything else "dirty", on_progress=bar.advance
        )
    finally:
        log.end_cleaning()


def _as_json(name: str, result: "Compacted | None") -> dict[str, Any]:
    return {"name": name, **(dataclasses.asdict(result) if result is not None else {})}


def _print_results(done: list[tuple[str, "Compacted | None"]]) -> None:
    rows = []
    for name, result in done:
        if result is None:
            rows.append((name, "", "", "", "", "", "nothing to clean"))
            continue
        rows.append(
            (
                name,
                f"{result.segments_before} -> {result.segments_after}",
                f"{console.bytes_text(result.bytes_before)} -> "
                f"{console.bytes_text(result.bytes_after)}",
                f"{console.count_text(result.records_before)} -> "
                f"{console.count_text(result.records_after)}",
                console.count_text(result.key_count),
                f"{result.seconds:.1f} s",
                "ok",
            )
        )
    columns = ("partition", "segments", "size", "records", "keys", "took", "result")
    console.table(columns, rows, numbers=(1, 2, 3, 4, 5))
