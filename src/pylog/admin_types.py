"""What AdminClient takes and answers: names, attributes and printing are confluent_kafka's."""

import base64
import enum
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pylog.errors import KafkaError

BROKER_DEFAULT = -1


class ResourceType(enum.Enum):
    """What a config belongs to: a TOPIC, or the folder, which stands in for a BROKER."""

    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4
    TRANSACTIONAL_ID = 5

    def __lt__(self, other: object) -> Any:
        return self.value < other.value if isinstance(other, ResourceType) else NotImplemented


class ConfigSource(enum.Enum):
    """Where a config's value comes from."""

    UNKNOWN_CONFIG = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    GROUP_CONFIG = 8


class AlterConfigOpType(enum.Enum):
    """What incremental_alter_configs does with an entry."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class IsolationLevel(enum.Enum):
    """Which end list_offsets answers: the high watermark, or the last stable offset."""

    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1


@functools.total_ordering
class NewTopic:
    """A topic to be made.

    Args:
        topic: name.
        num_partitions: how many; -1 for the folder's num.partitions, or as replica_assignment says.
        replication_factor: 1 or -1: a folder holds one copy.
        replica_assignment: for each partition, [0]: the folder is broker 0.
        config: Kafka's topic configs.
    """

    def __init__(
        self,
        topic: str,
        num_partitions: int = BROKER_DEFAULT,
        replication_factor: int = BROKER_DEFAULT,
        replica_assignment: Sequence[Sequence[int]] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.topic = _require_str(topic, "topic")
        self.num_partitions = operator.index(num_partitions)
        self.replication_factor = operator.index(replication_factor)
        self.replica_assignment = replica_assignment
        self.config = config

    def _place(self) -> tuple[str, int]:
        return self.topic, self.num_partitions

    def __eq__(self, other: object) -> bool:
        return self._place() == other._place() if isinstance(other, NewTopic) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._place() < other._place() if isinstance(other, NewTopic) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.topic)

    def __repr__(self) -> str:
        count = "" if self.num_partitions == -1 else f",num_partitions={self.num_partitions}"
        return f"NewTopic(topic={self.topic}{count})"


@functools.total_ordering
class NewPartitions:
    """More partitions for a topic.

    Args:
        topic: name.
        new_total_count: how many it shall have.
        replica_assignment: for each new partition, [0].
    """

    def __init__(
        self,
        topic: str,
        new_total_count: int,
        replica_assignment: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.topic = _require_str(topic, "topic")
        self.new_total_count = operator.index(new_total_count)
        self.replica_assignment = replica_assignment

    def _place(self) -> tuple[str, int]:
        return self.topic, self.new_total_count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NewPartitions):
            return NotImplemented
        return self._place() == other._place()

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, NewPartitions):
            return NotImplemented
        return self._place() < other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def __repr__(self) -> str:
        return f"NewPartitions(topic={self.topic},new_total_count={self.new_total_count})"


class ConfigEntry:
    """One config of a resource.

    Attributes:
        name, value: as text; value is None for one that has none.
        source: ConfigSource; describe_configs answers its number, as confluent_kafka does.
        is_read_only, is_default, is_sensitive, is_synonym: what they say.
        synonyms: entries by name that the value could come from.
        incremental_operation: for incremental_alter_configs.
    """

    def __init__(
        self,
        name: str,
        value: str | None,
        source: ConfigSource | int = ConfigSource.UNKNOWN_CONFIG,
        is_read_only: bool = False,
        is_default: bool = False,
        is_sensitive: bool = False,
        is_synonym: bool = False,
        synonyms: "dict[str, ConfigEntry] | None" = None,
        incremental_operation: AlterConfigOpType | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.source = source
        self.is_read_only = is_read_only
        self.is_default = is_default
        self.is_sensitive = is_sensitive
        self.is_synonym = is_synonym
        self.synonyms = {} if synonyms is None else synonyms
        self.incremental_operation = incremental_operation

    def __repr__(self) -> str:
        return f'ConfigEntry({self.name}="{self.value}")'

    def __str__(self) -> str:
        return f'{self.name}="{self.value}"'


@functools.total_ordering
class ConfigResource:
    """A topic, or the folder (BROKER, name "0"), whose configs are asked for or changed.

    Equal and hashed by type and name.

    Args:
        restype: ResourceType, its name or its number.
        name: of the topic or broker.
        set_config: configs for alter_configs.
        described_configs: entries by name.
        error: KafkaError of an answer.
        incremental_configs: entries for incremental_alter_configs.
    """

    Type = ResourceType

    def __init__(
        self,
        restype: ResourceType | str | int,
        name: str,
        set_config: Mapping[str, str] | None = None,
        described_configs: dict[str, ConfigEntry] | None = None,
        error: KafkaError | None = None,
        incremental_configs: list[ConfigEntry] | None = None,
    ) -> None:
        if name is None:
            raise ValueError("expected non-null name")
        if isinstance(restype, str):
            try:
                restype = ResourceType[restype.upper()]
            except KeyError:
                raise ValueError(
                    f'Unknown resource type "{restype}": should be a ConfigResource.Type'
                ) from None
        self.restype = ResourceType(restype)
        self.restype_int = self.restype.value
        self.name = name
        self.set_config_dict = dict(set_config) if set_config is not None else {}
        self.incremental_configs = incremental_configs or []
        self.configs = described_configs
        self.error = error

    def set_config(self, name: str, value: str, overwrite: bool = True) -> None:
        """Set a config for alter_configs."""
        if overwrite or name not in self.set_config_dict:
            self.set_config_dict[name] = value

    def add_incremental_config(self, config_entry: ConfigEntry) -> None:
        """Add an entry for incremental_alter_configs."""
        self.incremental_configs.append(config_entry)

    def _place(self) -> tuple[int, str]:
        return self.restype_int, self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConfigResource):
            return NotImplemented
        return self._place() == other._place()

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ConfigResource):
            return NotImplemented
        return self._place() < other._place()

    def __hash__(self) -> int:
        return hash((self.restype, self.name))

    def __len__(self) -> int:
        return len(self.set_config_dict)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"ConfigResource({self.restype},{self.name})"


class Uuid:
    """A topic id; prints as Kafka writes it."""

    __slots__ = ("_bits",)

    def __init__(self, most_significant_bits: int, least_significant_bits: int) -> None:
        high, low = (
            operator.index(bits) % 2**64 for bits in (most_significant_bits, least_significant_bits)
        )
        self._bits = high << 64 | low

    def get_most_significant_bits(self) -> int:
        """The upper 64 bits, signed."""
        return _signed(self._bits >> 64)

    def get_least_significant_bits(self) -> int:
        """The lower 64 bits, signed."""
        return _signed(self._bits % 2**64)

    def __eq__(self, other: object) -> bool:
        return self._bits == other._bits if isinstance(other, Uuid) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._bits)

    def __repr__(self) -> str:
        text = base64.urlsafe_b64encode(self._bits.to_bytes(16, "big"))
        return text.decode("ascii").rstrip("=")


class Node:
    """A broker: the folder."""

    def __init__(self, id: int, host: str, port: int, rack: str | None = None) -> None:  # noqa: A002
        self.id = id
        self.id_string = str(id)
        self.host = host
        self.port = port
        self.rack = rack

    def __str__(self) -> str:
        return f"({self.id}) {self.host}:{self.port}"


class TopicPartitionInfo:
    """A partition in a TopicDescription."""

    def __init__(self, id: int, leader: Node, replicas: list[Node], isr: list[Node]) -> None:  # noqa: A002
        self.id = id
        self.leader = leader
        self.replicas = replicas
        self.isr = isr


class TopicDescription:
    """What describe_topics answers."""

    def __init__(
        self,
        name: str,
        topic_id: Uuid,
        is_internal: bool,
        partitions: list[TopicPartitionInfo],
        authorized_operations: list[Any] | None = None,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.is_internal = is_internal
        self.partitions = partitions
        self.authorized_operations = authorized_operations


class TopicCollection:
    """The topics that describe_topics is asked for."""

    def __init__(self, topic_names: list[str]) -> None:
        self.topic_names = topic_names


class DescribeClusterResult:
    """What describe_cluster answers."""

    def __init__(
        self,
        controller: Node,
        nodes: list[Node],
        cluster_id: str | None = None,
        authorized_operations: list[Any] | None = None,
    ) -> None:
        self.cluster_id = cluster_id
        self.controller = controller
        self.nodes = nodes
        self.authorized_operations = authorized_operations


class DeletedRecords:
    """What delete_records answers: the first offset that is left."""

    def __init__(self, low_watermark: int) -> None:
        self.low_watermark = low_watermark


class ListOffsetsResultInfo:
    """What list_offsets answers: an offset, its record's time (-1: none asked) and leader epoch."""

    def __init__(self, offset: int, timestamp: int, leader_epoch: int) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.leader_epoch = leader_epoch

    def __str__(self) -> str:
        return (
            f"ListOffsetsResultInfo(offset={self.offset},timestamp={self.timestamp},"
            f"leader_epoch={self.leader_epoch})"
        )


class OffsetSpec:
    """Which offset list_offsets is asked for."""

    _EARLIEST: ClassVar[int] = -2
    _LATEST: ClassVar[int] = -1
    _MAX_TIMESTAMP: ClassVar[int] = -3

    def __init__(self, value: int) -> None:
        self._value = value

    @classmethod
    def earliest(cls) -> "OffsetSpec":
        """The first offset that may be read."""
        return cls(cls._EARLIEST)

    @classmethod
    def latest(cls) -> "OffsetSpec":
        """The end."""
        return cls(cls._LATEST)

    @classmethod
    def max_timestamp(cls) -> "OffsetSpec":
        """The record with the largest timestamp."""
        return cls(cls._MAX_TIMESTAMP)

    @classmethod
    def for_timestamp(cls, timestamp: int) -> "OffsetSpec":
        """The first record at or after a time, ms since 1970."""
        return _TimestampSpec(timestamp)


class _TimestampSpec(OffsetSpec):
    def __init__(self, timestamp: int) -> None:
        super().__init__(timestamp)
        self.timestamp = timestamp


def _require_str(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >= 2**63 else bits
