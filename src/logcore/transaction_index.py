"""`.txnindex`: the aborted transactions whose marker stands in a segment (entries: c/index.h).

A transaction that began in one segment may end in a later one, so who reads from an offset looks at
the entries of that segment and all after it. Source: Kafka TransactionIndex, AbortedTxn.
"""

import os
import struct
import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

from logcore import layout
from logcore.errors import CorruptRecordError, error_from_errno

if TYPE_CHECKING:
    from logcore.log import Log

ENTRY_SIZE = 34
_ENTRY = struct.Struct(">hqqqq")

Aborted = tuple[int, int, int]  # producer_id, first_offset, last_offset


def path_of(folder: str, base_offset: int) -> str:
    """The index of a segment."""
    return os.path.join(folder, layout.segment_file_name(base_offset, layout.TXN_INDEX_SUFFIX))


def read(path: str, position: int = 0) -> list[tuple[int, int, int, int]]:
    """(producer_id, first_offset, last_offset, last_stable_offset) of the entries from a byte on.

    A part of an entry at the end is left out. No file is no entry.

    Raises:
        CorruptRecordError: an entry that is none.
    """
    try:
        with open(path, "rb") as file:
            file.seek(position)
            data = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise error_from_errno(error.errno or 0, "read", path) from error
    entries = []  # a marker stands behind the records it aborts, so zeros of a torn write are none
    whole = len(data) - len(data) % ENTRY_SIZE
    for at, (version, *fields) in enumerate(_ENTRY.iter_unpack(data[:whole])):
        producer_id, first_offset, last_offset, last_stable_offset = fields
        if version != 0 or producer_id < 0 or not 0 <= first_offset < last_offset:
            raise CorruptRecordError(
                "not an entry of a transaction index: close all programs on the partition and open "
                "it again, which makes the index anew from the log",
                path=path,
                position=position + at * ENTRY_SIZE,
            )
        entries.append((producer_id, first_offset, last_offset, last_stable_offset))
    return entries


def encode(entries: list[tuple[int, int, int, int]]) -> bytes:
    """The bytes of an index with these entries."""
    return b"".join(_ENTRY.pack(0, *entry) for entry in entries)


def write(folder: str, base_offset: int, entries: list[tuple[int, int, int, int]]) -> None:
    """Replace a segment's index; without entries there is no file.

    Raises:
        OSError: the file stays as it was.
    """
    path = path_of(folder, base_offset)
    if not entries:
        if os.path.exists(path):
            os.unlink(path)
        return
    partial = path + layout.TEMPORARY_SUFFIX
    with open(partial, "wb") as file:
        file.write(encode(entries))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def cut(folder: str, base_offset: int, log_end_offset: int) -> None:
    """Drop the entries of markers that are not in the log, and what is left of a torn entry."""
    path = path_of(folder, base_offset)
    if not os.path.exists(path):
        return
    kept = [entry for entry in read(path) if entry[2] < log_end_offset]
    os.truncate(path, len(kept) * ENTRY_SIZE)


def are_sound(folder: str) -> bool:
    """Whether every index of a partition is one."""
    names = map(layout.parse_segment_file_name, os.listdir(folder))
    try:
        for base_offset, suffix in [name for name in names if name is not None]:
            if suffix == layout.TXN_INDEX_SUFFIX:
                read(path_of(folder, base_offset))
    except CorruptRecordError:
        return False
    return True


class AbortedRanges:
    """The aborted transactions of a log, read once, then as its last index grows. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = -1
        self._bases: list[int] = []
        self._entries: dict[int, list[tuple[int, int, int, int]]] = {}  # by base offset
        self._known_until = -1

    def between(self, log: "Log", first_offset: int, end_offset: int) -> list[Aborted]:
        """The aborted transactions that reach into [first_offset, end_offset).

        Raises:
            CorruptRecordError: an index is damaged.
        """
        with self._lock:
            while True:
                commit = log.commit()
                self._catch_up(log, commit["segment_list_generation"], commit["log_end_offset"])
                if log.commit()["segment_list_generation"] == self._generation:
                    break  # no segment, and no index with it, went meanwhile
            return self._collect(first_offset, end_offset)

    def _catch_up(self, log: "Log", generation: int, log_end_offset: int) -> None:
        if generation != self._generation:
            self._bases, self._entries, self._known_until = log._bases(), {}, -1
        if log_end_offset <= self._known_until:
            return
        for base_offset in self._bases[-1:] if self._entries else self._bases:
            known = self._entries.get(base_offset, [])
            path = path_of(log.path, base_offset)
            if os.path.exists(path):
                fresh = read(path, len(known) * ENTRY_SIZE)
                # What a marker that is not in the log left is cut by the next writer.
                known += [entry for entry in fresh if entry[2] < log_end_offset]
            self._entries[base_offset] = known
        self._generation, self._known_until = generation, log_end_offset

    def _collect(self, first_offset: int, end_offset: int) -> list[Aborted]:
        begin = max((base for base in self._bases if base <= first_offset), default=0)
        found = []
        for base_offset in self._bases:
            if base_offset < begin:
                continue
            for producer_id, first, last, stable in self._entries.get(base_offset, ()):
                if last >= first_offset and first < end_offset:
                    found.append((producer_id, first, last))
                if stable >= end_offset:
                    return found
        return found


class AbortedTransactions:
    """The aborted transactions that one reader may meet, read as far as it has come.

    Args:
        log: that is read.
    """

    def __init__(self, log: "Log"):
        self._log = log
        self._positions: dict[int, tuple[int, int]] = {}  # base offset: (inode, bytes read)
        self._ranges: dict[int, tuple[list[int], list[int]]] = {}  # producer: firsts, lasts
        self._known_until = -1

    def covers(self, producer_id: int, offset: int, log_end_offset: int) -> bool:
        """Whether the producer's batch at `offset`, below the last stable offset, was aborted.

        Args:
            producer_id: of the batch.
            offset: its base offset.
            log_end_offset: of the commit record that says it is stable.
        """
        if log_end_offset > self._known_until:
            self._update(offset, log_end_offset)
            self._known_until = log_end_offset
        ranges = self._ranges.get(producer_id)
        if ranges is None:
            return False
        place = bisect_right(ranges[0], offset) - 1
        return place >= 0 and offset <= ranges[1][place]

    def _update(self, offset: int, log_end_offset: int) -> None:
        bases = self._log._bases()
        begin = max((base for base in bases if base <= offset), default=0)
        fresh: list[Aborted] = []
        for base_offset in bases:
            if base_offset < begin:
                continue
            path = path_of(self._log.path, base_offset)
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            inode, position = self._positions.get(base_offset, (status.st_ino, 0))
            if inode != status.st_ino:
                position = 0  # compaction replaced it
            entries = read(path, position)
            # What a marker that is not in the log left is cut by the next writer: read it again.
            published = [entry for entry in entries if entry[2] < log_end_offset]
            self._positions[base_offset] = (
                status.st_ino,
                position + len(published) * ENTRY_SIZE,
            )
            fresh += [entry[:3] for entry in published]
        for producer_id, first, last in fresh:
            firsts, lasts = self._ranges.setdefault(producer_id, ([], []))
            place = bisect_right(firsts, first)
            if place and firsts[place - 1] == first and lasts[place - 1] == last:
                continue
            firsts.insert(place, first)
            lasts.insert(place, last)
