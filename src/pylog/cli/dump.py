"""`pylog dump`: what is in the files of a partition; prints what kafka-dump-log prints."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """How to print a file.

    Args:
        deep_iteration: records too, not only batches.
        print_data_log: keys and values of the records.
        skip_record_metadata: only keys and values.
        verify_index_only: print no entries, only what is wrong with them.
        index_sanity_check: only whether the index can be used at all.
        max_bytes: how much of a .log; None for all.
        json_output: JSON lines.
    """

    deep_iteration: bool = False
    print_data_log: bool = False
    skip_record_metadata: bool = False
    verify_index_only: bool = False
    index_sanity_check: bool = False
    max_bytes: int | None = None
    json_output: bool = False


FileDump = Callable[[Path, DumpOptions], list[str]]


def dump(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", show_default=False)] = None,
    files_option: Annotated[
        str | None,
        typer.Option(
            "--files", metavar="FILE,FILE", help="The same, as Kafka has it.", hidden=True
        ),
    ] = None,
    deep_iteration: Annotated[
        bool, typer.Option("--deep-iteration", help="Print every record, not only batches.")
    ] = False,
    print_data_log: Annotated[
        bool, typer.Option("--print-data-log", help="Print keys and values of records.")
    ] = False,
    skip_record_metadata: Annotated[
        bool, typer.Option("--skip-record-metadata", help="Of records only keys and values.")
    ] = False,
    verify_index_only: Annotated[
        bool, typer.Option("--verify-index-only", help="Check index entries, do not print them.")
    ] = False,
    index_sanity_check: Annotated[
        bool, typer.Option("--index-sanity-check", help="Only whether an index is usable.")
    ] = False,
    max_bytes: Annotated[
        int | None,
        typer.Option(
            "--max-bytes",
            metavar="N",
            min=0,
            help="Stop after so much of a .log.",
            show_default=False,
        ),
    ] = None,
    json_output: options.JsonOption = False,
    folder: Annotated[str, typer.Option("--dir", hidden=True)] = "",
) -> None:
    """Print the content of .log, .index, .timeindex, .txnindex, .snapshot and our own files.

    Files of a real Kafka can be read too. Exit code 1 when something in them is wrong.
    """
    paths = [*(files or []), *(Path(word) for word in (files_option or "").split(",") if word)]
    if not paths:
        raise typer.BadParameter("name a file", param_hint="FILE")
    dump_options = DumpOptions(
        deep_iteration=deep_iteration or print_data_log or skip_record_metadata,
        print_data_log=print_data_log or skip_record_metadata,
        skip_record_metadata=skip_record_metadata,
        verify_index_only=verify_index_only,
        index_sanity_check=index_sanity_check,
        max_bytes=max_bytes,
        json_output=json_output,
    )
    dumps = [(path, find_dump(path)) for path in paths]
    problems: list[str] = []
    for path, dump_file in dumps:
        if not json_output:
            console.out(f"Dumping {path}")
        problems += dump_file(path, dump_options)
    if len(problems) == 1:
        raise CommandError(problems[0])
    for problem in problems:
        console.note(problem)
    if problems:
        raise CommandError(f"{len(problems)} problems, see above")


def find_dump(path: Path) -> FileDump:
    """Return the function that prints this kind of file; its name says which kind it is.

    Raises:
        CommandError: no such file, or none that this program writes.
    """
    from pylog.cli import index_dump, log_dump, producer_dump, state_dump, text_dump

    by_name: dict[str, FileDump] = {
        ".state": state_dump.dump_state,
        ".recovery": state_dump.dump_recovery,
        "leader-epoch-checkpoint": text_dump.dump_leader_epochs,
        "partition.metadata": text_dump.dump_text,
        "pylog.meta": text_dump.dump_text,
    }
    by_suffix: dict[str, FileDump] = {
        ".log": log_dump.dump_log,
        ".index": index_dump.dump_offset_index,
        ".timeindex": index_dump.dump_time_index,
        ".txnindex": producer_dump.dump_transaction_index,
        ".snapshot": producer_dump.dump_snapshot,
        ".sum": text_dump.dump_sum,
    }
    if not path.exists():
        raise CommandError(f"{path}: No such file or directory")
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name the files in it, such as {path}/*.log")
    dump_file = by_name.get(path.name) or by_suffix.get(path.suffix)
    if dump_file is None:
        raise CommandError(
            f"{path}: not a kind of file that can be dumped; those are "
            f"{', '.join([*by_suffix, *by_name])}"
        )
    return dump_file
