"""Which member of a group reads which partitions: range, roundrobin, sticky, cooperative-sticky.

The group's leader calls `assign`; everything it needs comes with the members' subscriptions. Pure
functions: the same members give the same answer, in whatever order they are named. A folder has no
racks, so there is nothing to be near to. The two that look at what members had before are in
sticky_assignor.py.

Source: Kafka RangeAssignor, RoundRobinAssignor, StickyAssignor, CooperativeStickyAssignor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from pylog.errors import KafkaError, KafkaException
from pylog.group import protocol
from pylog.group.protocol import Partition
from pylog.group.sticky_assignor import Claim, assign_sticky, withhold_claimed

STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")


@dataclass(frozen=True)
class MemberSubscription:
    """A member as the leader sees it.

    Attributes:
        member_id: unique in the group.
        topics: names it subscribes to; those that do not exist count for nothing.
        owned: (topic, partition) it holds.
        generation: of the group when it got them; -1 unknown.
        instance_id: `group.instance.id` of a static member.
        user_data: the strategy's own bytes, as `user_data_for` makes them.
    """

    member_id: str
    topics: tuple[str, ...]
    owned: tuple[Partition, ...] = ()
    generation: int = -1
    instance_id: str | None = None
    user_data: bytes | None = None


def is_cooperative(strategy: str) -> bool:
    """Whether members keep their partitions while they join again."""
    return strategy == "cooperative-sticky"


def user_data_for(
    strategy: str, assigned: Sequence[Partition] | None, generation: int
) -> bytes | None:
    """Return the user data that a member sends with its subscription.

    Args:
        strategy: one of STRATEGIES.
        assigned: what its last assignment was; None before the first.
        generation: of the group when it got it; -1 before the first.
    """
    if strategy == "sticky" and assigned is not None:
        return protocol.encode_sticky_user_data(assigned, generation)
    if strategy == "cooperative-sticky":
        return protocol.encode_cooperative_user_data(generation)
    return None


def assign(
    strategy: str, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
) -> dict[str, list[Partition]]:
    """Share the partitions of the subscribed topics among the members.

    Args:
        strategy: one of STRATEGIES. With `cooperative-sticky` a partition that another member still
            holds is left out: it is given when that member has joined again without it.
        members: all of the group, each with an id of its own.
        partition_counts: partitions of each topic that exists.

    Returns:
        For each member its partitions, in order.

    Raises:
        KafkaException: _INVALID_ARG for a strategy that is none.
    """
    if strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG,
                f"partition.assignment.strategy: {strategy!r} is none of {known}",
            )
        )
    by_id = {member.member_id: member for member in members}
    assert len(by_id) == len(members), "two members with one id"
    subscribed = {topic for member in members for topic in member.topics}
    counts = {
        topic: count
        for topic, count in sorted(partition_counts.items())
        if count > 0 and topic in subscribed
    }
    if strategy == "range":
        assignment = _assign_ranges(members, counts)
    elif strategy == "roundrobin":
        assignment = _assign_in_turn(members, counts)
    else:
        topics = {member_id: counts.keys() & by_id[member_id].topics for member_id in sorted(by_id)}
        is_eager = strategy == "sticky"
        claims = {member_id: _claim(by_id[member_id], is_eager) for member_id in topics}
        assignment = assign_sticky(topics, claims, counts)
        if not is_eager:
            withhold_claimed(assignment, claims)
    return {member_id: sorted(partitions) for member_id, partitions in assignment.items()}


def _turn(member: MemberSubscription) -> tuple[bool, str]:
    """Static members come first, by instance id: so they keep their place over restarts."""
    if member.instance_id is not None:
        return False, member.instance_id
    return True, member.member_id


def _assign_ranges(
    members: Sequence[MemberSubscription], counts: Mapping[str, int]
) -> dict[str, list[Partition]]:
    """Give each member one run of each topic's partitions; the first ones get one more."""
    assignment: dict[str, list[Partition]] = {member.member_id: [] for member in members}
    subscribers: dict[str, list[str]] = {}
    for member in sorted(members, key=_turn):
        for topic in set(member.topics):
            subscribers.setdefault(topic, []).append(member.member_id)
    for topic, count in counts.items():
        takers = subscribers[topic]
        each, more = divmod(count, len(takers))
        first = 0
        for index, member_id in enumerate(takers):
            end = first + each + (index < more)
            assignment[member_id] += [(topic, partition) for partition in range(first, end)]
            first = end
    return assignment


def _assign_in_turn(
    members: Sequence[MemberSubscription], counts: Mapping[str, int]
) -> dict[str, list[Partition]]:
    """Deal all partitions out one by one, past those who do not subscribe to the topic."""
    assignment: dict[str, list[Partition]] = {member.member_id: [] for member in members}
    turns = cycle([(member.member_id, set(member.topics)) for member in sorted(members, key=_turn)])
    for topic, count in counts.items():
        for partition in range(count):
            member_id = next(member_id for member_id, topics in turns if topic in topics)
            assignment[member_id].append((topic, partition))
    return assignment


def _claim(member: MemberSubscription, is_eager: bool) -> Claim:
    """Say what a member had. What cannot be read counts for nothing: others must not suffer."""
    partitions, generation = member.owned, member.generation
    if member.user_data:
        try:
            if is_eager:  # it gave everything up before it joined
                partitions, generation = protocol.decode_sticky_user_data(member.user_data)
            elif generation < 0:  # a subscription older than version 2
                generation = protocol.decode_cooperative_user_data(member.user_data)
        except KafkaException:
            if is_eager:
                partitions = ()
    return Claim(partitions, generation)
