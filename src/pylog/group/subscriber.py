"""Subscriber: the group side of one Consumer, in the application's thread.

It runs the callbacks of a rebalance inside poll(), and sees to what is assigned. The protocol runs
in the member's thread (member.py); offsets are in offset_keeper.py.

Source: confluent_kafka Consumer.c, librdkafka rdkafka_assignment.c.
"""

import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from pylog.config import ClientConfig
from pylog.errors import KafkaError
from pylog.folder_errors import refuse
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.group_types import Event, MemberConfig
from pylog.group.member import GroupMember
from pylog.group.offset_keeper import OffsetKeeper
from pylog.group.protocol import Partition
from pylog.group.shared_group import SharedGroup
from pylog.group.subscription import check_pattern
from pylog.log_dir import LogDir
from pylog.message import Message
from pylog.private_files import fork_count
from pylog.types import OFFSET_STORED, TopicPartition

if TYPE_CHECKING:
    from pylog.consumer import Consumer
    from pylog.fetcher import PartitionFetch

Callback = Callable[["Consumer", list[TopicPartition]], Any]

_subscribers: "weakref.WeakSet[Subscriber]" = weakref.WeakSet()


class Subscriber:
    """The group side of a consumer; `group_id` is empty for one without a group."""

    def __init__(self, consumer: "Consumer", log_dir: LogDir, config: ClientConfig):
        self.group_id: str = config["group.id"] or ""
        self._consumer = weakref.ref(consumer)
        self._log_dir = log_dir
        self._config = config
        self._member_config = member_config(config)
        self._callbacks: dict[str, Callback | None] = {}
        self._shared: SharedGroup | None = None
        self._member: GroupMember | None = None
        self._has_joined = False
        self._has_assigned = False  # the application did, in the callback that runs
        self._is_losing = False
        self._fork_count = fork_count()
        self.offsets = OffsetKeeper(self, self._consumer, log_dir, config)
        _subscribers.add(self)

    def check(self, what: str) -> None:
        """Raise when there is no group, or it is the parent process's."""
        if not self.group_id:
            text = f"{what}: {KafkaError(KafkaError._UNKNOWN_GROUP).str()}: set group.id"
            refuse(KafkaError._UNKNOWN_GROUP, text)
        if self._fork_count != fork_count():
            refuse(
                KafkaError._STATE,
                f"{what}: this consumer of group {self.group_id} belongs to the parent process; "
                "make a Consumer in the child",
            )

    def share(self) -> SharedGroup:
        """The group's state."""
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
        self.check("Failed to set subscription")
        patterns = tuple(str(topic) for topic in topics)
        if not all(patterns) or not patterns:
            invalid = KafkaError(KafkaError._INVALID_ARG).str()
            refuse(KafkaError._INVALID_ARG, f"Failed to set subscription: {invalid}")
        for pattern in patterns:
            check_pattern(pattern)
        if self._member is None:
            self._member = self._make_member(self.share())
        self._callbacks = dict(callbacks)
        self._member.subscribe(patterns)
        self.offsets.start_timer()

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
            try:
                self.unsubscribe()
                self.offsets.close()
            finally:
                if self._shared is not None:
                    self._shared.close()
                    self._shared = None

    def forget_parent(self) -> None:
        """In a forked child: the membership is the parent's."""
        consumer = self._consumer()
        if self._member is not None and consumer is not None:
            consumer._needs_attention = True

    # ---- in poll() ----

    def serve(self, consumer: "Consumer") -> None:
        """Work on what happened: callbacks, and errors as events."""
        if self._member is not None:
            self.check("poll")
        consumer._needs_attention = False
        try:
            self.offsets.serve_results()
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
        self.offsets.before_drop(fetches, self._is_losing)

    # ---- who this is ----

    def keeps(self, partitions: Set[Partition]) -> bool:
        """Whether this member has these and will have them after a rebalance that is going on."""
        member = self._member
        return member is not None and member.is_cooperative and partitions <= member.owned

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


def _forget_parent() -> None:
    for subscriber in list(_subscribers):
        subscriber.forget_parent()


os.register_at_fork(after_in_child=_forget_parent)
