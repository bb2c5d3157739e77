"""GroupMember: one membership in a group, kept by a thread in the background.

```
            joins            all have joined        the leader shared out
 unjoined --------> joining ----------------> syncing -----------> stable
    ^                  |                         |                    |
    +------------------+-------------------------+--------------------+
              a rebalance began, or this member was put out
```
The thread gives signs of life, puts out who is dead, joins, shares out when it is the leader, and
leaves. It never calls the application: what the application has to do or to know is an Event, which
poll() takes and works on. Until it has, an eager member does not join again, and a cooperative one
keeps what it has.

Source: librdkafka rdkafka_cgrp.c, Kafka AbstractCoordinator.
"""

import contextlib
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception
from pylog.group import assignors, protocol
from pylog.group.group_types import (
    NO_GENERATION,
    Event,
    GroupError,
    Identity,
    JoinRequest,
    JoinResult,
    MemberConfig,
)
from pylog.group.protocol import Partition
from pylog.group.shared_group import Place, SharedGroup
from pylog.group.subscription import match_topics
from pylog.log_dir import LogDir

# How soon the death of another member is seen at the latest; alone, there is nobody to watch.
_WATCH_SLICE_S = 0.025
_ALONE_SLICE_S = 0.25
_TOPICS_INTERVAL_S = 1.0
_RETRY_S = 0.5
_FENCED = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)


class GroupMember:
    """One membership. `take_event`, `done` and what is below them are the application's.

    Args:
        log_dir: the folder, which the caller keeps open.
        shared: the group's state.
        config: see MemberConfig.
        notify: called when there is an event. Must not block.
        poll_count: rises while the application polls; None when the application is gone.
    """

    def __init__(
        self,
        log_dir: LogDir,
        shared: SharedGroup,
        config: MemberConfig,
        notify: Callable[[], None],
        poll_count: Callable[[], int | None],
    ):
        self.identity = Identity()
        self.strategy = ""
        self._log_dir = log_dir
        self._shared = shared
        self._config = config
        self._notify = notify
        self._poll_count = poll_count
        self._lock = threading.Lock()  # of what both threads change
        self._patterns: tuple[str, ...] = ()
        self._owned: frozenset[Partition] = frozenset()
        self._events: deque[Event] = deque()
        self._wants_rejoin = False
        self._is_stopping = False
        # The thread's own.
        self._phase = "unjoined"
        self._place: Place | None = None
        self._topics: tuple[str, ...] = ()
        self._counts: dict[str, int] | None = None
        self._assigned: tuple[Partition, ...] | None = None
        self._assigned_generation = NO_GENERATION
        self._missing: set[str] = set()
        self._last_error = 0
        self._is_fatal = False
        self._awaits_poll = False
        self._seen_poll_count = -1
        self._polled_s = 0.0
        self._topics_due_s = 0.0
        self._retry_s = 0.0
        self._thread = threading.Thread(target=self._run, name="pylog-group-member", daemon=True)

    # ---- the application's side ----

    @property
    def is_cooperative(self) -> bool:
        """Whether partitions come and go one by one."""
        return all(assignors.is_cooperative(name) for name in self._config.strategies)

    @property
    def owned(self) -> frozenset[Partition]:
        """The partitions that the application was given."""
        return self._owned

    def subscribe(self, patterns: Iterable[str]) -> None:
        """Take part for these topics; a name that begins with ^ is a regular expression."""
        with self._lock:
            self._patterns = tuple(patterns)
            self._topics_due_s = 0.0
        if not self._thread.is_alive():
            self._polled_s = time.monotonic()
            self._thread.start()
        self._shared.bell.ring()

    def take_event(self) -> Event | None:
        """The next event. The application has what it is assigned from now on."""
        with self._lock:
            while self._events:
                event = self._events.popleft()
                if event.kind == "assign":
                    kept = self._owned if event.is_incremental else frozenset()
                    self._owned = kept | frozenset(event.partitions)
                elif event.kind in ("revoke", "lost"):
                    left = tuple(p for p in event.partitions if p in self._owned)
                    if not left:
                        continue
                    event = Event(event.kind, left, event.is_incremental)
                return event
        return None

    def done(self, event: Event) -> None:
        """The application has given up what `event` revoked."""
        with self._lock:
            self._owned -= frozenset(event.partitions)
            if event.is_incremental:
                self._wants_rejoin = True
        self._shared.bell.ring()

    def withdraw(self) -> None:
        """Take part no longer; the place in the group is kept until `stop`."""
        with self._lock:
            self._patterns = ()
            self._events.clear()

    def stop(self, leaves: bool = True) -> None:
        """End the membership: the thread, and the place in the group.

        A static member keeps its place for its session, so that it can come back to it.
        """
        with self._lock:
            self._is_stopping = True
            self._patterns = ()
            self._events.clear()
        self._shared.bell.ring()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        if leaves:
            self._leave()
        self._drop_place()
        self.identity = Identity()

    # ---- the thread ----

    def _run(self) -> None:
        while not self._is_stopping:
            bell = self._shared.bell
            seen = bell.load()
            try:
                slice_s = self._step()
            except KafkaException as error:
                self._report(error.args[0])
                slice_s = _RETRY_S
            except (LogError, OSError) as error:
                self._report(as_kafka_exception(error, self._log_dir.path).args[0])
                slice_s = _RETRY_S
            except Exception as error:  # for the application to see: nobody waits for this thread
                self._report(KafkaError(KafkaError._FAIL, f"group member: {error!r}"))
                slice_s = _RETRY_S
            if slice_s > 0 and not self._is_stopping:
                bell.wait(seen, slice_s)

    def _step(self) -> float:
        """Do what is due. Returns how long to sleep if nothing happens."""
        count = self._poll_count()
        if count is None:  # nobody holds the consumer any more
            self._is_stopping = True
            self._leave()
            self._drop_place()
            return 0
        self._watch_poll(count)
        self._keep_alive()
        self._watch_topics()
        for _ in range(8):
            if not self._advance():
                break
        return self._slice_s()

    def _slice_s(self) -> float:
        if self._place is None:
            return _ALONE_SLICE_S if self._is_fatal else _WATCH_SLICE_S
        longest_s = min(self._config.session_timeout_ms, self._config.heartbeat_interval_ms) / 3000
        is_alone = len(self._shared.look().members) <= 1
        return min(longest_s, _ALONE_SLICE_S if is_alone else _WATCH_SLICE_S)

    def _watch_poll(self, count: int) -> None:
        """Leave when the application did not poll for max.poll.interval.ms."""
        now_s = time.monotonic()
        if count != self._seen_poll_count:
            self._seen_poll_count = count
            self._polled_s = now_s
            self._awaits_poll = False
            return
        exceeded_ms = int((now_s - self._polled_s) * 1000) - self._config.max_poll_interval_ms
        if exceeded_ms <= 0 or self._awaits_poll or not self.identity.member_id:
            return
        self._awaits_poll = True
        self._post(
            Event(
                "error",
                error=KafkaError(
                    KafkaError._MAX_POLL_EXCEEDED,
                    f"Application maximum poll interval ({self._config.max_poll_interval_ms}ms) "
                    f"exceeded by {exceeded_ms}ms",
                ),
            )
        )
        self._leave()
        self._lose()

    def _keep_alive(self) -> None:
        """A sign of life; and who shows none is put out, this member too."""
        place = self._place
        now_ms = _now_ms()
        if place is not None:
            if now_ms - place.last_beat_ms() > self._config.session_timeout_ms:
                with self._shared.locked() as group:
                    self._shared.reap(group, now_ms)
            place.beat()
        if self._shared.has_work(now_ms):
            with self._shared.locked() as group:
                self._shared.reap(group, _now_ms())

    # ---- topics ----

    def _watch_topics(self) -> None:
        """Notice topics that come to match, and partitions that were added."""
        now_s = time.monotonic()
        if now_s < self._topics_due_s:
            return
        with self._lock:
            self._topics_due_s = now_s + _TOPICS_INTERVAL_S
            patterns = self._patterns
        known = self._log_dir.topics()
        topics = match_topics(patterns, known)
        for name in patterns:
            if not name.startswith("^") and name not in known and name not in self._missing:
                self._missing.add(name)
                text = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART).str()
                error = KafkaError(
                    KafkaError.UNKNOWN_TOPIC_OR_PART,
                    f"Subscribed topic not available: {name}: {text}",
                )
                self._post(Event("error", error=error, topic=name))
        self._missing.intersection_update(set(patterns) - known.keys())
        if topics != self._topics:
            self._topics = topics
            self._wants_rejoin = True
        if self._counts is not None and any(
            name in known and known[name].partitions != count or (name not in known and count)
            for name, count in self._counts.items()
        ):
            self._wants_rejoin = True

    # ---- the protocol ----

    def _advance(self) -> bool:
        """One transition: False when there is none now."""
        try:
            if self._phase == "unjoined":
                return self._may_join() and self._join()
            group = self._shared.look()
            member_id, instance_id = self.identity.member_id, self._config.instance_id
            if self._phase == "joining":
                result = group.join_result(member_id, instance_id)
                return result is not None and self._sync(result)
            generation = self.identity.generation
            if self._phase == "syncing":
                data = group.sync_result(member_id, instance_id, generation)
                return data is not None and self._begin(data)
            group.heartbeat(member_id, instance_id, generation, _now_ms())
            return self._rejoin_when_wanted()
        except GroupError as error:
            return self._refused(error)

    def _refused(self, error: GroupError) -> bool:
        if error.code == KafkaError.REBALANCE_IN_PROGRESS:
            self._begin_rejoin()
            return True
        if error.code == KafkaError.FENCED_INSTANCE_ID:
            self._is_fatal = True
            text = KafkaError(error.code).str()
            self._post(Event("error", error=KafkaError(error.code, text, fatal=True)))
            self._lose()
            return False
        if error.code in _FENCED:
            self._lose()
            return True
        self._phase = "unjoined"
        self._report(KafkaError(error.code, f"JoinGroup failed: {error.describe()}"))
        return False

    def _may_join(self) -> bool:
        if not self._patterns or self._is_fatal or self._awaits_poll:
            return False
        if time.monotonic() < self._retry_s:
            return False
        # An eager member, or one that lost its place, joins with empty hands.
        return not self._owned or (self.is_cooperative and bool(self.identity.member_id))

    def _join(self) -> bool:
        config = self._config
        self._wants_rejoin = False  # before looking at what may raise it again
        owned = self._owned if self.is_cooperative else frozenset()
        protocols = {
            name: protocol.encode_subscription(
                self._topics,
                owned,
                self._assigned_generation if owned else NO_GENERATION,
                assignors.user_data_for(name, self._assigned, self._assigned_generation),
            )
            for name in config.strategies
        }
        name = config.instance_id or config.client_id
        with self._shared.locked() as group:
            now_ms = _now_ms()
            self._shared.reap(group, now_ms)
            if self._place is None:
                self._place = self._shared.claim_place(group)
            request = JoinRequest(
                member_id=self.identity.member_id,
                new_member_id=f"{name}-{uuid.uuid4()}",
                protocols=protocols,
                instance_id=config.instance_id,
                client_id=config.client_id,
                client_host="/127.0.0.1",
                session_timeout_ms=config.session_timeout_ms,
                rebalance_timeout_ms=config.max_poll_interval_ms,
                protocol_type=protocol.PROTOCOL_TYPE,
                slot=self._place.slot,
            )
            member_id = group.join(request, now_ms)
        self.identity = Identity(member_id, self.identity.generation)
        self._last_error = 0
        self._phase = "joining"
        return True

    def _sync(self, result: JoinResult) -> bool:
        self.identity = Identity(self.identity.member_id, result.generation)
        self.strategy = result.protocol
        self._counts = None
        if result.members:
            assignments = self._share_out(result)
            with self._shared.locked() as group:
                group.sync(
                    self.identity.member_id,
                    self._config.instance_id,
                    result.generation,
                    assignments,
                    _now_ms(),
                )
        self._phase = "syncing"
        return True

    def _share_out(self, result: JoinResult) -> dict[str, bytes]:
        """As the leader: who reads what."""
        members = []
        for member_id, instance_id, metadata in result.members:
            wanted = protocol.decode_subscription(metadata)
            members.append(
                assignors.MemberSubscription(
                    member_id,
                    wanted.topics,
                    wanted.owned,
                    wanted.generation,
                    instance_id,
                    wanted.user_data,
                )
            )
        known = self._log_dir.topics()
        counts = {
            topic: known[topic].partitions if topic in known else 0
            for member in members
            for topic in member.topics
        }
        self._counts = counts
        there = {topic: count for topic, count in counts.items() if count}
        shares = assignors.assign(result.protocol, members, there)
        return {name: protocol.encode_assignment(share) for name, share in shares.items()}

    def _begin(self, data: bytes) -> bool:
        """The assignment is there."""
        partitions = protocol.decode_assignment(data).partitions if data else ()
        self._assigned = partitions
        self._assigned_generation = self.identity.generation
        self._phase = "stable"
        if not self.is_cooperative:
            self._post(Event("assign", partitions))
            return True
        wanted = frozenset(partitions)
        revoked = tuple(sorted(self._owned - wanted))
        added = tuple(sorted(wanted - self._owned))
        if revoked:
            self._post(Event("revoke", revoked, is_incremental=True))
        if added or not revoked:
            self._post(Event("assign", added, is_incremental=True))
        return True

    def _rejoin_when_wanted(self) -> bool:
        if not self._wants_rejoin:
            return False
        self._begin_rejoin()
        return True

    def _begin_rejoin(self) -> None:
        """Go to join again: an eager member once the application has given up its partitions."""
        self._phase = "unjoined"
        self._retract()
        if self._owned and not self.is_cooperative:
            self._post(Event("revoke", tuple(sorted(self._owned))))

    def _lose(self) -> None:
        """This member was put out, or left: what it had may be with others already."""
        self._phase = "unjoined"
        self._drop_place()
        self.identity = Identity()
        self._assigned_generation = NO_GENERATION
        self._retract()
        if self._owned:
            self._post(Event("lost", tuple(sorted(self._owned)), is_incremental=False))

    def _leave(self) -> None:
        member_id = self.identity.member_id
        if not member_id or self._config.instance_id is not None:
            return
        with contextlib.suppress(GroupError, KafkaException), self._shared.locked() as group:
            group.leave(member_id, None, _now_ms())

    def _drop_place(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.close()

    # ---- events ----

    def _retract(self) -> None:
        """What the application has not taken yet about an assignment holds no more."""
        with self._lock:
            errors = [event for event in self._events if event.kind == "error"]
            self._events = deque(errors)

    def _post(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
        self._notify()

    def _report(self, error: KafkaError) -> None:
        """Say what is wrong, once, and try again later."""
        self._retry_s = time.monotonic() + _RETRY_S
        if error.code() != self._last_error:
            self._last_error = error.code()
            self._post(Event("error", error=error))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
