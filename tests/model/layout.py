"""Layout: the topics of a run, the values of its records, and how partitions are named there."""

import struct

from pylog import TopicPartition

EVENTS = "events"
COPIES = "copies"
TOPICS = {EVENTS: 4, COPIES: 3}
# Small segments, so that rolling is part of every run.
TOPIC_CONFIGS = {"internal.segment.bytes": "50000", "index.interval.bytes": "500"}

PARTITIONS = [(topic, number) for topic, count in TOPICS.items() for number in range(count)]
"""A partition's index here is the `key` of a history's entries."""
KEYS = {partition: key for key, partition in enumerate(PARTITIONS)}
EVENT_KEYS = [key for key, (topic, _) in enumerate(PARTITIONS) if topic == EVENTS]
COPY_KEYS = [key for key, (topic, _) in enumerate(PARTITIONS) if topic == COPIES]

_HEAD = struct.Struct("<II")
_FILLING = bytes(range(32, 127)) * 8


def make_value(process: int, number: int) -> bytes:
    """The record that a process sends as its `number`-th; the filling differs as they do."""
    turn = (process * 7919 + number * 31) % 500
    return _HEAD.pack(process, number) + _FILLING[turn % 95 : turn]


def read_value(value: bytes) -> tuple[int, int]:
    """Process and number of a record, which must be byte for byte what was sent."""
    process, number = _HEAD.unpack_from(value)
    assert value == make_value(process, number), f"record {(process, number)} is damaged: {value!r}"
    return process, number


def partition(key: int, offset: int = -1001) -> TopicPartition:
    """What the clients call a partition."""
    topic, number = PARTITIONS[key]
    return TopicPartition(topic, number, offset)
