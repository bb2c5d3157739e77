"""Who should read what in a group that a server assigns for: the assignors `uniform` and `range`.

`uniform` gives every member as many partitions as any other, give or take one, and leaves each what
it had as far as that allows. `range` gives a member the same numbers of all topics that it shares
with others, so that records of one key meet in one member. Pure functions; topics go by their ids.

Source: Kafka UniformAssignor, RangeAssignor of org.apache.kafka.coordinator.group.assignor.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pylog.group import assignors
from pylog.group.assignors import MemberSubscription
from pylog.group.sticky_assignor import Claim, assign_sticky

UNIFORM = "uniform"
RANGE = "range"
ASSIGNORS = (UNIFORM, RANGE)

Target = dict[str, frozenset[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A member as an assignor sees it.

    Attributes:
        topics: ids of topics that exist.
        instance_id: of a static member.
    """

    topics: frozenset[str]
    instance_id: str | None = None


def assign(
    assignor: str,
    members: Mapping[str, Subscriber],
    before: Mapping[str, frozenset[tuple[str, int]]],
    partition_counts: Mapping[str, int],
) -> Target:
    """What each member should read.

    Args:
        assignor: one of ASSIGNORS.
        members: by id.
        before: what they should have read until now.
        partition_counts: of the topics that any of them subscribes to, by id.
    """
    if assignor == RANGE:
        subscriptions = [
            MemberSubscription(member_id, tuple(member.topics), instance_id=member.instance_id)
            for member_id, member in members.items()
        ]
        shares = assignors.assign("range", subscriptions, partition_counts)
    else:
        ordered = sorted(members)
        claims = {
            member_id: Claim(tuple(sorted(before.get(member_id, ()))), 0) for member_id in ordered
        }
        wanted = {topic for member in members.values() for topic in member.topics}
        counts = {
            topic: count for topic, count in sorted(partition_counts.items()) if topic in wanted
        }
        topics = {member_id: members[member_id].topics & counts.keys() for member_id in ordered}
        shares = assign_sticky(topics, claims, counts)
    return {member_id: frozenset(share) for member_id, share in shares.items()}
