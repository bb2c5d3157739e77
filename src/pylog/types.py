"""Small types that the clients share: TopicPartition and the logical offsets.

Names, numbers and printing are confluent_kafka's.
"""

import operator

from pylog.errors import KafkaError

OFFSET_BEGINNING = -2
OFFSET_END = -1
OFFSET_STORED = -1000
OFFSET_INVALID = -1001
OFFSET_TAIL_BASE = -2000

TIMESTAMP_NOT_AVAILABLE = 0
TIMESTAMP_CREATE_TIME = 1
TIMESTAMP_LOG_APPEND_TIME = 2

PARTITION_UA = -1
NO_LEADER_EPOCH = -1

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


def OFFSET_TAIL(count: int) -> int:  # noqa: N802 (librdkafka's name)
    """Return the logical offset of the last `count` messages.

    confluent_kafka has no name for it, librdkafka has.

    >>> OFFSET_TAIL(10)
    -2010
    """
    if count < 0:
        raise ValueError(f"count {count} is negative")
    return OFFSET_TAIL_BASE - count


class TopicPartition:
    """A partition of a topic, with a place in it.

    Equal, ordered and hashed by topic and partition alone. `topic`, `metadata`, `error` and
    `leader_epoch` are read-only.

    Args:
        topic: name.
        partition: number, -1 for none.
        offset: absolute, or one of the OFFSET_ constants.
        metadata: text committed with an offset.
        leader_epoch: of the record at offset, None when unknown.

    Attributes:
        error: KafkaError of the operation that returned this, or None.

    >>> TopicPartition("clicks", 2, 40)
    TopicPartition{topic=clicks,partition=2,offset=40,leader_epoch=None,error=None}
    >>> TopicPartition("clicks", 2, 40) == TopicPartition("clicks", 2)
    True
    """

    __slots__ = ("_error", "_leader_epoch", "_metadata", "_offset", "_partition", "_topic")

    def __init__(
        self,
        topic: str,
        partition: int = PARTITION_UA,
        offset: int = OFFSET_INVALID,
        metadata: str | None = None,
        leader_epoch: int | None = None,
    ) -> None:
        if not isinstance(topic, str):
            raise TypeError(f"topic must be a str, not {type(topic).__name__}")
        if metadata is not None and not isinstance(metadata, str):
            raise TypeError(f"metadata must be a str or None, not {type(metadata).__name__}")
        self._topic = topic
        self.partition = partition
        self.offset = offset
        self._metadata = metadata
        epoch = NO_LEADER_EPOCH if leader_epoch is None else _integer(leader_epoch, _INT32)
        self._leader_epoch = epoch
        self._error: KafkaError | None = None

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._topic

    @property
    def partition(self) -> int:
        """Number of the partition, -1 for none."""
        return self._partition

    @partition.setter
    def partition(self, value: int) -> None:
        self._partition = _integer(value, _INT32)

    @property
    def offset(self) -> int:
        """Absolute offset, or one of the OFFSET_ constants."""
        return self._offset

    @offset.setter
    def offset(self, value: int) -> None:
        self._offset = _integer(value, _INT64)

    @property
    def metadata(self) -> str | None:
        """Text committed with the offset."""
        return self._metadata

    @property
    def leader_epoch(self) -> int | None:
        """Leader epoch of the record at offset, None when unknown."""
        return None if self._leader_epoch < 0 else self._leader_epoch

    @property
    def error(self) -> KafkaError | None:
        """What went wrong with this partition, or None."""
        return self._error

    def with_error(self, error: KafkaError | None) -> "TopicPartition":
        """Return a copy with another error: how an operation answers for each partition."""
        copy = TopicPartition(
            self._topic, self._partition, self._offset, self._metadata, self._leader_epoch
        )
        copy._error = error
        return copy

    def __repr__(self) -> str:
        return (
            f"TopicPartition{{topic={self._topic},partition={self._partition},"
            f"offset={self._offset},leader_epoch={self.leader_epoch},error={self._error}}}"
        )

    def __hash__(self) -> int:
        return hash((self._topic, self._partition))

    def _place(self) -> tuple[str, int]:
        return self._topic, self._partition

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TopicPartition):
            return NotImplemented
        return self._place() == other._place()

    def __lt__(self, other: "TopicPartition") -> bool:
        if not isinstance(other, TopicPartition):
            return NotImplemented
        return self._place() < other._place()

    def __le__(self, other: "TopicPartition") -> bool:
        if not isinstance(other, TopicPartition):
            return NotImplemented
        return self._place() <= other._place()

    def __gt__(self, other: "TopicPartition") -> bool:
        if not isinstance(other, TopicPartition):
            return NotImplemented
        return self._place() > other._place()

    def __ge__(self, other: "TopicPartition") -> bool:
        if not isinstance(other, TopicPartition):
            return NotImplemented
        return self._place() >= other._place()


def _integer(value: int, allowed: range) -> int:
    number = operator.index(value)
    if number not in allowed:
        raise OverflowError(f"{number} is outside {allowed.start}..{allowed.stop - 1}")
    return number
