"""History: what one process did and saw, in a file that outlives it.

A line of JSON says what kind of process it is; then frames follow, each in one write() before or
after the operation that it tells of. A process that is killed leaves at most its last frame torn.

    frame     byte 0       kind        uint8, Kind
              byte 1       result      uint8, Result
              byte 2..3    code        int16, Kafka's error code of a FAIL
              byte 4..7    operation   uint32, its number within the process, 0 for none
              byte 8..11   txn         uint32, number of the transaction it is part of, 0 for none
              byte 12..15  count       uint32, entries that follow
              byte 16..23  time_ns     int64, CLOCK_MONOTONIC: the same in all processes
    entry     byte 0..3    key         uint32, a partition: index in Layout.partitions
              byte 4..7    process     uint32, who made the record
              byte 8..11   number      uint32, its number there
              byte 12..19  offset      int64, -1 for none

All little-endian. What the fields of an entry mean for each kind stands at Kind.
"""

import enum
import json
import os
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FRAME = struct.Struct("<BBhIIIq")
ENTRY = struct.Struct("<IIIq")
SUFFIX = ".history"

Value = tuple[int, int]
"""Names a record: the number of the process that made it, and its number there."""

_SOURCE_BITS = 40


def make_source(key: int, offset: int) -> int:
    """Name an input record in the `offset` of the output's PRODUCE INVOKE."""
    return key << _SOURCE_BITS | offset


def split_source(source: int) -> tuple[int, int]:
    """Partition and offset of an input record."""
    return source >> _SOURCE_BITS, source & ((1 << _SOURCE_BITS) - 1)


class Kind(enum.IntEnum):
    """What an operation does."""

    PRODUCE = (
        1  # INVOKE: records to be sent, offset: make_source; OK and FAIL: those records, results
    )
    ASSIGN = 2  # OK: partitions read from now on, from offset on; -1: wherever
    POLL = 3  # OK: records, in the order in which they came
    COMMIT = 4  # of offsets by a member of a group
    COMMITTED = 5  # OK: offsets that the group has committed; -1 for none
    OWN = 6  # OK: partitions that a group gave to this member
    DISOWN = 7  # OK: partitions that it gave back, or was told it lost
    BEGIN = 8  # of a transaction
    SEND_OFFSETS = 9  # to a transaction
    COMMIT_TXN = 10
    ABORT_TXN = 11
    INIT_TXN = 12
    SEEK = 13  # OK: as ASSIGN, other partitions stay as they are
    CLEAN = 14  # OK: a partition of an internal topic was compacted
    END = 15  # OK: the end of the process, as it wished


class Result(enum.IntEnum):
    """How far it is; an INVOKE that nothing follows may have happened or not."""

    INVOKE = 0
    OK = 1
    FAIL = 2  # it did not happen
    INFO = 3  # it may have happened


class Entry(NamedTuple):
    """A record, or an offset of a partition."""

    key: int
    process: int = 0
    number: int = 0
    offset: int = -1

    @property
    def value(self) -> Value:
        """Which record it is."""
        return self.process, self.number


class Event(NamedTuple):
    """One frame."""

    kind: Kind
    result: Result
    code: int
    operation: int
    txn: int
    time_ns: int
    entries: list[Entry]


@dataclass
class History:
    """All that a process wrote down.

    Args:
        process: its number.
        role: what it does, e.g. "reader".
        facts: more about it: isolation, group, transactional_id, is_final.
        events: in its order.
    """

    process: int
    role: str
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def group(self) -> str | None:
        """The group it is a member of."""
        return self.facts.get("group")

    @property
    def reads_committed(self) -> bool:
        """Its isolation level is read_committed."""
        return self.facts.get("isolation") == "read_committed"

    @property
    def is_final(self) -> bool:
        """It read everything when all others had ended."""
        return bool(self.facts.get("is_final"))


class Journal:
    """Writes a history.

    Args:
        folder: where the histories are.
        process: number of this process.
        role: as History.
        facts: as History.
    """

    def __init__(self, folder: str | os.PathLike[str], process: int, role: str, **facts: Any):
        path = Path(folder) / f"{process:06d}-{role}{SUFFIX}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._last = 0
        self.process = process
        self.operations = 0
        header = {"process": process, "role": role, "facts": facts}
        os.write(self._fd, json.dumps(header).encode() + b"\n")

    def invoke(
        self, kind: Kind, entries: Sequence[tuple[int, ...]] = (), txn: int = 0, count: int = 1
    ) -> int:
        """Write that an operation begins, and return its number.

        Args:
            kind: what it does.
            entries: as Kind says.
            txn: the transaction's number.
            count: how many operations it counts for.
        """
        self._last += 1
        self.operations += count
        self._write(kind, Result.INVOKE, 0, self._last, txn, entries)
        return self._last

    def ok(
        self, kind: Kind, entries: Sequence[tuple[int, ...]] = (), operation: int = 0, txn: int = 0
    ) -> None:
        """Write that it is done, of an operation invoked or of one that has no beginning."""
        if operation == 0 and kind != Kind.PRODUCE:  # a PRODUCE was counted when it was invoked
            self.operations += len(entries) if kind == Kind.POLL else 1
        self._write(kind, Result.OK, 0, operation, txn, entries)

    def fail(
        self,
        kind: Kind,
        code: int,
        entries: Sequence[tuple[int, ...]] = (),
        operation: int = 0,
        txn: int = 0,
    ) -> None:
        """Write that it did not happen."""
        self._write(kind, Result.FAIL, code, operation, txn, entries)

    def info(self, kind: Kind, code: int, operation: int = 0, txn: int = 0) -> None:
        """Write that nobody knows whether it happened."""
        self._write(kind, Result.INFO, code, operation, txn, ())

    def _write(
        self,
        kind: int,
        result: int,
        code: int,
        operation: int,
        txn: int,
        entries: Sequence[tuple[int, ...]],
    ) -> None:
        pack = ENTRY.pack
        head = FRAME.pack(kind, result, code, operation, txn, len(entries), time.monotonic_ns())
        os.write(self._fd, head + b"".join([pack(*entry) for entry in entries]))

    def close(self) -> None:
        """Leave the file."""
        os.close(self._fd)


def read(path: Path) -> History:
    """Read a history back, without a last frame that is torn."""
    data = path.read_bytes()
    line, _, _ = data.partition(b"\n")
    header = json.loads(line)
    history = History(header["process"], header["role"], header["facts"])
    position = len(line) + 1
    while position + FRAME.size <= len(data):
        kind, result, code, operation, txn, count, time_ns = FRAME.unpack_from(data, position)
        position += FRAME.size
        end = position + count * ENTRY.size
        if end > len(data):
            break
        entries = [Entry(*fields) for fields in ENTRY.iter_unpack(data[position:end])]
        position = end
        history.events.append(
            Event(Kind(kind), Result(result), code, operation, txn, time_ns, entries)
        )
    return history


def read_all(folder: Path) -> list[History]:
    """Read all histories of a run, in the order of their processes.

    One whose first line was not finished did nothing yet.
    """
    histories = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with open(path, "rb") as file:
            if not file.readline().endswith(b"\n"):
                continue
        histories.append(read(path))
    return histories


def count_operations(histories: Iterable[History]) -> dict[str, int]:
    """Count operations by kind: a record sent, a record polled, any other call.

    Those whose result is unknown count too; those of the final reading do not.
    """
    counts: dict[str, int] = {}
    for history in histories:
        if history.is_final:
            continue
        for event in history.events:
            if event.kind == Kind.PRODUCE:
                size = len(event.entries) if event.result == Result.INVOKE else 0
            elif event.kind == Kind.POLL:
                size = len(event.entries)
            else:
                size = int(event.result == Result.INVOKE or event.operation == 0)
            name = event.kind.name.lower()
            counts[name] = counts.get(name, 0) + size
    return counts


def count_refusals(histories: Iterable[History]) -> dict[str, int]:
    """Count operations that failed or whose result is unknown, by kind and code."""
    counts: dict[str, int] = {}
    for history in histories:
        for event in history.events:
            if event.result in (Result.FAIL, Result.INFO):
                name = f"{event.kind.name.lower()} {event.code}"
                counts[name] = counts.get(name, 0) + 1
    return counts
