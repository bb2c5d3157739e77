"""Facts: what the histories of a run say together, indexed for the checks.

The order of a partition is what the final reading found in it: `order` as read_uncommitted,
`visible` as read_committed.
"""

import enum
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.model.history import Event, History, Kind, Result, Value

NEVER = 1 << 62


@dataclass(frozen=True)
class Anomaly:
    """Something that must not be.

    Args:
        name: which kind.
        text: what was seen, where.
    """

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Sent(NamedTuple):
    """A record that a process was about to send."""

    key: int
    txn: tuple[int, int] | None
    source: int


class Outcome(enum.Enum):
    """How a transaction ended, as far as its process knows."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "of unknown end"


@dataclass
class Transaction:
    """One transaction of a process."""

    process: int
    number: int
    outcome: Outcome = Outcome.ABORTED
    commit_invoke_ns: int = NEVER
    commit_ok_ns: int = NEVER
    values: list[Value] = field(default_factory=list)
    group: str | None = None
    offsets: dict[int, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"transaction {self.number} of process {self.process}"


class PartitionOrder:
    """The records of a partition, in the order of their offsets."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.values: list[Value] = []
        self.index: dict[int, int] = {}

    def append(self, offset: int, value: Value) -> None:
        """Add the next one."""
        self.index.setdefault(offset, len(self.offsets))
        self.offsets.append(offset)
        self.values.append(value)

    def at(self, offset: int) -> Value | None:
        """The record at an offset."""
        index = self.index.get(offset)
        return None if index is None else self.values[index]

    def index_from(self, offset: int) -> int:
        """Index of the first record at or after an offset."""
        return bisect_left(self.offsets, offset)

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        return zip(self.offsets, self.values, strict=True)

    def __len__(self) -> int:
        return len(self.offsets)


class OffsetCommit(NamedTuple):
    """An offset of a partition that a group committed, or may have committed."""

    process: int
    key: int
    offset: int
    generation: int
    invoke_ns: int
    ok_ns: int  # NEVER when its result is unknown


class OffsetRead(NamedTuple):
    """An offset that a group was told is committed; -1 for none."""

    process: int
    key: int
    offset: int
    invoke_ns: int
    ok_ns: int


class Facts:
    """The index of a run.

    Args:
        histories: of all processes, those of the final reading too.
    """

    def __init__(self, histories: Sequence[History]):
        self.histories = histories
        self.sent: dict[Value, Sent] = {}
        self.acked: dict[Value, tuple[int, int]] = {}
        self.failed: dict[Value, int] = {}
        self.transactions: dict[tuple[int, int], Transaction] = {}
        self.order: defaultdict[int, PartitionOrder] = defaultdict(PartitionOrder)
        self.visible: defaultdict[int, PartitionOrder] = defaultdict(PartitionOrder)
        self.is_finally_read = {False: False, True: False}
        for history in histories:
            self._take_sends(history)
            self._take_transactions(history)
            if history.is_final:
                self._take_final(history)
        self.where = {
            value: (key, offset) for key, order in self.order.items() for offset, value in order
        }
        self.where_visible = {
            value: (key, offset) for key, order in self.visible.items() for offset, value in order
        }

    def _take_sends(self, history: History) -> None:
        for event in history.events:
            if event.kind != Kind.PRODUCE:
                continue
            if event.result == Result.INVOKE:
                txn = (history.process, event.txn) if event.txn else None
                for entry in event.entries:
                    self.sent[entry.value] = Sent(entry.key, txn, entry.offset)
            elif event.result == Result.OK:
                for entry in event.entries:
                    self.acked[entry.value] = (entry.key, entry.offset)
            elif event.result == Result.FAIL:
                for entry in event.entries:
                    self.failed[entry.value] = event.code

    def _take_transactions(self, history: History) -> None:
        for event in history.events:
            if not event.txn:
                continue
            key = (history.process, event.txn)
            found = self.transactions.setdefault(key, Transaction(*key))
            if event.kind == Kind.PRODUCE and event.result == Result.INVOKE:
                found.values += [entry.value for entry in event.entries]
            elif event.kind == Kind.SEND_OFFSETS and event.result == Result.OK:
                found.group = history.group
                found.offsets.update((entry.key, entry.offset) for entry in event.entries)
            elif event.kind == Kind.COMMIT_TXN:
                self._end_transaction(found, event)

    @staticmethod
    def _end_transaction(found: Transaction, event: Event) -> None:
        if event.result == Result.INVOKE:
            found.outcome = Outcome.UNKNOWN
            found.commit_invoke_ns = event.time_ns
        elif event.result == Result.OK:
            found.outcome = Outcome.COMMITTED
            found.commit_ok_ns = event.time_ns
        elif event.result == Result.FAIL:
            found.outcome = Outcome.ABORTED

    def _take_final(self, history: History) -> None:
        if "isolation" not in history.facts:
            return
        self.is_finally_read[history.reads_committed] = True
        orders = self.visible if history.reads_committed else self.order
        for event in history.events:
            if event.kind == Kind.POLL:
                for entry in event.entries:
                    orders[entry.key].append(entry.offset, entry.value)

    def order_for(self, history: History) -> defaultdict[int, PartitionOrder]:
        """What a process of its isolation level may read."""
        return self.visible if history.reads_committed else self.order

    def groups(self) -> list[str]:
        """The groups of this run."""
        return sorted({history.group for history in self.histories if history.group})

    def offset_commits(self, group: str) -> list[OffsetCommit]:
        """All commits of a group that happened or may have."""
        found = []
        for history in self.histories:
            if history.group != group:
                continue
            for begun, ended in paired(history.events, Kind.COMMIT):
                if ended is not None and ended.result == Result.FAIL:
                    continue
                is_ok = ended is not None and ended.result == Result.OK
                ok_ns = ended.time_ns if ended is not None and is_ok else NEVER
                found += [
                    OffsetCommit(history.process, e.key, e.offset, e.number, begun.time_ns, ok_ns)
                    for e in begun.entries
                ]
        for txn in self.transactions.values():
            if txn.group == group and txn.outcome is not Outcome.ABORTED:
                found += [
                    OffsetCommit(
                        txn.process, key, offset, 0, txn.commit_invoke_ns, txn.commit_ok_ns
                    )
                    for key, offset in txn.offsets.items()
                ]
        return found

    def offset_reads(self, group: str) -> list[OffsetRead]:
        """What the group was told about its offsets."""
        return [
            OffsetRead(history.process, e.key, e.offset, begun.time_ns, ended.time_ns)
            for history in self.histories
            if history.group == group
            for begun, ended in paired(history.events, Kind.COMMITTED)
            if ended is not None and ended.result == Result.OK
            for e in ended.entries
        ]

    def final_offsets(self, group: str) -> dict[int, int]:
        """What a group has committed when all its members have ended."""
        return {
            entry.key: entry.offset
            for history in self.histories
            if history.is_final and history.group == group
            for event in history.events
            if event.kind == Kind.COMMITTED and event.result == Result.OK
            for entry in event.entries
            if entry.offset >= 0
        }


def paired(events: Iterable[Event], kind: Kind) -> Iterator[tuple[Event, Event | None]]:
    """Yield operations of a kind as what began them and what ended them, if anything did."""
    begun: dict[int, Event] = {}
    for event in events:
        if event.kind != kind or event.operation == 0:
            continue
        if event.result == Result.INVOKE:
            begun[event.operation] = event
        elif event.operation in begun:
            yield begun.pop(event.operation), event
    for event in begun.values():
        yield event, None
