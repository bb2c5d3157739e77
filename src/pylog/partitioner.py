"""Partitioners: from a record's key to its partition.

| name | with a key | null key | empty key |
|---|---|---|---|
| consistent_random (default) | CRC-32 | any | any |
| consistent | CRC-32 | partition 0 | partition 0 |
| murmur2_random | murmur2 | any | hashed |
| murmur2 | murmur2 | hashed as empty | hashed |
| fnv1a_random | FNV-1a | any | hashed |
| fnv1a | FNV-1a | hashed as empty | hashed |
| random | any | any | any |

The names, their default and their results are librdkafka's. murmur2_random is what the Java client
does: choose it where a topic is shared with Java producers. "Any" stays on one partition until its
batch is sent, then moves to a random one.

The hashes are in c/partition_hash.h, inlined into the producer's hot path.

Source: librdkafka CONFIGURATION.md `partitioner`; Kafka BuiltInPartitioner, Utils.murmur2.
"""

PARTITIONERS = {
    "random": 0,
    "consistent": 1,
    "consistent_random": 2,
    "murmur2": 3,
    "murmur2_random": 4,
    "fnv1a": 5,
    "fnv1a_random": 6,
}
DEFAULT_PARTITIONER = "consistent_random"
ANY_PARTITION = -1


def partition_for_key(name: str, key: bytes | None, partition_count: int) -> int:
    """Return the partition that a producer with this partitioner would choose.

    Args:
        name: one of PARTITIONERS.
        key: the record's key, None for null.
        partition_count: partitions of the topic, 1..2^31-1.

    Returns:
        0..partition_count-1, or ANY_PARTITION when the key does not decide.

    Raises:
        ValueError: name is unknown, or partition_count is below 1.

    >>> partition_for_key("murmur2", b"kafka", 100)
    80
    """
    from pylog.accumulator import hash_partition  # the compiled producer: not at import

    if name not in PARTITIONERS:
        raise ValueError(f"partitioner {name!r} is unknown: {', '.join(PARTITIONERS)}")
    if partition_count < 1:
        raise ValueError(f"partition_count {partition_count} is below 1")
    partition: int = hash_partition(PARTITIONERS[name], key, partition_count)
    return partition
