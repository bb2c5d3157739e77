"""Subscriber: the group side of one Consumer, in the application's thread.

It runs the callbacks of a rebalance inside poll(), keeps stored and committed offsets, and commits:
what the application says, what is stored every auto.commit.interval.ms, and what is stored for
partitions that go. The protocol runs in the member's thread (member.py).

Source: confluent_kafka Consumer.c, librdkafka rdkafka_assignment.c, rdkafka_offset.c.
"""

import os
import re
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logcore.errors import LogError
from pylog.config import ClientConfig
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.group import commits
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.member import Event, GroupMember, MemberConfig
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.private_files import fork_count
from pylog.group.protocol import Partition
from pylog.group.shared_group import SharedGroup
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.types import OFFSET_INVALID, OFFSET_STORED, TopicPartition

if TYPE_CHECKING:
    from pylog.consumer import Consumer
    from pylog.fetcher import PartitionFetch

Callback = Callable[["Consumer", list[TopicPartition]], Any]

# How long a commit of partitions that this member keeps waits for the end of a rebalance.
_REBALANCE_WAIT_S = 5.0
_RETRY_S = 0.002
_PENDING_RETRY_S = 0.01

_subscribers: "weakref.WeakSet[Subscriber]" = weakref.WeakSet()


class Subscriber:
    """The group side of a consumer; `group_id` is empty for one without a group."""

    def __init__(self, consumer: "Consumer", log_dir: LogDir, config: ClientConfig):
        self.group_id: str = config["group.id"] or ""
        self._consumer = weakref.ref(consumer)
        self._log_dir = log_dir
        self._config = config
        self._member_config = member_config(config)
        self._is_read_committed = config["isolation.level"] == "read_committed"
        self._commits_by_itself = bool(
            config["enable.auto.commit"] and self.group_id and not log_dir.is_read_only
        )
        self._on_commit: Callable[..., Any] | None = config["on_commit"]
        self._callbacks: dict[str, Callback | None] = {}
        self._commit_lock = threading.RLock()
        self._committed: dict[Partition, int] = {}  # by this consumer, of what it is assigned
        self._commit_results: deque[tuple[KafkaError | None, list[TopicPartition]]] = deque()
        self._shared: SharedGroup | None = None
        self._member: GroupMember | None = None
        self._has_joined = False
        self._has_assigned = False  # the application did, in the callback that runs
        self._is_losing = False
        self._fork_count = fork_count()
        self._timer: threading.Thread | None = None
        self._timer_stop = threading.Event()
        _subscribers.add(self)

    def _check(self, what: str) -> None:
        if not self.group_id:
            text = f"{what}: {KafkaError(KafkaError._UNKNOWN_GROUP).str()}: set group.id"
            refuse(KafkaError._UNKNOWN_GROUP, text)
        if self._fork_count != fork_count():
            refuse(
                KafkaError._STATE,
                f"{what}: this consumer of group {self.group_id} belongs to the parent process; "
                "make a Consumer in the child",
            )

    def _share(self) -> SharedGroup:
        if self._shared is None:
            self._shared = SharedGroup.open(self._log_dir, self.group_id)
        return self._shared

    # ---- subscription ----

    @property
    def is_subscribed(self) -> bool:
        """Whether the group says what is assigned."""
        return self._member is not None

    def subscribe(self, topics: Sequence[str], callbacks: Mapping[str, Callback | None]) -> None:
        """Take part in the group for these topics."""
        if not isinstance(topics, list):
            raise TypeError("expected list of topic unicode strings")
        for name, callback in callbacks.items():
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} expects a callable")
        self._check("Failed to set subscription")
        patterns = tuple(str(topic) for topic in topics)
        if not all(patterns) or not patterns:
            invalid = KafkaError(KafkaError._INVALID_ARG).str()
            refuse(KafkaError._INVALID_ARG, f"Failed to set subscription: {invalid}")
        for pattern in patterns:
            _check_pattern(pattern)
        if self._member is None:
            self._member = self._make_member(self._share())
        self._callbacks = dict(callbacks)
        self._member.subscribe(patterns)
        self.start_timer()

    def _make_member(self, shared: SharedGroup) -> GroupMember:
        consumer = self._consumer
        bell = self._log_dir.notify

        def notify() -> None:
            target = consumer()
            if target is not None:
                target._needs_attention = True
                if bell is not None:
                    bell.ring()

        def poll_count() -> int | None:
            target = consumer()
            return None if target is None else target._poll_count

        target = consumer()
        if target is not None:
            target._waits_on_bell = True
        return GroupMember(self._log_dir, shared, self._member_config, notify, poll_count)

    def unsubscribe(self) -> None:
        """Give up what is assigned, and leave the group."""
        member = self._member
        if member is None:
            return
        if self._fork_count != fork_count():
            self._member = None
            return
        member.withdraw()
        try:
            if member.owned:
                kind = "revoke" if member.identity.member_id else "lost"
                self._revoke(Event(kind, tuple(sorted(member.owned))), member)
        finally:
            self._member = None
            self._has_joined = False
            member.stop()

    def close(self) -> None:
        """Leave the group; commit what is stored."""
        if self._fork_count == fork_count():
            self._timer_stop.set()
            try:
                self.unsubscribe()
                self._commit_stored_quietly(self._fetches())
                self._serve_commit_results()
            finally:
                if self._shared is not None:
                    self._shared.close()
                    self._shared = None

    def forget_parent(self) -> None:
        """In a forked child: the membership is the parent's."""
        self._commit_lock = threading.RLock()
        self._timer = None
        consumer = self._consumer()
        if self._member is not None and consumer is not None:
            consumer._needs_attention = True

    # ---- in poll() ----

    def serve(self, consumer: "Consumer") -> None:
        """Work on what happened: callbacks, and errors as events."""
        if self._member is not None:
            self._check("poll")
        consumer._needs_attention = False
        try:
            self._serve_commit_results()
            while self._member is not None:
                event = self._member.take_event()
                if event is None:
                    return
                self._serve_event(consumer, event, self._member)
        except BaseException:
            consumer._needs_attention = True  # there may be more
            raise

    def _serve_event(self, consumer: "Consumer", event: Event, member: GroupMember) -> None:
        if event.kind == "error":
            consumer._events.append(Message(event.topic, -1, error=event.error, timestamp=(0, -1)))
        elif event.kind == "assign":
            self._has_joined = True
            self._assign(consumer, event)
        else:
            self._revoke(event, member)

    def _assign(self, consumer: "Consumer", event: Event) -> None:
        partitions = [TopicPartition(topic, number) for topic, number in event.partitions]
        self._has_assigned = False
        try:
            callback = self._callbacks.get("on_assign")
            if callback is not None:
                callback(consumer, partitions)
        finally:
            if not self._has_assigned:
                known = [TopicPartition(t, n, OFFSET_STORED) for t, n in event.partitions]
                if event.is_incremental:
                    consumer.incremental_assign(known)
                else:
                    consumer.assign(known)

    def _revoke(self, event: Event, member: GroupMember) -> None:
        """Let the callback see what goes, commit what is stored of it, and let it go."""
        consumer = self._consumer()
        assert consumer is not None
        is_lost = event.kind == "lost"
        callback = self._callbacks.get("on_revoke")
        if is_lost:
            callback = self._callbacks.get("on_lost") or callback
        self._has_assigned = False
        self._is_losing = is_lost
        try:
            if callback is not None:
                callback(consumer, [TopicPartition(t, number) for t, number in event.partitions])
        finally:
            gone = set(event.partitions)
            left = [
                fetch
                for fetch in consumer._fetches
                if (event.is_incremental or member.is_cooperative)
                and (fetch.topic, fetch.partition) not in gone
            ]
            if len(left) != len(consumer._fetches):
                consumer._replace_fetches(left)
            self._is_losing = False
            member.done(event)

    def check_assign(self, is_incremental: bool) -> None:
        """Note that the application assigns; the protocol in use decides in which way it may."""
        self._has_assigned = True
        member = self._member
        if member is None or not self._has_joined:
            return
        if is_incremental and not member.is_cooperative:
            refuse(
                KafkaError._STATE,
                "Changes to the current assignment must be made using assign() when rebalance "
                "protocol type is EAGER",
            )
        if not is_incremental and member.is_cooperative:
            refuse(
                KafkaError._STATE,
                "Changes to the current assignment must be made using incremental_assign() or "
                "incremental_unassign() when rebalance protocol type is COOPERATIVE",
            )

    def before_drop(self, fetches: "Iterable[PartitionFetch]") -> None:
        """Partitions go: commit what is stored of them, unless they are lost."""
        dropped = list(fetches)
        if not self._is_losing:
            self._commit_stored_quietly(dropped)
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
        self._check("Failed to get committed offsets")
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
        self._check("Commit failed")
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
                commits.commit(self._log_dir, self._share(), self.metadata(), offsets)
                return
            except KafkaException as exception:
                member = self._member
                code = exception.args[0].code()
                if (
                    member is None
                    or code not in (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION)
                    or not member.is_cooperative
                    or not offsets.keys() <= member.owned
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

    def _commit_stored_quietly(self, fetches: "Iterable[PartitionFetch]") -> None:
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
        self._commit_stored_quietly(self._fetches())
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
        self._commit_results.append((error, results))
        consumer = self._consumer()
        if consumer is not None:
            consumer._needs_attention = True

    def _serve_commit_results(self) -> None:
        while self._commit_results:
            error, results = self._commit_results.popleft()
            if self._on_commit is not None:
                self._on_commit(error, results)

    # ---- who this is ----

    def member_id(self) -> str | None:
        """The id in the group, None before it joined."""
        member = self._member
        return (member.identity.member_id or None) if member is not None else None

    def metadata(self) -> ConsumerGroupMetadata:
        """Who commits."""
        member = self._member
        instance_id = self._member_config.instance_id
        if member is None:
            return ConsumerGroupMetadata(self.group_id)
        identity = member.identity
        if not identity.member_id:
            if self._has_joined:  # it was put out: not a stranger who may commit to an idle group
                return ConsumerGroupMetadata(self.group_id, 0, "-")
            return ConsumerGroupMetadata(self.group_id)
        return ConsumerGroupMetadata(
            self.group_id, identity.generation, identity.member_id, instance_id
        )


def member_config(config: ClientConfig) -> MemberConfig:
    """What the member of a consumer is."""
    words = (word.strip() for word in (config["partition.assignment.strategy"] or "").split(","))
    return MemberConfig(
        strategies=tuple(dict.fromkeys(word for word in words if word)),
        instance_id=config["group.instance.id"] or None,
        client_id=config["client.id"] or "",
        session_timeout_ms=config["session.timeout.ms"],
        heartbeat_interval_ms=config["heartbeat.interval.ms"],
        max_poll_interval_ms=config["max.poll.interval.ms"],
    )


def _check_pattern(pattern: str) -> None:
    if pattern.startswith("^"):
        try:
            re.compile(pattern)
        except re.error as error:
            text = KafkaError(KafkaError._INVALID_ARG).str()
            refuse(
                KafkaError._INVALID_ARG,
                f"Failed to set subscription: {text}: {pattern!r} is no regular expression: "
                f"{error}",
            )


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
    subscriber: "weakref.ref[Subscriber]", stop: threading.Event, interval_s: float
) -> None:
    while not stop.wait(interval_s):
        target = subscriber()
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
    for subscriber in list(_subscribers):
        subscriber.forget_parent()


os.register_at_fork(after_in_child=_forget_parent)
