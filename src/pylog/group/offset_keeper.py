"""OffsetKeeper: a consumer's offsets: stored, committed, and to be committed.

It commits what the application says, what is stored every auto.commit.interval.ms, and what is
stored for partitions that go. What nobody waits for is reported to on_commit, in poll().

Source: librdkafka rdkafka_offset.c, confluent_kafka Consumer.c.
"""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Protocol

from logcore.errors import LogError
from pylog.config import ClientConfig
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.group import commits
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.protocol import Partition
from pylog.group.shared_group import SharedGroup
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.types import OFFSET_INVALID, TopicPartition

if TYPE_CHECKING:
    from pylog.consumer import Consumer
    from pylog.fetcher import PartitionFetch

# How long a commit of partitions that this member keeps waits for the end of a rebalance.
_REBALANCE_WAIT_S = 5.0
_RETRY_S = 0.002
_PENDING_RETRY_S = 0.01

_keepers: "weakref.WeakSet[OffsetKeeper]" = weakref.WeakSet()


class Owner(Protocol):
    """What the keeper asks the consumer's group side for."""

    group_id: str

    def check(self, what: str) -> None:
        """Raise when there is no group, or it is the parent process's."""

    def share(self) -> SharedGroup:
        """The group's state."""

    def metadata(self) -> ConsumerGroupMetadata:
        """Who commits."""

    def keeps(self, partitions: Set[Partition]) -> bool:
        """Whether this member has these and will have them after a rebalance that is going on."""


class OffsetKeeper:
    """The offsets of one consumer.

    Args:
        owner: the consumer's group side.
        consumer: whose fetches have stored offsets.
        log_dir: the folder.
        config: of the consumer.
    """

    def __init__(
        self,
        owner: Owner,
        consumer: "weakref.ref[Consumer]",
        log_dir: LogDir,
        config: ClientConfig,
    ):
        self.group_id = owner.group_id
        self._owner = owner
        self._consumer = consumer
        self._log_dir = log_dir
        self._config = config
        self._is_read_committed = config["isolation.level"] == "read_committed"
        self._commits_by_itself = bool(
            config["enable.auto.commit"] and self.group_id and not log_dir.is_read_only
        )
        self._on_commit: Callable[..., Any] | None = config["on_commit"]
        self._commit_lock = threading.RLock()
        self._committed: dict[Partition, int] = {}  # by this consumer, of what it is assigned
        self._results: deque[tuple[KafkaError | None, list[TopicPartition]]] = deque()
        self._timer: threading.Thread | None = None
        self._timer_stop = threading.Event()
        _keepers.add(self)

    def close(self) -> None:
        """Commit what is stored, and report it."""
        self._timer_stop.set()
        self.commit_stored(self._fetches())
        self.serve_results()

    def forget_parent(self) -> None:
        """In a forked child: the thread and the locks are the parent's."""
        self._commit_lock = threading.RLock()
        self._timer = None

    def before_drop(self, fetches: "Iterable[PartitionFetch]", are_lost: bool) -> None:
        """Partitions go: commit what is stored of them, unless they are lost."""
        dropped = list(fetches)
        if not are_lost:
            self.commit_stored(dropped)
        for fetch in dropped:
            self._committed.pop((fetch.topic, fetch.partition), None)

    # ---- offsets ----

    def start_offset(self, topic: str, partition: int) -> int | None:
        """Where to begin, by what was committed; None when nothing was.

        Raises:
            KafkaException: UNSTABLE_OFFSET_COMMIT: a transaction may change it; try again.
        """
        if not self.group_id:
            return None
        offsets = GroupOffsets.of(self._log_dir)
        if self._is_read_committed and (topic, partition) in offsets.pending(self.group_id):
            refuse(
                KafkaError.UNSTABLE_OFFSET_COMMIT,
                f"{topic} [{partition}]: a transaction that is open holds its offset",
            )
        found = offsets.committed(self.group_id).get((topic, partition))
        if found is None:
            return None
        self._committed[(topic, partition)] = found.offset
        return found.offset

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float | None
    ) -> list[TopicPartition]:
        """What is committed for these, with the error of those that do not exist."""
        self._owner.check("Failed to get committed offsets")
        offsets = GroupOffsets.of(self._log_dir)
        deadline_s = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        wanted = {(given.topic, given.partition) for given in partitions}
        while self._is_read_committed and wanted & offsets.pending(self.group_id):
            if deadline_s is not None and time.monotonic() > deadline_s:
                text = KafkaError(KafkaError._TIMED_OUT).str()
                refuse(KafkaError._TIMED_OUT, f"Failed to get committed offsets: {text}")
            time.sleep(_PENDING_RETRY_S)
        known = offsets.committed(self.group_id)
        return [self._describe_committed(given, known) for given in partitions]

    def _describe_committed(
        self, given: TopicPartition, known: Mapping[Partition, OffsetAndMetadata]
    ) -> TopicPartition:
        if not self._exists(given):
            error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
            return TopicPartition(given.topic, given.partition).with_error(error)
        found = known.get((given.topic, given.partition))
        if found is None:
            return TopicPartition(given.topic, given.partition, OFFSET_INVALID)
        epoch = found.leader_epoch if found.leader_epoch >= 0 else None
        metadata = found.metadata or None
        return TopicPartition(given.topic, given.partition, found.offset, metadata, epoch)

    def _exists(self, given: TopicPartition) -> bool:
        topic = self._log_dir.topics().get(given.topic)
        return topic is not None and 0 <= given.partition < topic.partitions

    def store_offsets(
        self, message: Message | None, offsets: Sequence[TopicPartition] | None
    ) -> None:
        """Set what the next commit of stored offsets commits."""
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is None and offsets is None:
            raise ValueError("expected either message or offsets")
        given = _offsets_of(message, offsets)
        failed = "StoreOffsets failed"
        if self._config["enable.auto.offset.store"]:
            text = KafkaError(KafkaError._INVALID_ARG).str()
            refuse(KafkaError._INVALID_ARG, f"{failed}: {text}: set enable.auto.offset.store=false")
        places = {(fetch.topic, fetch.partition): fetch for fetch in self._fetches()}
        stored = 0
        for one in given:
            fetch = places.get((one.topic, one.partition))
            if fetch is not None:
                fetch.stored_offset = one.offset
                stored += 1
        if given and not stored:
            text = KafkaError(KafkaError._STATE).str()
            refuse(KafkaError._STATE, f"{failed}: {text}: the partition is not assigned")

    # ---- commit ----

    def commit(
        self,
        message: Message | None,
        offsets: Sequence[TopicPartition] | None,
        asynchronous: bool,
    ) -> list[TopicPartition] | None:
        """Commit a message, offsets, or what is stored of what is assigned."""
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        is_stored = message is None and offsets is None
        given = [] if is_stored else _offsets_of(message, offsets)
        self._owner.check("Commit failed")
        error: KafkaError | None = None
        with self._commit_lock:
            if is_stored:
                given = self._stored(self._fetches())
            results, error = self._commit(given)
        if asynchronous:
            if self._on_commit is not None:
                self._note_commit(error, results)
            return None
        if error is not None:
            raise KafkaException(error)
        return results

    def _commit(
        self, given: Sequence[TopicPartition]
    ) -> tuple[list[TopicPartition], KafkaError | None]:
        """Commit what has an offset: (what was asked for, with errors; the first error)."""
        wanted = [one for one in given if one.offset >= 0]
        if not wanted:
            text = KafkaError(KafkaError._NO_OFFSET).str()
            return [], KafkaError(KafkaError._NO_OFFSET, f"Commit failed: {text}")
        errors: dict[Partition, KafkaError] = {}
        offsets: dict[Partition, OffsetAndMetadata] = {}
        for one in wanted:
            place = (one.topic, one.partition)
            if self._exists(one):
                epoch = -1 if one.leader_epoch is None else one.leader_epoch
                offsets[place] = OffsetAndMetadata(one.offset, epoch, one.metadata or "")
            else:
                errors[place] = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        if offsets:
            try:
                self._append(offsets)
            except KafkaException as exception:
                errors.update(dict.fromkeys(offsets, exception.args[0]))
            else:
                self._committed.update({p: value.offset for p, value in offsets.items()})
        results = [one.with_error(errors.get((one.topic, one.partition))) for one in given]
        if not errors:
            return results, None
        first = next(iter(errors.values()))
        text = first.str()
        if not text.startswith("Commit failed"):
            first = KafkaError(first.code(), f"Commit failed: {text}")
        return results, first

    def _append(self, offsets: Mapping[Partition, OffsetAndMetadata]) -> None:
        """Commit as who this consumer is.

        A member that keeps its partitions waits for a rebalance to end.
        """
        deadline_s = time.monotonic() + _REBALANCE_WAIT_S
        while True:
            try:
                commits.commit(self._log_dir, self._owner.share(), self._owner.metadata(), offsets)
                return
            except KafkaException as exception:
                code = exception.args[0].code()
                if (
                    code not in (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION)
                    or not self._owner.keeps(offsets.keys())
                    or time.monotonic() > deadline_s
                ):
                    raise
            time.sleep(_RETRY_S)

    def _fetches(self) -> "list[PartitionFetch]":
        consumer = self._consumer()
        return [] if consumer is None else list(consumer._fetches)

    def _stored(self, fetches: "Iterable[PartitionFetch]") -> list[TopicPartition]:
        """The stored offset of each that is beyond what was committed, else OFFSET_INVALID."""
        found = []
        for fetch in fetches:
            offset = fetch.stored_offset
            if offset <= self._committed.get((fetch.topic, fetch.partition), -1):
                offset = OFFSET_INVALID
            found.append(TopicPartition(fetch.topic, fetch.partition, offset))
        return found

    def commit_stored(self, fetches: "Iterable[PartitionFetch]") -> None:
        """What enable.auto.commit does; what goes wrong is for on_commit to hear."""
        if not self._commits_by_itself:
            return
        with self._commit_lock:
            results, error = self._commit(self._stored(fetches))
        if error is not None and error.code() == KafkaError._NO_OFFSET:
            return
        if self._on_commit is not None:
            self._note_commit(error, results)

    def commit_by_itself(self) -> bool:
        """The timer's turn: False when there is nobody left to commit for."""
        consumer = self._consumer()
        if consumer is None:
            return False
        del consumer
        self.commit_stored(self._fetches())
        return True

    def start_timer(self) -> None:
        """Commit every auto.commit.interval.ms from now on."""
        interval_s = self._config["auto.commit.interval.ms"] / 1000
        if self._timer is None and self._commits_by_itself and interval_s > 0:
            self._timer = threading.Thread(
                target=_run_timer,
                args=(weakref.ref(self), self._timer_stop, interval_s),
                name="pylog-auto-commit",
                daemon=True,
            )
            self._timer.start()

    def _note_commit(self, error: KafkaError | None, results: list[TopicPartition]) -> None:
        self._results.append((error, results))
        consumer = self._consumer()
        if consumer is not None:
            consumer._needs_attention = True

    def serve_results(self) -> None:
        """Call on_commit for the commits that nobody waited for."""
        while self._results:
            error, results = self._results.popleft()
            if self._on_commit is not None:
                self._on_commit(error, results)


def _offsets_of(
    message: Message | None, offsets: Sequence[TopicPartition] | None
) -> list[TopicPartition]:
    if message is None:
        if not isinstance(offsets, list):
            raise TypeError("requires list of TopicPartition")
        if not all(isinstance(given, TopicPartition) for given in offsets):
            raise TypeError("expected pylog.TopicPartition")
        return offsets
    if not isinstance(message, Message):
        raise TypeError("expected pylog.Message")
    if (error := message.error()) is not None:
        raise KafkaException(error)
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return [TopicPartition(topic, partition, offset + 1, None, message.leader_epoch())]


def _run_timer(
    keeper: "weakref.ref[OffsetKeeper]", stop: threading.Event, interval_s: float
) -> None:
    while not stop.wait(interval_s):
        target = keeper()
        if target is None:
            return
        try:
            if not target.commit_by_itself():
                return
        except (KafkaException, LogError, OSError) as error:
            if not isinstance(error, KafkaException):
                error = as_kafka_exception(error, "")
            target._note_commit(error.args[0], [])
        del target


def _forget_parent() -> None:
    for keeper in list(_keepers):
        keeper.forget_parent()


os.register_at_fork(after_in_child=_forget_parent)
