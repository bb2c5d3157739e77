"""Workers that are members of a group."""

from tests.model.history import Journal, Kind
from tests.model.layout import EVENT_KEYS, EVENTS, KEYS, partition
from tests.model.worker import Worker, entries_of

import pylog
from pylog import KafkaError, KafkaException, TopicPartition

# What a member is told that is no longer one, or not now.
REFUSED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._NO_OFFSET,
}
SESSION_TIMEOUT_MS = 300


class Member:
    """One membership, written down.

    Args:
        worker: whose.
        group: its id.
        isolation: level.
        strategy: how partitions are shared out.
        instance: of a static member.
    """

    def __init__(
        self,
        worker: Worker,
        group: str,
        isolation: str,
        strategy: str,
        instance: str | None = None,
    ):
        self._worker, self._journal = worker, worker.journal
        self._positions: dict[int, int | None] = {}  # of what it owns
        self.consumer = pylog.Consumer({
            "log.dir": worker.folder,
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "partition.assignment.strategy": strategy,
            **({} if instance is None else {"group.instance.id": instance}),
        })  # fmt: skip
        self.consumer.subscribe(
            [EVENTS], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def _generation(self) -> int:
        return max(0, self.consumer.consumer_group_metadata().generation_id)

    def _assigned(self, consumer: pylog.Consumer, partitions: list[TopicPartition]) -> None:
        keys = [KEYS[found.topic, found.partition] for found in partitions]
        self._journal.ok(Kind.OWN, [(key, 0, self._generation(), -1) for key in keys])
        self._positions.update(dict.fromkeys(keys))

    def _revoked(self, consumer: pylog.Consumer, partitions: list[TopicPartition]) -> None:
        if self._worker.chooses(0.5):
            self.commit()
        keys = [KEYS[found.topic, found.partition] for found in partitions]
        for key in keys:
            self._positions.pop(key, None)
        self._journal.ok(Kind.DISOWN, [(key, 0, 0, -1) for key in keys])

    def read(self) -> list[tuple[int, int, int, int]]:
        """Read some records, as history entries."""
        self._worker.turn("read")
        messages = self.consumer.consume(self._worker.chance.randrange(1, 40), 0.02)
        entries = entries_of(messages)
        if entries:
            self._journal.ok(Kind.POLL, entries)
        for key, _, _, offset in entries:
            self._positions[key] = offset + 1
        return entries

    def commit(self) -> None:
        """Commit what was read."""
        generation = self._generation()
        offsets = {key: at for key, at in self._positions.items() if at is not None}
        if not offsets:
            return
        entries = [(key, 0, generation, offset) for key, offset in offsets.items()]
        operation = self._journal.invoke(Kind.COMMIT, entries)
        self._worker.dawdle("commit")
        wanted = [partition(key, offset) for key, offset in offsets.items()]
        try:
            self.consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as exception:
            code = exception.args[0].code()
            if code not in REFUSED:
                raise
            self._journal.fail(Kind.COMMIT, code, operation=operation)
        else:
            self._journal.ok(Kind.COMMIT, entries, operation)

    def ask_committed(self) -> dict[int, int]:
        """What the group has committed of what this member owns."""
        keys = list(self._positions)
        operation = self._journal.invoke(Kind.COMMITTED)
        told = self.consumer.committed([partition(key) for key in keys])
        found = {KEYS[at.topic, at.partition]: max(at.offset, -1) for at in told}
        entries = [(key, 0, 0, offset) for key, offset in found.items()]
        self._journal.ok(Kind.COMMITTED, entries, operation)
        return found

    def rewind(self) -> None:
        """Go on where the group has committed."""
        found = self.ask_committed()
        for key, offset in found.items():
            self.consumer.seek(partition(key, max(offset, 0)))
            self._positions[key] = None
        self._journal.ok(Kind.SEEK, [(key, 0, 0, max(at, 0)) for key, at in found.items()])


def belong(worker: Worker, group: str, strategy: str, instance: str | None) -> None:
    """Read events as a member, and commit now and then; leave at last."""
    member = Member(worker, group, "read_uncommitted", strategy, instance)
    try:
        _take_part(worker, member)
    except KafkaException as exception:
        if exception.args[0].code() != KafkaError.FENCED_INSTANCE_ID:
            raise
        worker.journal.fail(Kind.POLL, KafkaError.FENCED_INSTANCE_ID)
    else:
        member.commit()
    member.consumer.close()
    worker.journal.ok(Kind.END)
    worker.turn()


def _take_part(worker: Worker, member: Member) -> None:
    while not worker.chooses(0.005):
        member.read()
        if worker.chooses(0.3):
            member.commit()
        if worker.chooses(0.05):
            member.ask_committed()


def tell_offsets(folder: str, journal: Journal, group: str) -> None:
    """The final reading of a group: what it has committed of every partition."""
    consumer = pylog.Consumer({"log.dir": folder, "group.id": group, "enable.auto.commit": False})
    operation = journal.invoke(Kind.COMMITTED)
    told = consumer.committed([partition(key) for key in EVENT_KEYS])
    entries = [(KEYS[at.topic, at.partition], 0, 0, max(at.offset, -1)) for at in told]
    journal.ok(Kind.COMMITTED, entries, operation)
    consumer.close()
