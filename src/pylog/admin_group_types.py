"""What AdminClient's calls on groups take and answer, with confluent_kafka's names."""

import enum
from typing import Any, TypeVar

from pylog.admin_types import Node
from pylog.errors import KafkaError
from pylog.metadata import BrokerMetadata
from pylog.types import TopicPartition

_Enum = TypeVar("_Enum", bound=enum.Enum)


class ConsumerGroupState(enum.Enum):
    """Where a group stands."""

    UNKNOWN = 0
    UNKOWN = UNKNOWN  # confluent_kafka's slip, kept as it keeps it
    PREPARING_REBALANCING = 1
    COMPLETING_REBALANCING = 2
    STABLE = 3
    DEAD = 4
    EMPTY = 5

    def __lt__(self, other: object) -> Any:
        return self.value < other.value if isinstance(other, ConsumerGroupState) else NotImplemented


class ConsumerGroupType(enum.Enum):
    """Which protocol a group speaks; here it is the classic one."""

    UNKNOWN = 0
    CONSUMER = 1
    CLASSIC = 2

    def __lt__(self, other: object) -> Any:
        return self.value < other.value if isinstance(other, ConsumerGroupType) else NotImplemented


def _member_of(kind: type[_Enum], value: "_Enum | str | int") -> _Enum:
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        try:
            return kind[value.upper()]
        except KeyError:
            raise ValueError(f'Unknown value "{value}": should be a {kind.__name__}') from None
    if isinstance(value, int):
        return kind(value)
    raise TypeError(f'Unknown value "{value}": should be a {kind.__name__}')


class ConsumerGroupTopicPartitions:
    """A group with partitions: what is asked for, and with offsets what is answered.

    Args:
        group_id: of the group.
        topic_partitions: None for all that have an offset.
    """

    def __init__(self, group_id: str, topic_partitions: list[TopicPartition] | None = None) -> None:
        self.group_id = group_id
        self.topic_partitions = topic_partitions


class ConsumerGroupListing:
    """A group in the list of all.

    Attributes:
        is_simple_consumer_group: it has committed offsets and never had members.
    """

    state: ConsumerGroupState
    type: ConsumerGroupType

    def __init__(
        self,
        group_id: str,
        is_simple_consumer_group: bool,
        state: ConsumerGroupState | str | int | None = None,
        type: ConsumerGroupType | str | int | None = None,  # noqa: A002
    ) -> None:
        self.group_id = group_id
        self.is_simple_consumer_group = is_simple_consumer_group
        if state is not None:
            self.state = _member_of(ConsumerGroupState, state)
        if type is not None:
            self.type = _member_of(ConsumerGroupType, type)


class ListConsumerGroupsResult:
    """What list_consumer_groups answers."""

    def __init__(
        self,
        valid: list[ConsumerGroupListing] | None = None,
        errors: list[Exception] | None = None,
    ) -> None:
        self.valid = valid
        self.errors = errors


class MemberAssignment:
    """The partitions of a member."""

    def __init__(self, topic_partitions: list[TopicPartition] | None) -> None:
        self.topic_partitions = topic_partitions or []


class MemberDescription:
    """A member of a group."""

    def __init__(
        self,
        member_id: str,
        client_id: str,
        host: str,
        assignment: MemberAssignment,
        group_instance_id: str | None = None,
        target_assignment: MemberAssignment | None = None,
    ) -> None:
        self.member_id = member_id
        self.client_id = client_id
        self.host = host
        self.assignment = assignment
        self.target_assignment = target_assignment
        self.group_instance_id = group_instance_id


class ConsumerGroupDescription:
    """What describe_consumer_groups answers; a group that is not there is DEAD.

    Attributes:
        partition_assignor: the strategy its members agreed on, "" while they have none.
        coordinator: the folder.
    """

    state: ConsumerGroupState
    type: ConsumerGroupType

    def __init__(
        self,
        group_id: str,
        is_simple_consumer_group: bool,
        members: list[MemberDescription],
        partition_assignor: str,
        state: ConsumerGroupState | str | int | None,
        coordinator: Node,
        authorized_operations: list[Any] | None = None,
        type: ConsumerGroupType | str | int = ConsumerGroupType.UNKNOWN,  # noqa: A002
    ) -> None:
        self.group_id = group_id
        self.is_simple_consumer_group = is_simple_consumer_group
        self.members = members
        self.authorized_operations = authorized_operations or None
        self.partition_assignor = partition_assignor
        if state is not None:
            self.state = _member_of(ConsumerGroupState, state)
        if type is not None:
            self.type = _member_of(ConsumerGroupType, type)
        self.coordinator = coordinator


class GroupMember:
    """A member in what list_groups answers; metadata and assignment are the protocol's bytes."""

    def __init__(self) -> None:
        self.id = ""
        self.client_id = ""
        self.client_host = ""
        self.metadata = b""
        self.assignment = b""


class GroupMetadata:
    """A group in what list_groups answers."""

    def __init__(self) -> None:
        self.broker: BrokerMetadata | None = None
        self.id = ""
        self.error: KafkaError | None = None
        self.state = ""
        self.protocol_type = ""
        self.protocol = ""
        self.members: list[GroupMember] = []

    def __repr__(self) -> str:
        return f"GroupMetadata({self.id})"

    def __str__(self) -> str:
        return self.id
