"""What Prometheus is told of a folder: topics, partitions, groups and how far behind they are.

Read from the folder when somebody asks, so that what embedded programs write counts too. In a
folder of more than MAX_OPENED partitions only those are told of that the server has open.

Source: kafka_exporter's README; the JMX exporter's kafka-2_0_0.yml.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logcore.errors import LogError
from logcore.log import Log
from pylog.errors import KafkaException
from pylog.group.standing import find_standing, known_groups
from pylog.log_dir import TopicMetadata
from pylog.server.metrics import Text

if TYPE_CHECKING:
    from pylog.server.broker import Broker

MAX_OPENED = 1000


@dataclass(frozen=True, slots=True)
class _Partition:
    topic: str
    number: int
    leader: int
    replicas: int
    start_offset: int
    end_offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    members: int
    offsets: dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """What a folder holds, as of one moment."""

    node_count: int
    topics: dict[str, int]
    partitions: list[_Partition]
    groups: list[_Group]

    def write(self, text: Text) -> None:
        """Write all of it."""
        self._write_nodes(text)
        self._write_topics(text)
        self._write_partitions(text)
        self._write_groups(text)

    def _write_nodes(self, text: Text) -> None:
        total = sum(self.topics.values())
        single = text.single
        single("kafka_brokers", "gauge", "Nodes that the server plays.", self.node_count)
        single("kafka_controller_kafkacontroller_activecontrollercount", "gauge", "Always 1.", 1)
        single(
            "kafka_controller_kafkacontroller_globaltopiccount", "gauge", "Topics.",
            len(self.topics),
        )  # fmt: skip
        name = "kafka_controller_kafkacontroller_globalpartitioncount"
        single(name, "gauge", "Partitions.", total)
        single("kafka_server_replicamanager_partitioncount", "gauge", "Partitions.", total)
        single("kafka_server_replicamanager_leadercount", "gauge", "The same.", total)
        name = "kafka_server_replicamanager_underreplicatedpartitions"
        single(name, "gauge", "Always 0.", 0)

    def _write_topics(self, text: Text) -> None:
        name = "kafka_topic_partitions"
        text.family(name, "gauge", "Partitions of a topic.")
        for topic, count in self.topics.items():
            text.sample(name, count, topic=topic)
        name = "kafka_server_brokertopicmetrics_messagesin_total"
        text.family(name, "counter", "Offsets that a topic has given away, whoever wrote.")
        sums: dict[str, int] = {}
        for row in self.partitions:
            sums[row.topic] = sums.get(row.topic, 0) + row.end_offset
        for topic, count in sums.items():
            text.sample(name, count, topic=topic)

    def _write_partitions(self, text: Text) -> None:
        rows: dict[str, tuple[str, Callable[[_Partition], int]]] = {
            "kafka_topic_partition_current_offset": (
                "The next offset.",
                lambda row: row.end_offset,
            ),
            "kafka_topic_partition_oldest_offset": ("The first one.", lambda row: row.start_offset),
            "kafka_topic_partition_leader": ("The node that leads.", lambda row: row.leader),
            "kafka_topic_partition_leader_is_preferred": ("Always 1.", lambda row: 1),
            "kafka_topic_partition_replicas": ("As clients are told.", lambda row: row.replicas),
            "kafka_topic_partition_in_sync_replica": ("The same.", lambda row: row.replicas),
            "kafka_topic_partition_under_replicated_partition": ("Always 0.", lambda row: 0),
            "kafka_log_log_size": ("Bytes.", lambda row: row.size_bytes),
            "kafka_log_log_logstartoffset": ("The first offset.", lambda row: row.start_offset),
            "kafka_log_log_logendoffset": ("The next offset.", lambda row: row.end_offset),
        }
        for name, (about, value) in rows.items():
            text.family(name, "gauge", about)
            for row in self.partitions:
                text.sample(name, value(row), topic=row.topic, partition=row.number)

    def _write_groups(self, text: Text) -> None:
        name = "kafka_consumergroup_members"
        text.family(name, "gauge", "Members that live.")
        for group in self.groups:
            text.sample(name, group.members, consumergroup=group.name)
        ends = {(row.topic, row.number): row.end_offset for row in self.partitions}
        rows = [
            (group.name, topic, number, offset, max(0, ends.get((topic, number), offset) - offset))
            for group in self.groups
            for (topic, number), offset in sorted(group.offsets.items())
        ]
        _write_by_group(
            text,
            "kafka_consumergroup_current_offset",
            "How far a group is",
            [row[:4] for row in rows],
        )
        lags = [(*row[:3], row[4]) for row in rows]
        _write_by_group(text, "kafka_consumergroup_lag", "How far a group is behind", lags)


def _write_by_group(
    text: Text, name: str, about: str, rows: Iterable[tuple[str, str, int, int]]
) -> None:
    """Write values of groups, topics and partitions, and their sums by topic."""
    sums: dict[tuple[str, str], int] = {}
    text.family(name, "gauge", f"{about}.")
    for group, topic, number, value in rows:
        text.sample(name, value, consumergroup=group, topic=topic, partition=number)
        sums[group, topic] = sums.get((group, topic), 0) + value
    text.family(f"{name}_sum", "gauge", f"{about}, over all partitions.")
    for (group, topic), value in sums.items():
        text.sample(f"{name}_sum", value, consumergroup=group, topic=topic)


def read_folder(broker: "Broker", topics: Sequence[TopicMetadata]) -> FolderFigures:
    """Look at all of the folder. Runs in a thread of its own: it waits for the disk.

    Args:
        broker: whose folder it is.
        topics: that it has.
    """
    partitions = [
        _Partition(
            topic.name,
            number,
            broker.leader_of(topic.name, number),
            len(broker.replicas_of(topic, number)),
            log.log_start_offset,
            log.log_end_offset,
            log.size_bytes,
        )
        for topic, number, log in _logs(broker, topics)
    ]
    counts = {topic.name: topic.partitions for topic in topics}
    return FolderFigures(len(broker.node_ids), counts, partitions, list(_groups(broker)))


def _logs(
    broker: "Broker", topics: Sequence[TopicMetadata]
) -> Iterable[tuple[TopicMetadata, int, Log]]:
    opens = sum(topic.partitions for topic in topics) <= MAX_OPENED
    for topic in topics:
        for number in range(topic.partitions):
            try:
                log = (
                    broker.log_dir.partition(topic.name, number)
                    if opens
                    else broker.log_dir.known_log(topic.name, number)
                )
            except (KafkaException, LogError):
                continue  # deleted meanwhile, or damaged: others say so
            if log is not None:
                yield topic, number, log


def _groups(broker: "Broker") -> Iterable[_Group]:
    for name in known_groups(broker.log_dir):
        try:
            standing = find_standing(broker.log_dir, name)
            offsets = broker.offsets.committed(name)
        except (KafkaException, LogError):
            continue
        members = 0 if standing is None else len(standing.members)
        yield _Group(name, members, {key: value.offset for key, value in offsets.items()})
