"""The states of a group that a server assigns for: Kafka's consumer protocol (KIP-848), pure.

```
group    Empty -> Assigning (epoch > assignment_epoch) -> Reconciling -> Stable
              a change of members or topics: epoch + 1     all members have their target

member   Stable --- target takes something away --> Unrevoked --- says it owns it no more --.
            ^  '--- target adds what others have -> Unreleased -- the others gave it up --. |
            '-----------------------------------------------------------------------------+-'
```
There is no rebalance that all have to take part in. The group has a target: who should read what.
Each member is led towards it alone, by the answers to its heartbeats: first it gives up what goes
to others, then it gets what they have given up. Its epoch rises to the target's when it has given
up everything it must. A partition is with one member at a time, since none is given out while
another member has it or has yet to give it up.

No clocks, files or locks; times are ms of a clock that does not jump. What a member is assigned is
named by topic ids: a topic that is made anew is another one.

Source: Kafka GroupMetadataManager.consumerGroupHeartbeat, ConsumerGroup, CurrentAssignmentBuilder.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pylog.error_codes import ErrorCodes
from pylog.group import target_assignment
from pylog.group.consumer_member import (
    JOINING_EPOCH,
    LEAVING_STATIC_EPOCH,
    NO_DEADLINE_MS,
    ConsumerGroupState,
    ConsumerHeartbeat,
    ConsumerMember,
    MemberState,
    TopicIdPartition,
    Topics,
)
from pylog.group.group_types import GroupError


@dataclass(slots=True)
class ConsumerGroup:
    """One group; see the module's head.

    Attributes:
        epoch: rises with every change of the members or of what they subscribe to.
        assignment_epoch: of the group when the target was made.
        assignor: that made the target.
        topics: the partition count of each topic that is subscribed to, by id, as of `epoch`.
        matched: which topics the expressions of members match, as of `epoch`.
        target: what each member should read.
        session_timeout_ms: after how long a member that is not heard is put out.
    """

    epoch: int = 1
    assignment_epoch: int = 0
    assignor: str = ""
    session_timeout_ms: int = 45_000
    topics: dict[str, int] = field(default_factory=dict)
    matched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    members: dict[str, ConsumerMember] = field(default_factory=dict)
    target: dict[str, frozenset[TopicIdPartition]] = field(default_factory=dict)

    @property
    def state(self) -> ConsumerGroupState:
        """Where the group stands."""
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.assignment_epoch:
            return ConsumerGroupState.ASSIGNING
        if all(self._is_reconciled(member) for member in self.members.values()):
            return ConsumerGroupState.STABLE
        return ConsumerGroupState.RECONCILING

    # ---- events ----

    def heartbeat(
        self,
        said: ConsumerHeartbeat,
        known: Topics,
        assignors: tuple[str, ...],
        now_ms: int,
        max_members: int,
    ) -> ConsumerMember:
        """A member joins, says something new, or gives a sign of life.

        Args:
            said: by the member.
            known: what topics there are.
            assignors: that the server has, the one it likes best first.
            now_ms: the time.
            max_members: how many the group may have.

        Returns:
            The member as it is now: `epoch` and `assigned` are its answer.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID,
                UNRELEASED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED.
        """
        member, is_new = self._admit(said, max_members)
        member.last_heard_ms = now_ms
        has_changed = self._renew(member, said, known) or is_new
        topics = self._find_topics(known)
        if has_changed or topics != self.topics:
            self.epoch += 1
            self.topics = topics
        if self.epoch > self.assignment_epoch:
            self._assign(assignors, known)
        self._reconcile(member, said.owned, now_ms)
        return member

    def is_news(self, said: ConsumerHeartbeat, known: Topics) -> bool:
        """Whether a heartbeat would change anything but when its member was heard."""
        member = self.members.get(said.member_id)
        return not (
            member is not None
            and said.epoch == member.epoch == self.assignment_epoch == self.epoch
            and member.state is MemberState.STABLE
            and said.instance_id in (None, member.instance_id)
            and not self._says_news(member, said, known)
            and self._find_topics(known) == self.topics
        )

    def leave(self, member_id: str, instance_id: str | None, epoch: int) -> None:
        """A member goes; one that is static may say that it comes back (LEAVING_STATIC_EPOCH).

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        member = self._require(member_id, instance_id)
        if epoch == LEAVING_STATIC_EPOCH:
            member.epoch = LEAVING_STATIC_EPOCH
        else:
            self._remove(member)

    def expire(self, now_ms: int) -> list[str]:
        """Time went by: put out who was not heard, and who does not give up what it must.

        Returns:
            The ids of the members that were put out.
        """
        gone = [
            member
            for member in self.members.values()
            if now_ms - member.last_heard_ms > self.session_timeout_ms
            or NO_DEADLINE_MS != member.revoke_deadline_ms <= now_ms
        ]
        for member in gone:
            self._remove(member)
        return [member.member_id for member in gone]

    def next_deadline_ms(self) -> int:
        """When `expire` would do something next, NO_DEADLINE_MS when never."""
        ends = [
            member.last_heard_ms + self.session_timeout_ms + 1 for member in self.members.values()
        ]
        ends += [
            member.revoke_deadline_ms
            for member in self.members.values()
            if member.revoke_deadline_ms != NO_DEADLINE_MS
        ]
        return min(ends, default=NO_DEADLINE_MS)

    def check_commit(
        self,
        member_id: str,
        instance_id: str | None,
        epoch: int,
        partitions: Iterable[TopicIdPartition] | None,
        *,
        is_transactional: bool,
    ) -> None:
        """Whether these may commit offsets now.

        A member that is behind with its epoch may, of partitions that it has had since then.

        Raises:
            GroupError: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.

        Source: Kafka ConsumerGroup.validateOffsetCommit.
        """
        if epoch < 0 and not self.members:
            return
        if is_transactional and epoch < 0 and not member_id and instance_id is None:
            return
        member = self._find(member_id)
        if epoch == member.epoch:
            return
        if epoch < member.epoch and partitions is not None:
            had = {**member.revoking, **member.assigned}
            if all(had.get(partition, epoch + 1) <= epoch for partition in partitions):
                return
        raise _stale(epoch, member)

    def check_fetch(self, member_id: str | None, epoch: int) -> None:
        """Whether these may fetch offsets now. Raises GroupError as `check_commit`."""
        if member_id is None and epoch < 0:
            return
        member = self._find(member_id or "")
        if epoch != member.epoch:
            raise _stale(epoch, member)

    # ---- members ----

    def _find(self, member_id: str) -> ConsumerMember:
        member = self.members.get(member_id)
        if member is None:
            raise GroupError(
                ErrorCodes.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of the group."
            )
        return member

    def _find_instance(self, instance_id: str) -> ConsumerMember | None:
        found = (member for member in self.members.values() if member.instance_id == instance_id)
        return next(found, None)

    def _require(self, member_id: str, instance_id: str | None) -> ConsumerMember:
        if instance_id is None:
            return self._find(member_id)
        owner = self._find_instance(instance_id)
        if owner is None:
            raise GroupError(ErrorCodes.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
        if owner.member_id != member_id:
            raise GroupError(
                ErrorCodes.FENCED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} was fenced by member "
                f"{owner.member_id}.",
            )
        return owner

    def _admit(self, said: ConsumerHeartbeat, max_members: int) -> tuple[ConsumerMember, bool]:
        """The member that speaks, and whether it is a new one."""
        if said.epoch != JOINING_EPOCH:
            member = self._require(said.member_id, said.instance_id)
            _check_epoch(member, said)
            return member, False
        owner = self._find_instance(said.instance_id) if said.instance_id is not None else None
        if owner is not None and owner.member_id != said.member_id:
            if owner.epoch != LEAVING_STATIC_EPOCH:
                raise GroupError(
                    ErrorCodes.UNRELEASED_INSTANCE_ID,
                    f"Static member {said.member_id} with instance id {said.instance_id} cannot "
                    f"join the group because the instance id is owned by {owner.member_id} member.",
                )
            return self._replace_static(owner, said.member_id), False
        known = owner or self.members.get(said.member_id)
        if known is not None:
            if known.epoch == LEAVING_STATIC_EPOCH:
                known.epoch = known.previous_epoch = 0
            return known, False
        if len(self.members) >= max_members:
            raise GroupError(
                ErrorCodes.GROUP_MAX_SIZE_REACHED,
                f"The consumer group has reached its maximum capacity of {max_members} members.",
            )
        member = ConsumerMember(said.member_id, said.instance_id)
        self.members[said.member_id] = member
        return member, True

    def _replace_static(self, old: ConsumerMember, member_id: str) -> ConsumerMember:
        """A static member is back with a new id: what it had is kept for it."""
        new = replace(old, member_id=member_id, epoch=0, previous_epoch=0)
        self.members = {
            (member_id if known is old else key): (new if known is old else known)
            for key, known in self.members.items()
        }
        self.target[member_id] = self.target.pop(old.member_id, frozenset())
        return new

    def _remove(self, member: ConsumerMember) -> None:
        del self.members[member.member_id]
        self.target.pop(member.member_id, None)
        self.epoch += 1

    # ---- what members want ----

    def _says_news(self, member: ConsumerMember, said: ConsumerHeartbeat, known: Topics) -> bool:
        """Whether a member says something that its group has to remember."""
        regex = member.regex if said.regex is None else said.regex
        return (
            (said.topics is not None and set(said.topics) != set(member.topics))
            or regex != member.regex
            or (bool(regex) and known.match(regex) != self.matched.get(regex))
            or (said.assignor or member.assignor) != member.assignor
            or (said.rack_id or member.rack_id) != member.rack_id
            or said.rebalance_timeout_ms not in (-1, member.rebalance_timeout_ms)
            or (said.client_id, said.client_host) != (member.client_id, member.client_host)
        )

    def _renew(self, member: ConsumerMember, said: ConsumerHeartbeat, known: Topics) -> bool:
        """Take note of what a member says; whether the target has to be made anew."""
        assignor = self._preferred_assignor()
        before = set(member.topics), member.regex
        member.client_id, member.client_host = said.client_id, said.client_host
        if said.rebalance_timeout_ms != -1:
            member.rebalance_timeout_ms = said.rebalance_timeout_ms
        if said.rack_id is not None:
            member.rack_id = said.rack_id
        if said.topics is not None:
            member.topics = tuple(sorted(set(said.topics)))
        if said.regex is not None:
            member.regex = said.regex
        if said.assignor is not None:
            member.assignor = said.assignor
        if member.regex:
            self.matched[member.regex] = known.match(member.regex)
        used = {other.regex for other in self.members.values()}
        self.matched = {regex: names for regex, names in self.matched.items() if regex in used}
        is_same = (set(member.topics), member.regex) == before
        return not is_same or self._preferred_assignor() != assignor

    def _wanted(self, member: ConsumerMember) -> Iterable[str]:
        """Names of the topics that a member subscribes to."""
        return {*member.topics, *self.matched.get(member.regex, ())}

    def _find_topics(self, known: Topics) -> dict[str, int]:
        """The topics that are subscribed to and exist."""
        names = {name for member in self.members.values() for name in self._wanted(member)}
        return dict(sorted(found for name in names if (found := known.find(name)) is not None))

    def _preferred_assignor(self) -> str:
        votes: dict[str, int] = {}
        for member in self.members.values():
            if member.assignor:
                votes[member.assignor] = votes.get(member.assignor, 0) + 1
        return max(votes, key=lambda name: votes[name], default="")

    # ---- the target, and the way there ----

    def _assign(self, assignors: tuple[str, ...], known: Topics) -> None:
        preferred = self._preferred_assignor()
        self.assignor = preferred if preferred in assignors else assignors[0]
        subscriptions = {
            member.member_id: target_assignment.Subscriber(
                frozenset(
                    found[0]
                    for name in self._wanted(member)
                    if (found := known.find(name)) is not None
                ),
                member.instance_id,
            )
            for member in self.members.values()
        }
        self.target = target_assignment.assign(
            self.assignor, subscriptions, self.target, self.topics
        )
        self.assignment_epoch = self.epoch

    def _is_reconciled(self, member: ConsumerMember) -> bool:
        return member.state is MemberState.STABLE and member.epoch == self.assignment_epoch

    def _reconcile(
        self, member: ConsumerMember, owned: frozenset[TopicIdPartition] | None, now_ms: int
    ) -> None:
        """Lead a member towards the target, as far as it and the others let it come."""
        if self._is_reconciled(member):
            return
        if member.state is MemberState.UNREVOKED and _owns_any(owned, member.revoking):
            return
        target = self.target.get(member.member_id, frozenset())
        kept = {place: epoch for place, epoch in member.assigned.items() if place in target}
        revoking = {place: epoch for place, epoch in member.assigned.items() if place not in target}
        if revoking and _owns_any(owned, revoking):
            if member.state is not MemberState.UNREVOKED or member.revoking != revoking:
                member.revoke_deadline_ms = now_ms + max(member.rebalance_timeout_ms, 0)
            self._move(member, member.epoch, MemberState.UNREVOKED, kept, revoking)
            return
        # Its own, too, that it has just given up, and gets back.
        taken = {
            place
            for other in self.members.values()
            if other is not member
            for place in (*other.assigned, *other.revoking)
        }
        added = target - kept.keys()
        free = dict.fromkeys(sorted(added - taken), self.assignment_epoch)
        state = MemberState.UNRELEASED if added & taken else MemberState.STABLE
        member.revoke_deadline_ms = NO_DEADLINE_MS
        self._move(member, self.assignment_epoch, state, {**kept, **free}, {})

    def _move(
        self,
        member: ConsumerMember,
        epoch: int,
        state: MemberState,
        assigned: dict[TopicIdPartition, int],
        revoking: dict[TopicIdPartition, int],
    ) -> None:
        if member.epoch != epoch:
            member.previous_epoch, member.epoch = member.epoch, epoch
        member.state = state
        member.assigned, member.revoking = assigned, revoking


def _check_epoch(member: ConsumerMember, said: ConsumerHeartbeat) -> None:
    """Refuse a member that is not where the group thinks it is."""
    if said.epoch == member.epoch:
        return
    if said.epoch > member.epoch:
        word = "greater"
    elif (
        said.epoch == member.previous_epoch
        and said.owned is not None
        and said.owned <= member.assigned.keys()
    ):
        return  # the answer with the newer epoch was lost
    else:
        word = "smaller"
    raise GroupError(
        ErrorCodes.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {word} member epoch ({said.epoch}) than the one known by "
        f"the group coordinator ({member.epoch}). The member must abandon all its partitions and "
        "rejoin.",
    )


def _owns_any(
    owned: frozenset[TopicIdPartition] | None, partitions: Mapping[TopicIdPartition, int]
) -> bool:
    """Whether a member has some of these still; one that does not say has."""
    return owned is None or not owned.isdisjoint(partitions)


def _stale(epoch: int, member: ConsumerMember) -> GroupError:
    return GroupError(
        ErrorCodes.STALE_MEMBER_EPOCH,
        f"The received member epoch {epoch} does not match the expected member epoch "
        f"{member.epoch}.",
    )
