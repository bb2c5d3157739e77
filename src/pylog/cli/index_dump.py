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
from pylog.cli.segment_walk import SegmentWalk, WalkedBatch

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
    problems += _compare(path, OffsetEntryCheck(path, entries))
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
    problems += _compare(path, TimeEntryCheck(path, entries))
    _print_entries(("timestamp", "offset"), entries, options)
    return problems


class OffsetEntryCheck:
    """Compares the entries of an .index with the batches of its log, as a walk passes them.

    Each entry must name the last offset of the batch that begins at its position.
    """

    def __init__(self, path: Path, entries: list[tuple[int, int]]) -> None:
        self._path = path
        self._waiting = iter(entries)
        self._entry = next(self._waiting, None)

    def visit(self, walked: WalkedBatch) -> Iterator[str]:
        """Yield what this batch shows to be wrong."""
        while self._entry is not None and self._entry[1] <= walked.position:
            offset, position = self._entry
            if position < walked.position:
                yield (
                    f"{self._path}: entry of offset {offset} points to byte {position}, where no "
                    "batch begins"
                )
            elif offset != walked.view.last_offset:
                yield f"{self._path}: index offset: {offset}, log offset: {walked.view.last_offset}"
            self._entry = next(self._waiting, None)

    def finish(self) -> Iterator[str]:
        """Yield what the end of the log shows to be wrong."""
        if self._entry is not None:
            yield f"{self._path}: entry of offset {self._entry[0]} points beyond the log's end"


class TimeEntryCheck:
    """The same for a .timeindex.

    Each entry must name the last offset of a batch, and the largest timestamp in it.
    """

    def __init__(self, path: Path, entries: list[tuple[int, int]]) -> None:
        self._path = path
        self._waiting = iter(entries)
        self._entry = next(self._waiting, None)

    def visit(self, walked: WalkedBatch) -> Iterator[str]:
        """Yield what this batch shows to be wrong."""
        last_offset = walked.view.last_offset
        while self._entry is not None and self._entry[1] <= last_offset:
            timestamp_ms, offset = self._entry
            if offset < last_offset:
                yield f"{self._path}: indexed offset: {offset}, found log offset: {last_offset}"
            elif timestamp_ms != walked.view.max_timestamp_ms:
                yield (
                    f"{self._path}: index timestamp: {timestamp_ms}, log timestamp: "
                    f"{walked.view.max_timestamp_ms}"
                )
            self._entry = next(self._waiting, None)

    def finish(self) -> Iterator[str]:
        """Yield what the end of the log shows to be wrong."""
        if self._entry is not None:
            yield f"{self._path}: indexed offset {self._entry[1]} is beyond the log's end"


EntryCheck = OffsetEntryCheck | TimeEntryCheck


def _compare(path: Path, check: EntryCheck) -> list[str]:
    """Return what the .log beside an index shows to be wrong with it."""
    problems: list[str] = []
    with SegmentWalk(path.with_name(f"{path.name.split('.')[0]}.log")) as walk:
        for walked in walk:
            problems += check.visit(walked)
    problems += check.finish()
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
