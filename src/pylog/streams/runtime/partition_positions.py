"""PartitionPositions: where a thread's consumer stands in its partitions, and how much is left.

A position alone does not tell that a partition is read to its end: markers of transactions and
gaps of compaction come after the last record. The consumer's event at the end of a partition does.
"""

from collections.abc import Iterable

from pylog import Consumer, KafkaException, TopicPartition
from pylog.streams.runtime.assignment import Partition


class PartitionPositions:
    """Positions by (topic, partition).

    Args:
        consumer: of the thread.
    """

    def __init__(self, consumer: Consumer):
        self._consumer = consumer
        self._ends: dict[Partition, int] = {}  # where the end was when it was reached last
        self._next: dict[Partition, int] = {}  # after the last message

    def begin(self, starts: Iterable[TopicPartition]) -> None:
        """Partitions are read from now on."""
        for start in starts:
            self._ends.pop((start.topic, start.partition), None)
            self._next[(start.topic, start.partition)] = start.offset

    def end(self, places: Iterable[Partition]) -> None:
        """Partitions are not read any more."""
        for place in places:
            self._next.pop(place, None)
            self._ends.pop(place, None)

    def clear(self) -> None:
        """Nothing is read."""
        self._next.clear()
        self._ends.clear()

    def note_messages(self, place: Partition, next_offset: int) -> None:
        """Messages came; the next one has `next_offset` or more."""
        self._next[place] = next_offset

    def note_end(self, place: Partition, offset: int) -> None:
        """The end of a partition was reached."""
        if place in self._next:
            self._ends[place] = offset
            self._next[place] = max(offset, self._next[place])

    def has_reached(self, place: Partition, end: int) -> bool:
        """Whether all records before `end` were handed out."""
        return self.position(place) >= end

    def position(self, place: Partition) -> int:
        """The next offset to be handed out, -1 when it is not known."""
        return max(self._next.get(place, -1), self._ends.get(place, -1))

    def lag_of(self, topic: str, partition: int) -> int | None:
        """How many records there are that were not handed out; None when it is not known."""
        place = (topic, partition)
        position = self._next.get(place)
        if position is None:
            return None
        try:
            bounds = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), cached=True
            )
        except KafkaException:
            return None
        if bounds is None or bounds[1] < 0:
            return None
        if position < 0:  # the beginning or the end, not yet found
            return None if bounds[1] > bounds[0] else 0
        return max(0, bounds[1] - position)
