"""The queue of a partition. Scenarios of Kafka's RecordQueueTest."""

import re
from typing import Any

import pytest
from tests.streams.runtime.queues import VALUE, make_context, make_queue, messages

from pylog.streams.error_handlers import LogAndContinue
from pylog.streams.errors import InvalidTimestampError, SerializationError
from pylog.streams.runtime.partition_group import PartitionGroup
from pylog.streams.runtime.record_queue import RecordQueue
from pylog.streams.timestamp_extractors import (
    LogAndSkipOnInvalidTimestamp,
    UsePartitionTimeOnInvalidTimestamp,
)


def group_of(queue: RecordQueue) -> PartitionGroup:
    return PartitionGroup({("topic", 1): queue}, -1)


def test_the_head_is_the_oldest_message_whatever_comes_after() -> None:
    queue = make_queue()
    group = group_of(queue)
    assert (len(queue), queue.head_timestamp) == (0, -1)
    group.add_messages("topic", 1, messages(2, 1, 3))
    assert (len(queue), queue.head_timestamp) == (3, 2)
    for expected, left, head in ((2, 2, 1), (1, 1, 3)):
        _, record = group.next_record() or (None, None)
        assert record is not None
        assert (record.timestamp, len(queue), queue.head_timestamp) == (expected, left, head)
    group.add_messages("topic", 1, messages(4, 1, 2))
    assert (len(queue), queue.head_timestamp) == (4, 3)
    for left, head in ((3, 4), (2, 1), (1, 2), (0, -1)):
        assert group.next_record()
        assert (len(queue), queue.head_timestamp) == (left, head)
    group.add_messages("topic", 1, messages(4, 5, 6))
    assert (len(queue), queue.head_timestamp) == (3, 4)


def test_partition_time_is_the_highest_timestamp_taken() -> None:
    queue = make_queue()
    group = group_of(queue)
    assert queue.partition_time == -1
    group.add_messages("topic", 1, messages(2, 1, 3, 4))
    seen = []
    while group.next_record():
        seen.append(queue.partition_time)
    assert seen == [2, 2, 3, 4]


def test_partition_time_can_be_set_and_moves_on_from_there() -> None:
    queue = make_queue()
    group = group_of(queue)
    queue.set_partition_time(150)
    group.add_messages("topic", 1, messages(200, 100, 300, 400))
    seen = []
    while group.next_record():
        seen.append(queue.partition_time)
    assert seen == [200, 200, 300, 400]


@pytest.mark.parametrize("part", ["key", "value"])
def test_what_cannot_be_decoded_is_an_error_that_says_where(part: str) -> None:
    queue = make_queue()
    bad = messages(4, **{part: b"\0"})
    expected = "source 'source' cannot decode topic 'topic', partition 1, offset 4"
    with pytest.raises(SerializationError, match=re.escape(expected)):
        queue.add_messages(bad)


@pytest.mark.parametrize("part", ["key", "value"])
def test_what_cannot_be_decoded_is_dropped_if_the_handler_says_so(part: str) -> None:
    context = make_context(**{"deserialization.exception.handler": LogAndContinue()})
    queue = make_queue(context=context)
    group = group_of(queue)
    group.add_messages("topic", 1, [*messages(1, 2, **{part: b"\0"}), *messages(3)])
    assert (len(queue), queue.head_timestamp) == (1, 3)
    assert context.metrics.dropped_records() == {"deserialization error": 2}


def test_the_last_of_only_undecodable_messages_stands_for_their_offsets() -> None:
    context = make_context(**{"deserialization.exception.handler": LogAndContinue()})
    queue = make_queue(context=context)
    group = group_of(queue)
    group.add_messages("topic", 1, messages(1, 2, 3, value=b"\0"))
    assert (len(queue), queue.head_timestamp) == (1, -1)
    taken = group.next_record()
    assert taken is not None
    assert taken[1] is None
    assert len(queue) == 0


def test_null_keys_and_values_are_not_decoded() -> None:
    queue = make_queue()
    group = group_of(queue)
    group.add_messages("topic", 1, messages(1, key=None, value=None))
    taken = group.next_record()
    assert taken is not None
    record = taken[1]
    assert record is not None
    assert (record.key, record.value) == (None, None)


def test_a_negative_timestamp_is_an_error() -> None:
    queue = make_queue()
    with pytest.raises(InvalidTimestampError, match="partition 1, offset 0: the timestamp is -1"):
        queue.add_messages(messages(-1))


def test_a_negative_timestamp_is_dropped_by_the_extractor_that_skips() -> None:
    context = make_context()
    queue = make_queue(extractor=LogAndSkipOnInvalidTimestamp(), context=context)
    group = group_of(queue)
    group.add_messages("topic", 1, messages(-1, -2, -1))
    assert context.metrics.dropped_records() == {"invalid timestamp": 3}
    assert len(queue) == 1  # the last one's offset
    assert (group.next_record() or (0, 0))[1] is None
    group.add_messages("topic", 1, messages(-1, 5))
    assert (len(queue), queue.head_timestamp) == (1, 5)


def test_a_negative_timestamp_becomes_the_partitions_time() -> None:
    queue = make_queue(extractor=UsePartitionTimeOnInvalidTimestamp())
    group = group_of(queue)
    group.add_messages("topic", 1, messages(7, -1))
    assert group.next_record()
    assert queue.head_timestamp == 7
    other = make_queue(extractor=UsePartitionTimeOnInvalidTimestamp())
    with pytest.raises(InvalidTimestampError, match="no record of the partition had one yet"):
        other.add_messages(messages(-1))


def test_the_extractor_is_given_the_record_and_the_partitions_time() -> None:
    seen = []

    def extract(record: Any, partition_time: int) -> int:
        seen.append((record.topic, record.partition, record.offset, record.value, partition_time))
        return int(record.timestamp) + 1000

    queue = make_queue(extractor=extract)
    group = group_of(queue)
    group.add_messages("topic", 1, messages(60, 100, 80))
    times = []
    while taken := group.next_record():
        record = taken[1]
        assert record is not None
        times.append(record.timestamp)
    assert times == [1060, 1100, 1080]
    assert seen == [
        ("topic", 1, 60, 10, -1),
        ("topic", 1, 100, 10, 1060),
        ("topic", 1, 80, 10, 1100),
    ]


def test_an_extractor_that_raises_is_named_with_the_record() -> None:
    def extract(record: Any, partition_time: int) -> int:
        raise ZeroDivisionError("by zero")

    queue = make_queue(extractor=extract)
    with pytest.raises(InvalidTimestampError, match="ZeroDivisionError: by zero") as caught:
        queue.add_messages(messages(3))
    for part in ("'source'", "extract (", "test_record_queue.py:", "partition 1, offset 3"):
        assert part in str(caught.value)


class LateExtractor:
    def extract(self, record: Any, partition_time: int) -> int:
        raise ZeroDivisionError("by zero")


def test_an_extractor_of_a_class_that_raises_is_named_too() -> None:
    with pytest.raises(InvalidTimestampError, match=r"LateExtractor\.extract \(.*test_record_q"):
        make_queue(extractor=LateExtractor()).add_messages(messages(3))


@pytest.mark.parametrize("value", [None, 12.5, "7", True, 1 << 63])
def test_what_is_no_timestamp_is_named_with_the_extractor(value: Any) -> None:
    queue = make_queue(extractor=lambda record, partition_time: value)
    with pytest.raises(
        InvalidTimestampError, match=re.escape(f"returned {value!r}, not")
    ) as caught:
        queue.add_messages(messages(3))
    for part in ("'source'", "test_record_queue.py:", "topic 'topic', partition 1, offset 3"):
        assert part in str(caught.value)


def test_many_messages_come_out_in_order_whatever_the_batches() -> None:
    queue = make_queue()
    group = group_of(queue)
    taken: list[int] = []
    for start in range(0, 9000, 90):
        group.add_messages("topic", 1, messages(*range(start, start + 90), value=VALUE))
        for _ in range(60):
            found = group.next_record()
            assert found is not None and found[1] is not None
            taken.append(found[1].timestamp)
    assert taken == list(range(6000))
    assert len(queue) == 3000
