"""The sparse indexes in the words of Kafka's DumpLogSegments, checked against the .log beside them.

Source: Kafka tools DumpLogSegments.dumpIndex and dumpTimeIndex.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pylog.cli import console
from pylog.cli.log_dump import base_offset_of
from pylog.cli.segment_walk import SegmentWalk

if TYPE_CHECKING:
    from pylog.cli.dump import DumpOptions

_OFFSET_ENTRY = struct.Struct(">iI")
_TIME_ENTRY = struct.Struct(">qi")


def read_offset_entries(path: Path, size_bytes: int | None = None) -> list[tuple[int, int]]:
    """Return (offset, position) of each entry of an .index file.

    A real Kafka reserves the file at its full size and trims it later: reading stops at the first
    all-zero entry after the first one.

    Args:
        path: the file.
        size_bytes: how much of it is in use; None for all.
    """
    base_offset = base_offset_of(path)
    data = path.read_bytes()[:size_bytes]
    return [
        (base_offset + relative, position)
        for relative, position in _until_zero(data, _OFFSET_ENTRY)
    ]


def read_time_entries(path: Path, size_bytes: int | None = None) -> list[tuple[int, int]]:
    """Return (timestamp_ms, offset) of each entry of a .timeindex file, likewise."""
    base_offset = base_offset_of(path)
    data = path.read_bytes()[:size_bytes]
    return [
        (timestamp_ms, base_offset + relative)
        for timestamp_ms, relative in _until_zero(data, _TIME_ENTRY)
    ]


def _until_zero(data: bytes, entry: struct.Struct) -> Iterator[tuple[int, int]]:
    whole = len(data) // entry.size * entry.size
    for number, (first, second) in enumerate(entry.iter_unpack(data[:whole])):
        if number > 0 and first == 0 and second == 0:
            return
        yield first, second


def dump_offset_index(path: Path, options: "DumpOptions") -> list[str]:
    """Print an .index file; return what is wrong with it."""
    entries = read_offset_entries(path)
    problems = _check_size(path, _OFFSET_ENTRY.size)
    if not entries:
        console.out(f"{path} is empty.")
        return problems
    if options.index_sanity_check:
        problems += _check_rising(path, entries)
        return _say_sane(path, problems)
    problems += _check_rising(path, entries)
    problems += check_offset_entries(path, entries, _log_of(path), None)
    _print_entries(("offset", "position"), entries, options)
    return problems


def dump_time_index(path: Path, options: "DumpOptions") -> list[str]:
    """Print a .timeindex file; return what is wrong with it."""
    entries = read_time_entries(path)
    problems = _check_size(path, _TIME_ENTRY.size)
    if not entries:
        console.out(f"{path} is empty.")
        return problems
    if options.index_sanity_check:
        problems += _check_rising(path, entries)
        return _say_sane(path, problems)
    problems += _check_rising(path, entries)
    problems += check_time_entries(path, entries, _log_of(path), None)
    _print_entries(("timestamp", "offset"), entries, options)
    return problems


def check_offset_entries(
    path: Path, entries: list[tuple[int, int]], log_path: Path, end_position: int | None
) -> list[str]:
    """Return what is wrong: each entry must name the last offset of the batch at its position."""
    problems: list[str] = []
    waiting = iter(entries)
    entry = next(waiting, None)
    with SegmentWalk(log_path, end_position) as walk:
        for walked in walk:
            while entry is not None and entry[1] < walked.position:
                problems.append(
                    f"{path}: entry of offset {entry[0]} points to byte {entry[1]}, where no "
                    "batch begins"
                )
                entry = next(waiting, None)
            if entry is None:
                break
            if entry[1] == walked.position:
                if entry[0] != walked.view.last_offset:
                    problems.append(
                        f"{path}: index offset: {entry[0]}, log offset: {walked.view.last_offset}"
                    )
                entry = next(waiting, None)
    if entry is not None:
        problems.append(f"{path}: entry of offset {entry[0]} points beyond the log's end")
    return problems


def check_time_entries(
    path: Path, entries: list[tuple[int, int]], log_path: Path, end_position: int | None
) -> list[str]:
    """Return what is wrong: an entry names the last offset of a batch and its largest timestamp."""
    problems: list[str] = []
    waiting = iter(entries)
    entry = next(waiting, None)
    with SegmentWalk(log_path, end_position) as walk:
        for walked in walk:
            last_offset = walked.view.last_offset
            while entry is not None and entry[1] < last_offset:
                problems.append(
                    f"{path}: indexed offset: {entry[1]}, found log offset: {last_offset}"
                )
                entry = next(waiting, None)
            if entry is None:
                break
            if entry[1] == last_offset:
                if entry[0] != walked.view.max_timestamp_ms:
                    problems.append(
                        f"{path}: index timestamp: {entry[0]}, log timestamp: "
                        f"{walked.view.max_timestamp_ms}"
                    )
                entry = next(waiting, None)
    if entry is not None:
        problems.append(f"{path}: indexed offset {entry[1]} is beyond the log's end")
    return problems


def _check_rising(path: Path, entries: list[tuple[int, int]]) -> list[str]:
    for before, after in zip(entries, entries[1:], strict=False):
        if after[0] <= before[0] or after[1] < before[1]:
            return [f"{path}: entries do not rise: {before} is followed by {after}"]
    return []


def _check_size(path: Path, entry_bytes: int) -> list[str]:
    size_bytes = os.stat(path).st_size
    if size_bytes % entry_bytes == 0:
        return []
    return [f"{path}: {size_bytes} bytes are not whole entries of {entry_bytes} bytes"]


def _say_sane(path: Path, problems: list[str]) -> list[str]:
    if not problems:
        console.out(f"{path} passed sanity check.")
    return problems


def _print_entries(
    names: tuple[str, str], entries: list[tuple[int, int]], options: "DumpOptions"
) -> None:
    if options.verify_index_only:
        return
    for first, second in entries:
        if options.json_output:
            console.out(f'{{"{names[0]}": {first}, "{names[1]}": {second}}}')
        else:
            console.out(f"{names[0]}: {first} {names[1]}: {second}")


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name.split('.')[0]}.log")
