"""Standing: what is known of a group, from its members that live and from its records.

The members are in the folder's shared state, which ends with the machine; that a group had members
once, and its offsets, are in `__consumer_offsets`, which does not.
"""

from dataclasses import dataclass

from pylog.group import protocol
from pylog.group.group_types import GroupState, Member
from pylog.group.offset_table import Partition
from pylog.group.offsets import GroupOffsets
from pylog.group.shared_group import list_groups, peek
from pylog.log_dir import LogDir


@dataclass(frozen=True, slots=True)
class Standing:
    """A group as it stands now.

    Attributes:
        protocol_type: "consumer"; "" for a group that only ever committed offsets.
        protocol: the assignment strategy its members agreed on, "" while they have none.
        members: who live.
    """

    group_id: str
    state: GroupState
    protocol_type: str = ""
    protocol: str = ""
    members: tuple[Member, ...] = ()

    @property
    def is_simple(self) -> bool:
        """Whether it never had members."""
        return not self.protocol_type

    def subscribed_topics(self) -> set[str]:
        """Topics that its members read.

        Raises:
            KafkaException: a member's subscription cannot be read.
        """
        if self.protocol_type != protocol.PROTOCOL_TYPE:
            return set()
        return {
            topic
            for member in self.members
            for metadata in [next(iter(member.protocols.values()), None)]
            if metadata
            for topic in protocol.decode_subscription(metadata).topics
        }

    def assigned(self, member: Member) -> tuple[Partition, ...]:
        """Partitions that a member has.

        Raises:
            KafkaException: its assignment cannot be read.
        """
        if self.state is not GroupState.STABLE or self.protocol_type != protocol.PROTOCOL_TYPE:
            return ()
        return protocol.decode_assignment(member.assignment).partitions if member.assignment else ()


def find_standing(log_dir: LogDir, group_id: str) -> Standing | None:
    """How a group stands, None for one that nobody knows.

    Raises:
        KafkaException: its records cannot be read.
    """
    offsets = GroupOffsets.of(log_dir)
    metadata = offsets.group_metadata(group_id)
    group = peek(log_dir, group_id)
    protocol_type = metadata.protocol_type if metadata is not None else ""
    if group is None:
        known = metadata or offsets.committed(group_id) or offsets.pending(group_id)
        return Standing(group_id, GroupState.EMPTY, protocol_type) if known else None
    is_stable = group.state is GroupState.STABLE
    return Standing(
        group_id,
        group.state,
        group.protocol_type or protocol_type,
        group.protocol if is_stable else "",
        tuple(group.members.values()),
    )


def known_groups(log_dir: LogDir) -> list[str]:
    """Ids of all groups, in order.

    Raises:
        KafkaException: their records cannot be read.
    """
    found = set(list_groups(log_dir))
    return sorted(found.union(GroupOffsets.of(log_dir).groups()))
