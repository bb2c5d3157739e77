"""Where a task begins to read its partitions: what is committed, else the source's reset policy.

Source: Kafka StreamThread.resetOffsets.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pylog import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaException,
    TopicPartition,
)
from pylog.streams.durations import to_ms
from pylog.streams.errors import StreamsError
from pylog.streams.runtime import commit_metadata
from pylog.streams.runtime.assignment import Partition

_TIMEOUT_S = 60.0
_TRIES = 100
_RETRY_S = 0.01


class Committed(NamedTuple):
    """What the group committed of a partition.

    Attributes:
        offset: next to read, None when nothing was committed.
        time_ms: the partition's time, commit_metadata.NO_TIME for none.
        numbers: what processors keep.
    """

    offset: int | None
    time_ms: int
    numbers: dict[str, int]


def committed(consumer: Consumer, partitions: Sequence[Partition]) -> dict[Partition, Committed]:
    """What is committed of partitions, once no transaction that is open can change it.

    Raises:
        StreamsError: it cannot be read.
    """
    result = {}
    for place in _ask(consumer, [TopicPartition(*partition) for partition in partitions]):
        if place.error is not None:
            raise StreamsError(
                f"committed offset of {place.topic} [{place.partition}]: {place.error.str()}"
            )
        time_ms, numbers = commit_metadata.decode(place.metadata)
        offset = place.offset if place.offset >= 0 else None
        result[(place.topic, place.partition)] = Committed(offset, time_ms, numbers)
    return result


def _ask(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    for attempt in range(_TRIES):
        try:
            return consumer.committed(places, timeout=_TIMEOUT_S)
        except KafkaException as error:
            raise StreamsError(f"committed offsets: {error.args[0].str()}") from error
        except UnicodeDecodeError as error:
            # confluent_kafka 2.16 decodes what comes behind the metadata, too: other bytes, later.
            if attempt == _TRIES - 1:
                raise StreamsError(
                    f"committed offsets: their metadata is no text: {error}"
                ) from error
        time.sleep(_RETRY_S)
    return []


def start_offset(
    consumer: Consumer,
    partition: Partition,
    policy_of: Callable[[str], str | None],
    default_policy: str,
) -> int:
    """Where to begin with a partition of which nothing is committed.

    Args:
        consumer: for looking up times.
        partition: which.
        policy_of: the reset policy of a topic's source, None for the default.
        default_policy: `auto.offset.reset`.

    Returns:
        An offset, or OFFSET_BEGINNING or OFFSET_END.

    Raises:
        StreamsError: the policy is "none".
    """
    policy = policy_of(partition[0]) or default_policy
    if policy in ("earliest", "smallest", "beginning"):
        return OFFSET_BEGINNING
    if policy in ("latest", "largest", "end"):
        return OFFSET_END
    if policy in ("none", "error"):
        raise StreamsError(
            f"{partition[0]} [{partition[1]}]: nothing is committed, and auto_offset_reset is "
            f"{policy!r}: set it to earliest or latest, for the source or in auto.offset.reset"
        )
    since_ms = int(time.time() * 1000) - to_ms(policy)
    (found,) = consumer.offsets_for_times([TopicPartition(*partition, since_ms)], _TIMEOUT_S)
    return found.offset
