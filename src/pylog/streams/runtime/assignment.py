"""TaskLayout: which partitions make a task, and how members of a group share tasks out.

The group shares out partitions and knows nothing of tasks. So of each subtopology one source topic
leads: the one with the most partitions, the first by name of several. Members subscribe to the
leading topics alone; who is given partition i of one has task i of its subtopology, and reads
partition i of all of its source topics. Kafka Streams brings an assignor of its own, which
librdkafka, below the clients of a cluster, has no place for.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pylog.streams.runtime.task_id import TaskId
from pylog.streams.subtopologies import Subtopology

Partition = tuple[str, int]


class Part(NamedTuple):
    """A subtopology as it is laid out.

    Attributes:
        id: of the subtopology.
        leading_topic: the source topic whose partitions stand for tasks.
        topics: source topics with their partition counts.
    """

    id: int
    leading_topic: str
    topics: tuple[tuple[str, int], ...]

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return max(count for _, count in self.topics)


class TaskLayout:
    """The tasks of an application for the topics as they are now. Immutable; compares equal.

    Args:
        subtopologies: of the topology.
        counts: partition counts of source topics, repartition topics too.
    """

    def __init__(self, subtopologies: Sequence[Subtopology], counts: Mapping[str, int]):
        self.parts: tuple[Part, ...] = tuple(
            _lay_out(subtopology, counts)
            for subtopology in subtopologies
            if any(counts.get(topic) for topic in subtopology.source_topics)
        )
        self._leaders = {part.leading_topic: part for part in self.parts}
        self._by_id = {part.id: part for part in self.parts}
        self._subtopologies = {topic: part.id for part in self.parts for topic, _ in part.topics}

    @property
    def leading_topics(self) -> list[str]:
        """What a member subscribes to."""
        return sorted(self._leaders)

    @property
    def source_topics(self) -> dict[str, int]:
        """Partition counts of all topics that tasks read."""
        return {topic: count for part in self.parts for topic, count in part.topics}

    @property
    def task_counts(self) -> dict[int, int]:
        """Number of tasks of each subtopology."""
        return {part.id: part.task_count for part in self.parts}

    @property
    def task_ids(self) -> list[TaskId]:
        """All tasks of the application."""
        return [TaskId(part.id, number) for part in self.parts for number in range(part.task_count)]

    def task_led_by(self, topic: str, partition: int) -> TaskId | None:
        """The task that a partition of a leading topic stands for; None for other topics."""
        part = self._leaders.get(topic)
        return None if part is None else TaskId(part.id, partition)

    def leader_of(self, task_id: TaskId) -> Partition:
        """The partition that stands for a task."""
        return self._by_id[task_id.subtopology].leading_topic, task_id.partition

    def task_of(self, topic: str, partition: int) -> TaskId | None:
        """The task that reads a partition; None for a topic that no task reads."""
        number = self._subtopologies.get(topic)
        return None if number is None else TaskId(number, partition)

    def partitions_of(self, task_id: TaskId) -> list[Partition]:
        """The partitions that a task reads."""
        part = self._by_id.get(task_id.subtopology)
        if part is None:
            return []
        return [(topic, task_id.partition) for topic, count in part.topics
                if task_id.partition < count]  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskLayout) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def _lay_out(subtopology: Subtopology, counts: Mapping[str, int]) -> Part:
    topics = sorted(topic for topic in subtopology.source_topics if counts.get(topic))
    leading_topic = max(topics, key=lambda topic: counts[topic])  # the first of several
    return Part(subtopology.id, leading_topic, tuple((topic, counts[topic]) for topic in topics))
