"""Which partition of a topic a record goes to.

A partitioner is called with (topic, key, value, partition_count) and returns a partition, several
(the record is written to each; none of an empty list: it is dropped), or None to let the key's
bytes decide as the Java client does: murmur2, and any partition where the key is null.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pylog.partitioner import partition_for_key
from pylog.streams.window import Windowed
from pylog.streams.windowed_serde import WindowedSerde

StreamPartitioner = Callable[[str, Any, Any, int], int | Iterable[int] | None]


def default_partition(key: bytes | None, partition_count: int) -> int:
    """Return the partition that a key's bytes decide on; -1 for any.

    >>> default_partition(b"kafka", 100)
    80
    """
    return -1 if key is None else partition_for_key("murmur2", key, partition_count)


def windowed_partitioner(serde: WindowedSerde) -> StreamPartitioner:
    """Return the partitioner of windowed keys: all windows of a key are in its partition.

    Args:
        serde: of the windowed key.
    """

    def partition(topic: str, key: Windowed | None, value: Any, partition_count: int) -> int | None:
        if key is None:
            return None
        return default_partition(serde.serialize_base_key(topic, key), partition_count)

    return partition
