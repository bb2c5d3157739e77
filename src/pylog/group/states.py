"""The states of a group: Kafka's classic group protocol, without clocks, files or locks.

```
            join                     all joined                  leader syncs
   Empty ---------> PreparingRebalance --------> CompletingRebalance ---------> Stable
     ^                 ^    ^   |                        |                        |
     |                 |    |   | nobody is left         | a member joins,        |
     +-----------------|----|---+                        | leaves, or is too late |
                       |    +----------------------------+                        |
                       +-- a member joins with something new, leaves, dies -------+
```
A method is an event. It changes the group, or raises GroupError and changes nothing. What Kafka
answers later, to a request that waits, is read from the group after any event: `join_result` and
`sync_result` answer None as long as the member has to wait. A member's metadata and assignment are
opaque bytes. Times are ms of a clock that does not jump, and come from the caller.

What keeps a partition with one member: an assignment belongs to a generation, a generation begins
when every member has joined again or was put out, and `check_commit` takes the current one alone.

A group that has ConsumerGroup is one of the newer protocol (consumer_group.py): it has no members
here. With the last member of one protocol gone, the group is free for the other one.

Source: Kafka ClassicGroup, GroupMetadataManager.classicGroupJoin, completeClassicGroupJoin.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pylog.error_codes import ErrorCodes
from pylog.group import agreement
from pylog.group.consumer_group import ConsumerGroup
from pylog.group.consumer_member import TopicIdPartition
from pylog.group.group_types import (
    MAX_MEMBERS,
    NO_DEADLINE_MS,
    GroupError,
    GroupState,
    JoinRequest,
    JoinResult,
    Member,
    new_member,
    rebalancing,
    renew_member,
)


@dataclass(slots=True)
class Group:
    """One group; see the module's head.

    Attributes:
        deadline_ms: of the step that is going on.
        held_until_ms: until when the first members wait for others.
        consumer: members of the newer protocol.
    """

    group_id: str
    state: GroupState = GroupState.EMPTY
    generation: int = 0
    protocol_type: str = ""
    protocol: str = ""
    leader: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    deadline_ms: int = NO_DEADLINE_MS
    held_until_ms: int = NO_DEADLINE_MS
    consumer: ConsumerGroup | None = None

    @property
    def has_members(self) -> bool:
        """Whether anybody is in it, by either protocol."""
        return bool(self.members or (self.consumer is not None and self.consumer.members))

    # ---- events ----

    def join(
        self,
        request: JoinRequest,
        now_ms: int,
        *,
        max_members: int = MAX_MEMBERS,
        initial_delay_ms: int = 0,
    ) -> str:
        """A member wants to take part, or to take part again.

        Args:
            request: what it joins with.
            now_ms: the time.
            max_members: how many the group may have.
            initial_delay_ms: how long the first members wait for others to come.

        Returns:
            Its member id: the one it came with, or its new one.

        Raises:
            GroupError: INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
                GROUP_MAX_SIZE_REACHED, COORDINATOR_NOT_AVAILABLE (the group is dead).
        """
        if self.state is GroupState.DEAD:
            raise GroupError(ErrorCodes.COORDINATOR_NOT_AVAILABLE, "the group was deleted")
        self._check_protocols(request)
        self._leave_consumer_protocol()
        if request.member_id:
            self._rejoin(self._require(request.member_id, request.instance_id), request, now_ms)
            return request.member_id
        old = self._find_instance(request.instance_id)
        if old is not None:
            self._replace_instance(old, request, now_ms)
            return request.new_member_id
        if len(self.members) >= max_members:
            raise GroupError(
                ErrorCodes.GROUP_MAX_SIZE_REACHED, f"a group has at most {max_members} members"
            )
        if not self.members:
            self.protocol_type = request.protocol_type
        if initial_delay_ms > 0 and (not self.members or self.held_until_ms != NO_DEADLINE_MS):
            delay_ms = min(initial_delay_ms, request.rebalance_timeout_ms)
            self.held_until_ms = max(self.held_until_ms, now_ms + delay_ms)
        member = new_member(request, now_ms)
        self.members[member.member_id] = member
        self.leader = self.leader or member.member_id
        self._join_rebalance(member, now_ms)
        return member.member_id

    def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        assignments: Mapping[str, bytes],
        now_ms: int,
    ) -> None:
        """A member asks for its assignment; the leader brings everybody's.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
                REBALANCE_IN_PROGRESS: join again.
        """
        member = self._require(member_id, instance_id)
        self._check_generation(generation)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise rebalancing()
        member.last_heard_ms = now_ms
        member.has_synced = True
        if self.state is GroupState.COMPLETING_REBALANCE and member_id == self.leader:
            for known in self.members.values():
                known.assignment = assignments.get(known.member_id, b"")
            self.state = GroupState.STABLE
            self.deadline_ms = now_ms + self._rebalance_timeout_ms()

    def heartbeat(
        self, member_id: str, instance_id: str | None, generation: int, now_ms: int
    ) -> None:
        """A member gives a sign of life.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
                REBALANCE_IN_PROGRESS: it was heard, and is to join again.
        """
        member = self._require(member_id, instance_id)
        self._check_generation(generation)
        member.last_heard_ms = now_ms
        if self.state is GroupState.PREPARING_REBALANCE:
            raise rebalancing()

    def leave(self, member_id: str, instance_id: str | None, now_ms: int) -> None:
        """A member goes, or was seen dead. `member_id` may be "" with an instance id.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        if not member_id and (found := self._find_instance(instance_id)) is not None:
            member_id = found.member_id
        member = self._require(member_id, instance_id)
        self._remove(member)
        self._rebalance_without(now_ms)

    def expire(self, now_ms: int) -> list[str]:
        """Time went by: put out who was not heard within its session, or is late to join or sync.

        Returns:
            The ids of the members that were put out.
        """
        if self.consumer is not None:
            return self.consumer.expire(now_ms)
        gone = [
            member
            for member in self.members.values()
            if now_ms - member.last_heard_ms > member.session_timeout_ms
        ]
        for member in gone:
            self._remove(member)
        if gone:
            self._rebalance_without(now_ms)
        if NO_DEADLINE_MS != self.held_until_ms <= now_ms:
            self.held_until_ms = NO_DEADLINE_MS
            self._complete_when_joined(now_ms)
        if self.deadline_ms != NO_DEADLINE_MS and now_ms >= self.deadline_ms:
            gone += self._expire_step(now_ms)
        return [member.member_id for member in gone]

    def check_commit(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        *,
        is_transactional: bool,
        partitions: Iterable[TopicIdPartition] | None = None,
    ) -> None:
        """Whether these may commit offsets now. A program without membership gives "", None, -1.

        Args:
            member_id: of who commits.
            instance_id: of a static member.
            generation: that it believes in.
            is_transactional: whether the offsets are part of a transaction.
            partitions: what is committed, by topic ids, where that is known.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
                REBALANCE_IN_PROGRESS; STALE_MEMBER_EPOCH in the newer protocol.

        Source: Kafka ClassicGroup.validateOffsetCommit.
        """
        if self.consumer is not None:
            self.consumer.check_commit(
                member_id, instance_id, generation, partitions, is_transactional=is_transactional
            )
            return
        if generation < 0 and self.state is GroupState.EMPTY:
            return
        if generation >= 0 or member_id or instance_id is not None:
            self._require(member_id, instance_id)
            self._check_generation(generation)
        elif not is_transactional and self.state is not GroupState.EMPTY:
            raise GroupError(
                ErrorCodes.UNKNOWN_MEMBER_ID,
                f"group {self.group_id} has members; only they may commit its offsets",
            )
        if not is_transactional and self.state is GroupState.COMPLETING_REBALANCE:
            raise rebalancing()

    # ---- what waits ----

    def join_result(self, member_id: str, instance_id: str | None = None) -> JoinResult | None:
        """What the member's join led to; None while others have to join yet.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS: the next
                rebalance began before the member looked; join again.
        """
        member = self._require(member_id, instance_id)
        if self.state is GroupState.PREPARING_REBALANCE:
            if member.has_joined:
                return None
            raise rebalancing()
        members: tuple[tuple[str, str | None, bytes], ...] = ()
        if member_id == self.leader and self.state is GroupState.COMPLETING_REBALANCE:
            members = tuple(
                (known.member_id, known.instance_id, known.protocols[self.protocol])
                for known in self.members.values()
            )
        return JoinResult(self.generation, self.protocol, self.leader, members)

    def sync_result(self, member_id: str, instance_id: str | None, generation: int) -> bytes | None:
        """The member's assignment; None while the leader has not brought it.

        Raises:
            GroupError: as `sync`.
        """
        member = self._require(member_id, instance_id)
        self._check_generation(generation)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise rebalancing()
        return member.assignment if self.state is GroupState.STABLE else None

    def next_deadline_ms(self) -> int:
        """When `expire` would do something next, NO_DEADLINE_MS when never."""
        if self.consumer is not None:
            return self.consumer.next_deadline_ms()
        ends = [known.last_heard_ms + known.session_timeout_ms + 1 for known in self._members()]
        ends += [end for end in (self.deadline_ms, self.held_until_ms) if end != NO_DEADLINE_MS]
        return min(ends, default=NO_DEADLINE_MS)

    # ---- members ----

    def _members(self) -> Iterator[Member]:
        return iter(self.members.values())

    def _find_instance(self, instance_id: str | None) -> Member | None:
        if instance_id is None:
            return None
        return next((m for m in self._members() if m.instance_id == instance_id), None)

    def _require(self, member_id: str, instance_id: str | None) -> Member:
        if instance_id is not None:
            owner = self._find_instance(instance_id)
            if owner is not None and owner.member_id != member_id:
                raise GroupError(
                    ErrorCodes.FENCED_INSTANCE_ID,
                    f"another member has taken group.instance.id {instance_id!r}",
                )
        member = self.members.get(member_id)
        if member is None or (instance_id is not None and member.instance_id != instance_id):
            raise GroupError(
                ErrorCodes.UNKNOWN_MEMBER_ID,
                f"{member_id!r} is not a member of group {self.group_id} (any more)",
            )
        return member

    def _check_generation(self, generation: int) -> None:
        if generation != self.generation:
            raise GroupError(
                ErrorCodes.ILLEGAL_GENERATION,
                f"group {self.group_id} is in generation {self.generation}, not {generation}",
            )

    def _check_protocols(self, request: JoinRequest) -> None:
        others = [
            member
            for member in self._members()
            if member.member_id != request.member_id
            and (request.instance_id is None or member.instance_id != request.instance_id)
        ]
        type_now = self.protocol_type if self.members else request.protocol_type
        agreement.check_join(self.group_id, request, others, type_now)

    def _leave_consumer_protocol(self) -> None:
        """Be a group of this protocol, if nobody is there of the other one."""
        if self.consumer is None:
            return
        if self.consumer.members:
            raise GroupError(
                ErrorCodes.INCONSISTENT_GROUP_PROTOCOL,
                f"the members of group {self.group_id} use group.protocol=consumer: set it for all "
                "of them, or for none",
            )
        self.generation = max(self.generation, self.consumer.epoch)
        self.consumer = None

    def enter_consumer_protocol(self) -> ConsumerGroup:
        """Be a group of the newer protocol, if nobody is there of this one.

        Raises:
            GroupError: GROUP_ID_NOT_FOUND; INCONSISTENT_GROUP_PROTOCOL where its members embed
                the log.
        """
        if self.consumer is None:
            if self.members:
                agreement.refuse_consumer_protocol(self.group_id, self._members())
            self.consumer = ConsumerGroup(epoch=max(self.generation, 1))
            self.state = GroupState.EMPTY
            self.protocol_type = self.protocol = self.leader = ""
            self.deadline_ms = self.held_until_ms = NO_DEADLINE_MS
        return self.consumer

    def _rejoin(self, member: Member, request: JoinRequest, now_ms: int) -> None:
        is_new = list(member.protocols.items()) != list(request.protocols.items())
        if self.state is GroupState.STABLE:
            must_rebalance = is_new or member.member_id == self.leader
        else:
            must_rebalance = is_new or self.state is GroupState.PREPARING_REBALANCE
        renew_member(member, request, now_ms)
        if must_rebalance:
            self._join_rebalance(member, now_ms)

    def _replace_instance(self, old: Member, request: JoinRequest, now_ms: int) -> None:
        """A static member is back with a new id: the old one is fenced, its place is kept."""
        new = new_member(request, now_ms)
        new.assignment = old.assignment
        new.has_synced = old.has_synced
        self.members = {
            (new.member_id if known is old else key): (new if known is old else known)
            for key, known in self.members.items()
        }
        if self.leader == old.member_id:
            self.leader = new.member_id
        is_same = self.state is GroupState.STABLE and old.protocols.get(
            self.protocol
        ) == new.protocols.get(self.protocol)
        if not is_same:
            self._join_rebalance(new, now_ms)

    def _remove(self, member: Member) -> None:
        del self.members[member.member_id]
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), "")

    # ---- rebalance ----

    def _rebalance_timeout_ms(self) -> int:
        return max((m.rebalance_timeout_ms for m in self._members()), default=0)

    def _join_rebalance(self, member: Member, now_ms: int) -> None:
        """Begin a rebalance, or take part in the one that is going on."""
        if self.state is not GroupState.PREPARING_REBALANCE:
            self._prepare(now_ms)
        member.has_joined = True
        self._complete_when_joined(now_ms)

    def _rebalance_without(self, now_ms: int) -> None:
        """Members are gone."""
        if self.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
            self._prepare(now_ms)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_when_joined(now_ms)

    def _prepare(self, now_ms: int) -> None:
        self.state = GroupState.PREPARING_REBALANCE
        self.deadline_ms = now_ms + self._rebalance_timeout_ms()
        for member in self._members():
            member.has_joined = False

    def _complete_when_joined(self, now_ms: int) -> None:
        if self.members and self.held_until_ms != NO_DEADLINE_MS:
            return
        if all(member.has_joined for member in self._members()):
            self._complete(now_ms)

    def _complete(self, now_ms: int) -> None:
        """Begin the next generation with the members there are."""
        self.generation += 1
        self.held_until_ms = NO_DEADLINE_MS
        if not self.members:
            self.state = GroupState.EMPTY
            self.protocol = self.leader = ""
            self.deadline_ms = NO_DEADLINE_MS
            return
        if not self.members[self.leader].has_joined:
            self.leader = next(m.member_id for m in self._members() if m.has_joined)
        self.state = GroupState.COMPLETING_REBALANCE
        self.protocol = agreement.elect_protocol(self.members, self.leader)
        self.deadline_ms = now_ms + self._rebalance_timeout_ms()
        for member in self._members():
            member.has_joined = member.has_synced = False
            member.assignment = b""

    def _expire_step(self, now_ms: int) -> list[Member]:
        """The step that is going on took too long: go on without who is late."""
        if self.state is GroupState.PREPARING_REBALANCE:
            late = [m for m in self._members() if not m.has_joined and m.instance_id is None]
            for member in late:
                self._remove(member)
            if not self.members or any(member.has_joined for member in self._members()):
                self._complete(now_ms)
            else:  # static members alone: their sessions decide
                self.deadline_ms = now_ms + self._rebalance_timeout_ms()
            return late
        late = [m for m in self._members() if not m.has_synced]
        self.deadline_ms = NO_DEADLINE_MS
        for member in late:
            self._remove(member)
        if late:
            self._rebalance_without(now_ms)
        return late
