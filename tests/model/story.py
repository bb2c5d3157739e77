"""Story: histories made by hand, for the tests of the checks.

Each call takes one step of a clock that all processes share. A story starts out well; a test
changes one thing and names the anomaly that must be found.
"""

from collections.abc import Iterable, Mapping, Sequence

from tests.model.history import Entry, Event, History, Kind, Result, Value
from tests.model.verdict import find_anomalies

Places = Mapping[int, Sequence[tuple[int, Value]]]
"""By partition: (offset, record) of each."""


class Actor:
    """One process; its calls read as the operations that they write."""

    def __init__(self, story: "Story", history: History):
        self._story = story
        self.history = history
        self.process = history.process
        self._last = 0
        self.txn = 0

    def _event(
        self,
        kind: Kind,
        result: Result,
        entries: Iterable[Entry],
        operation: int = 0,
        code: int = 0,
    ) -> None:
        self._story.now_ns += 1
        self.history.events.append(
            Event(kind, result, code, operation, self.txn, self._story.now_ns, list(entries))
        )

    def _operation(
        self,
        kind: Kind,
        invoked: Sequence[Entry] = (),
        result: Result | None = Result.OK,
        told: Sequence[Entry] = (),
    ) -> None:
        self._last += 1
        number = self._last
        self._event(kind, Result.INVOKE, invoked, number)
        if result is not None:
            self._event(kind, result, told, number)

    def begin_send(self, key: int, *numbers: int, source: int = -1) -> None:
        """Records are about to be sent."""
        self._event(
            Kind.PRODUCE,
            Result.INVOKE,
            [Entry(key, self.process, number, source) for number in numbers],
        )

    def send(self, key: int, number: int, offset: int, source: int = -1) -> Value:
        """A record was sent and acknowledged at an offset."""
        self.begin_send(key, number, source=source)
        self._event(Kind.PRODUCE, Result.OK, [Entry(key, self.process, number, offset)])
        return self.process, number

    def fail_send(self, key: int, number: int) -> Value:
        """A record was refused."""
        self.begin_send(key, number)
        self._event(Kind.PRODUCE, Result.FAIL, [Entry(key, self.process, number)], code=10)
        return self.process, number

    def assign(self, key: int, offset: int) -> None:
        """Read a partition from there on."""
        self._event(Kind.ASSIGN, Result.OK, [Entry(key, 0, 0, offset)])

    def seek(self, key: int, offset: int) -> None:
        """Go on there."""
        self._event(Kind.SEEK, Result.OK, [Entry(key, 0, 0, offset)])

    def poll(self, key: int, *seen: tuple[int, Value]) -> None:
        """See records."""
        self._event(Kind.POLL, Result.OK, [Entry(key, *value, at) for at, value in seen])

    def own(self, key: int, generation: int) -> None:
        """Be given a partition."""
        self._event(Kind.OWN, Result.OK, [Entry(key, 0, generation)])

    def disown(self, key: int) -> None:
        """Give it back."""
        self._event(Kind.DISOWN, Result.OK, [Entry(key)])

    def commit(
        self, key: int, offset: int, generation: int = 0, result: Result | None = Result.OK
    ) -> None:
        """Commit an offset."""
        self._operation(Kind.COMMIT, [Entry(key, 0, generation, offset)], result)

    def committed(self, key: int, offset: int) -> None:
        """Be told what is committed."""
        self._operation(Kind.COMMITTED, (), Result.OK, [Entry(key, 0, 0, offset)])

    def init(self) -> None:
        """Take the transactional.id."""
        self._operation(Kind.INIT_TXN)

    def begin(self, txn: int) -> None:
        """Begin a transaction."""
        self.txn = txn
        self._event(Kind.BEGIN, Result.OK, ())

    def send_offset(self, key: int, offset: int) -> None:
        """Add an offset to it."""
        self._operation(Kind.SEND_OFFSETS, (), Result.OK, [Entry(key, 0, 0, offset)])

    def commit_transaction(self, result: Result | None = Result.OK) -> None:
        """End it."""
        self._operation(Kind.COMMIT_TXN, (), result)
        self.txn = 0

    def abort_transaction(self) -> None:
        """End it."""
        self._operation(Kind.ABORT_TXN)
        self.txn = 0


class Story:
    """Histories that are being written, and what is found in them."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.histories: list[History] = []

    def process(self, role: str = "producer", **facts: object) -> Actor:
        """One more process."""
        history = History(len(self.histories) + 1, role, dict(facts))
        self.histories.append(history)
        return Actor(self, history)

    def end(
        self,
        order: Places,
        visible: Places | None = None,
        offsets: Mapping[str, Mapping[int, int]] | None = None,
    ) -> None:
        """The final reading: the log, what of it is committed (all), the groups' offsets."""
        for isolation, places in (
            ("read_uncommitted", order),
            ("read_committed", order if visible is None else visible),
        ):
            reader = self.process("final", isolation=isolation, is_final=True)
            for key, seen in places.items():
                reader.poll(key, *seen)
        for group, committed in (offsets or {}).items():
            asker = self.process("final", group=group, is_final=True)
            for key, offset in committed.items():
                asker.committed(key, offset)

    def found(self, chains: Mapping[str, Iterable[int]] | None = None) -> set[str]:
        """Names of the anomalies."""
        return {anomaly.name for anomaly in find_anomalies(self.histories, chains)}
