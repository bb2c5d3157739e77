"""The sticky strategies: as balanced as can be, and what a member had it keeps where that allows.

Three steps. Claims: whom does each partition belong to; of two claims the one of the newer
generation counts, of two of the same generation neither does. Then, when all members subscribe to
the same topics, quotas: each keeps up to its share and the rest is dealt out. When they do not, a
search: everything unclaimed goes to the least loaded subscriber, and partitions move as long as one
can go to a subscriber that has at least two fewer.

`cooperative-sticky` is the same; afterwards what another member still holds is withheld.

Source: Kafka AbstractStickyAssignor, CooperativeStickyAssignor.adjustAssignment. Not taken over:
racks, and moving a partition to a member that had it once but no longer subscribes to it.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from pylog.group.protocol import Partition

Assignment = dict[str, list[Partition]]


@dataclass(frozen=True)
class Claim:
    """What a member says that it had.

    Attributes:
        partitions: (topic, partition).
        generation: of the group when it got them; -1 unknown, older than all.
    """

    partitions: tuple[Partition, ...]
    generation: int


@dataclass
class _Owners:
    """Claims resolved.

    Attributes:
        current: the one member that each partition belongs to.
        previous: the member with the newest of the claims that were not of the newest generation.
    """

    current: dict[Partition, str] = field(default_factory=dict)
    previous: dict[Partition, str] = field(default_factory=dict)


def assign_sticky(
    topics: Mapping[str, Set[str]],
    claims: Mapping[str, Claim],
    partition_counts: Mapping[str, int],
) -> Assignment:
    """Share partitions among members and move few.

    Args:
        topics: for each member, in order of their ids, the existing topics it subscribes to.
        claims: for each member what it had.
        partition_counts: partitions of each subscribed topic, in order of their names.
    """
    if not topics:
        return {}
    owners = _resolve(claims)
    exists = {
        partition: owner
        for partition, owner in owners.current.items()
        if 0 <= partition[1] < partition_counts.get(partition[0], 0)
    }
    kept = {
        partition: owner for partition, owner in exists.items() if partition[0] in topics[owner]
    }
    if len({frozenset(subscribed) for subscribed in topics.values()}) == 1:
        return _assign_by_quota(list(topics), kept, partition_counts)
    balancer = _Balancer(topics, kept, owners.previous)
    balancer.balance(partition_counts, must_revoke=len(kept) < len(exists))
    return balancer.assignment()


def withhold_claimed(assignment: Assignment, claims: Mapping[str, Claim]) -> None:
    """Take out of an assignment what some other member than its new owner may still be reading.

    It stays where it is only if its new owner's claim is the one that counts.
    """
    owners = _resolve(claims).current
    claimants: dict[Partition, set[str]] = {}
    for member_id, claim in claims.items():
        for partition in claim.partitions:
            claimants.setdefault(partition, set()).add(member_id)
    for member_id, partitions in assignment.items():
        partitions[:] = [
            partition
            for partition in partitions
            if owners.get(partition) == member_id
            or not claimants.get(partition, set()) - {member_id}
        ]


def _resolve(claims: Mapping[str, Claim]) -> _Owners:
    found = _Owners()
    newest = max((claim.generation for claim in claims.values()), default=-1)
    # From the oldest on: a newer claim takes the place of an older one.
    by_age = sorted(claims.items(), key=lambda item: (item[1].generation, item[0]))
    generations: dict[Partition, int] = {}
    for member_id, claim in by_age:
        for partition in dict.fromkeys(claim.partitions):
            if generations.get(partition) == claim.generation:
                found.current.pop(partition, None)
                continue
            if claim.generation < newest:
                found.previous[partition] = member_id
            generations[partition] = claim.generation
            found.current[partition] = member_id
    return found


def _assign_by_quota(
    members: list[str], owners: Mapping[Partition, str], partition_counts: Mapping[str, int]
) -> Assignment:
    """All subscribe to the same: each gets its share, some one more, and keeps what it can."""
    share, over = divmod(sum(partition_counts.values()), len(members))
    owned: Assignment = {member: [] for member in members}
    # By number first, so that what is given up is spread over the topics.
    for partition in sorted(owners, key=lambda partition: (partition[1], partition[0])):
        owned[owners[partition]].append(partition)
    assignment: Assignment = {}
    below: list[str] = []
    at_share: list[str] = []
    for member, partitions in owned.items():
        keep = share
        if len(partitions) < share:
            below.append(member)
        elif len(partitions) > share and over:
            keep = share + 1
            over -= 1
        else:
            at_share.append(member)
        assignment[member] = partitions[:keep]
    assigned = {partition for partitions in assignment.values() for partition in partitions}
    waiting = deque(
        (topic, number)
        for topic, count in partition_counts.items()
        for number in range(count)
        if (topic, number) not in assigned
    )
    while below:
        for member in below:
            assignment[member].append(waiting.popleft())
        at_share += [member for member in below if len(assignment[member]) == share]
        below = [member for member in below if len(assignment[member]) < share]
    for member, partition in zip(at_share, waiting, strict=False):
        assignment[member].append(partition)
    return assignment


class _Balancer:
    """The search, for members that subscribe to different topics."""

    def __init__(
        self,
        topics: Mapping[str, Set[str]],
        owners: dict[Partition, str],
        previous: Mapping[Partition, str],
    ):
        self._topics = topics
        self._owners = owners
        self._previous = previous
        self._load = dict.fromkeys(topics, 0)
        for member in owners.values():
            self._load[member] += 1
        self._subscribers: dict[str, list[str]] = {}
        for member, subscribed in topics.items():
            for topic in subscribed:
                self._subscribers.setdefault(topic, []).append(member)
        # Where a partition was before it moved, and which ones went from one member to another.
        self._origins: dict[Partition, str] = {}
        self._moved: dict[tuple[str, str, str], set[Partition]] = {}

    def assignment(self) -> Assignment:
        found: Assignment = {member: [] for member in self._topics}
        for partition, member in self._owners.items():
            found[member].append(partition)
        return found

    def balance(self, partition_counts: Mapping[str, int], must_revoke: bool) -> None:
        """Give out what nobody has, then move what makes the loads more equal.

        Args:
            partition_counts: of each subscribed topic, in order of their names.
            must_revoke: somebody lost a partition already, so old ones may move as well as new.
        """
        # Those with few subscribers first: they have the least choice.
        ordered = sorted(partition_counts, key=lambda topic: len(self._subscribers[topic]))
        partitions = [
            (topic, number) for topic in ordered for number in range(partition_counts[topic])
        ]
        added = [partition for partition in partitions if partition not in self._owners]
        for partition in added:
            member = self._least_loaded(partition[0])
            self._owners[partition] = member
            self._load[member] += 1
        if not must_revoke:
            self._even_out(added)
        self._even_out(partitions)

    def _least_loaded(self, topic: str) -> str:
        return min(self._subscribers[topic], key=self._load.__getitem__)

    def _even_out(self, partitions: Iterable[Partition]) -> None:
        """Move partitions until none can go to a subscriber with at least two fewer.

        Each move makes the sum of the squares of the loads smaller, so it ends.
        """
        choosable = [item for item in partitions if len(self._subscribers[item[0]]) > 1]
        is_changed = True
        while is_changed:
            is_changed = False
            for partition in choosable:
                owner = self._owners[partition]
                target = self._previous.get(partition, owner)
                if partition[0] not in self._topics[target] or not self._may_move(owner, target):
                    target = self._least_loaded(partition[0])
                    if not self._may_move(owner, target):
                        continue
                self._move(partition, owner, target)
                is_changed = True

    def _may_move(self, owner: str, target: str) -> bool:
        return self._load[owner] > self._load[target] + 1

    def _move(self, partition: Partition, owner: str, target: str) -> None:
        """Move a partition, or rather one of its topic that came from the target before."""
        returning = self._moved.get((partition[0], target, owner))
        if returning:
            partition = min(returning)
        topic = partition[0]
        origin = self._origins.setdefault(partition, owner)
        if origin != owner:
            self._moved[topic, origin, owner].discard(partition)
        if origin != target:
            self._moved.setdefault((topic, origin, target), set()).add(partition)
        self._owners[partition] = target
        self._load[owner] -= 1
        self._load[target] += 1
