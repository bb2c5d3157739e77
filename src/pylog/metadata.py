"""What list_topics() answers: the folder as a cluster of one broker."""

from dataclasses import dataclass, field

from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir

BROKER_ID = 0


@dataclass(slots=True)
class BrokerMetadata:
    """The folder, in the place of a broker."""

    id: int
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"


@dataclass(slots=True)
class PartitionMetadata:
    """One partition; the folder leads it."""

    id: int
    leader: int = BROKER_ID
    replicas: list[int] = field(default_factory=lambda: [BROKER_ID])
    isrs: list[int] = field(default_factory=lambda: [BROKER_ID])
    error: KafkaError | None = None

    def __str__(self) -> str:
        return str(self.id)


@dataclass(slots=True)
class TopicMetadata:
    """One topic and its partitions by number; `error` where it is unknown."""

    topic: str
    partitions: dict[int, PartitionMetadata] = field(default_factory=dict)
    error: KafkaError | None = None

    def __str__(self) -> str:
        return self.topic


@dataclass(slots=True)
class ClusterMetadata:
    """The folder's topics by name."""

    cluster_id: str
    controller_id: int = BROKER_ID
    brokers: dict[int, BrokerMetadata] = field(default_factory=dict)
    topics: dict[str, TopicMetadata] = field(default_factory=dict)
    orig_broker_id: int = BROKER_ID
    orig_broker_name: str = ""

    def __str__(self) -> str:
        return self.cluster_id


def describe_cluster(log_dir: LogDir, topic: str | None = None) -> ClusterMetadata:
    """Metadata of all topics, or of one: an unknown topic carries UNKNOWN_TOPIC_OR_PART."""
    cluster = ClusterMetadata(log_dir.cluster_id, orig_broker_name=log_dir.path)
    cluster.brokers[BROKER_ID] = BrokerMetadata(BROKER_ID, log_dir.path, 0)
    names = sorted(log_dir.topics()) if topic is None else [topic]
    for name in names:
        described = TopicMetadata(name)
        try:
            partitions = log_dir.topic(name).partitions
            described.partitions = {
                number: PartitionMetadata(number) for number in range(partitions)
            }
        except KafkaException as error:
            described.error = error.args[0]
        cluster.topics[name] = described
    return cluster
