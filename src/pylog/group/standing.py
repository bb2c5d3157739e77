"""Standing: what is known of a group, from its members that live and from its records.

The members are in the folder's shared state, which ends with the machine; that a group had members
once, and its offsets, are in `__consumer_offsets`, which does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pylog.group import protocol
from pylog.group.bystander import list_groups, peek
from pylog.group.consumer_group import ConsumerGroup
from pylog.group.consumer_member import ConsumerGroupState, ConsumerMember
from pylog.group.group_types import GroupState, Member
from pylog.group.offset_table import Partition
from pylog.group.offsets import GroupOffsets
from pylog.group.states import Group
from pylog.log_dir import LogDir


@dataclass(frozen=True, slots=True)
class Standing:
    """A group as it stands now.

    Attributes:
        protocol_type: "consumer"; "" for a group that only ever committed offsets.
        protocol: the assignment strategy its members agreed on, "" while they have none.
        members: who live. Those of the newer consumer protocol as if they were of the older one.
        consumer: the group as the newer consumer protocol has it, None for one of the older.
    """

    group_id: str
    state: GroupState | ConsumerGroupState
    protocol_type: str = ""
    protocol: str = ""
    members: tuple[Member, ...] = ()
    consumer: ConsumerGroup | None = None

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
        is_assigned = self.consumer is not None or self.state is GroupState.STABLE
        if not is_assigned or self.protocol_type != protocol.PROTOCOL_TYPE:
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
        epoch = offsets.consumer_epoch(group_id)
        if epoch is not None:
            past = Group(group_id, consumer=ConsumerGroup(epoch=epoch))
            return standing_of(log_dir, past, protocol_type)
        known = metadata or offsets.committed(group_id) or offsets.pending(group_id)
        return Standing(group_id, GroupState.EMPTY, protocol_type) if known else None
    return standing_of(log_dir, group, protocol_type)


def standing_of(log_dir: LogDir, group: Group, protocol_type: str = "") -> Standing:
    """How a group stands that has a state.

    Args:
        log_dir: the folder.
        group: as it is shared, without those who are dead.
        protocol_type: that was recorded last.
    """
    consumer = group.consumer
    if consumer is not None:
        names = {topic.topic_id.hex: name for name, topic in log_dir.topic_table().items()}
        members = tuple(
            _as_older_member(member, consumer, names) for member in consumer.members.values()
        )
        return Standing(
            group.group_id,
            consumer.state,
            protocol.PROTOCOL_TYPE,
            consumer.assignor,
            members,
            consumer,
        )
    is_stable = group.state is GroupState.STABLE
    return Standing(
        group.group_id,
        group.state,
        group.protocol_type or protocol_type,
        group.protocol if is_stable else "",
        tuple(group.members.values()),
    )


def _as_older_member(
    member: ConsumerMember, consumer: ConsumerGroup, names: Mapping[str, str]
) -> Member:
    topics = {*member.topics, *consumer.matched.get(member.regex, ())}
    places = [*member.assigned, *member.revoking]
    assigned = [(names[topic_id], number) for topic_id, number in places if topic_id in names]
    return Member(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        consumer.session_timeout_ms,
        member.rebalance_timeout_ms,
        {consumer.assignor: protocol.encode_subscription(topics)},
        assignment=protocol.encode_assignment(assigned),
    )


def known_groups(log_dir: LogDir) -> list[str]:
    """Ids of all groups, in order.

    Raises:
        KafkaException: their records cannot be read.
    """
    found = set(list_groups(log_dir))
    return sorted(found.union(GroupOffsets.of(log_dir).groups()))
