"""The buffer of a stream-table join with grace.

Cases of Kafka Streams' RocksDBTimeOrderedKeyValueBufferTest, and of its changelog.
"""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.streams import serdes
from pylog.streams.collector import RecordCollector
from pylog.streams.config import StreamsConfig
from pylog.streams.errors import SerializationError
from pylog.streams.metrics import TaskMetrics
from pylog.streams.node import TaskContext
from pylog.streams.record import Record
from pylog.streams.state.join_grace_buffer import JoinGraceBuffer, join_grace_buffer_builder


class Changelog(RecordCollector):
    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []

    def send(self, topic, key, value, headers, timestamp_ms, partition):  # type: ignore[no-untyped-def]
        assert (topic, partition) == ("app-buffer-changelog", 3)
        self.records.append((key, value))


class Setting:
    """A buffer, what leaves it and what it writes."""

    def __init__(self, grace_ms: int, is_logged: bool = True):
        self.changelog = Changelog()
        config = StreamsConfig({"application.id": "app", "log.dir": "unused"})
        self.task = TaskContext(
            "0_3", "app", config, TaskMetrics(), collector=self.changelog, clock=lambda: 0
        )
        builder = join_grace_buffer_builder("buffer", grace_ms, serdes.string, serdes.string)
        self.buffer: JoinGraceBuffer = builder.build()
        self.buffer.changelog_topic = "app-buffer-changelog" if is_logged else None
        self.buffer.changelog_partition = 3
        self.buffer.init(self.task)
        self.offset = 0

    def put(self, key: str, value: str, timestamp: int, headers: Any = None) -> bool:
        self.task.set_record("testing", 3, self.offset, timestamp, headers)
        self.offset += 1
        return self.buffer.put(Record(key, value, timestamp, headers))

    def evict(self) -> list[tuple[str, str, int]]:
        evicted = []
        self.buffer.evict(
            lambda record, topic, partition, offset: evicted.append(
                (record.key, record.value, record.timestamp)
            )
        )
        return evicted

    @property
    def size(self) -> tuple[int, int]:
        return len(self.buffer), self.buffer.memory_bytes


def test_says_whether_a_record_is_held() -> None:
    setting = Setting(1)
    assert setting.put("K", "V", 2)
    assert not setting.put("K", "V", 0)


def test_counts_records_and_what_kafka_streams_reckons_for_them() -> None:
    setting = Setting(60_000)
    assert setting.size == (0, 0)
    setting.put("1", "0", 0)
    assert setting.size == (1, 42)
    setting.put("3", "0", 2)
    assert setting.size == (2, 84)


def test_without_grace_a_record_leaves_at_once() -> None:
    setting = Setting(0)
    setting.put("1", "0", 0)
    assert setting.evict() == [("1", "0", 0)]
    assert setting.size == (0, 0)
    setting.put("2", "0", 1)
    assert setting.size == (1, 42)
    assert setting.evict() == [("2", "0", 1)]


def test_a_record_leaves_when_time_has_passed_it_by_the_grace_period() -> None:
    setting = Setting(1)
    setting.put("1", "0", 0)
    assert setting.evict() == []
    setting.put("2", "0", 1)
    assert setting.evict() == [("1", "0", 0)]
    assert setting.size == (1, 42)


def test_several_records_leave_at_once_earliest_first() -> None:
    setting = Setting(0)
    setting.put("2", "0", 0)
    setting.put("1", "0", 1)
    setting.put("0", "0", 1)
    assert setting.evict() == [("2", "0", 0), ("0", "0", 1), ("1", "0", 1)]


def test_a_late_record_is_not_held() -> None:
    setting = Setting(1)
    assert setting.put("1", "0", 2)
    assert setting.put("2", "0", 1)
    assert not setting.put("3", "0", 0)
    assert setting.size == (2, 84)


def test_records_of_one_key_and_time_are_all_held_in_order() -> None:
    setting = Setting(1)
    setting.put("2", "0", 0)
    setting.put("2", "2", 0)
    setting.put("1", "0", 7)
    assert setting.evict() == [("2", "0", 0), ("2", "2", 0)]
    assert setting.size == (1, 42)


def test_a_record_leaves_with_its_headers_and_says_where_it_came_from() -> None:
    setting = Setting(0)
    setting.put("1", "0", 5, [("trace", b"t")])
    origins = []
    setting.buffer.evict(
        lambda record, topic, partition, offset: origins.append(
            (record.headers, topic, partition, offset)
        )
    )
    assert origins == [([("trace", b"t")], "testing", 3, 0)]


def test_changelog_is_that_of_kafka_streams() -> None:
    key = b64decode("AAAAAYvP5WgeQwAAAAE=")
    value = b64decode(
        "AAABi8/laB4AAAAAAAAAAAAAAARsZWZ0AAAAAAAAAAIAAAAFdHJhY2UAAAACdDEAAAAAAAAAAP//////////"
        "AAAAAmwxAAAAAAAAAAA="
    )
    setting = Setting(10)
    start = 1_700_000_000_000
    setting.task.set_record("left", 0, 0, start + 30, None)
    setting.buffer.put(Record("C", "l1", start + 30, [("trace", b"t1"), ("", b"")]))
    assert setting.changelog.records == [(key, value)]
    setting.put("C", "l2", start + 40)
    setting.evict()
    assert setting.changelog.records[2:] == [(key, None)]


def test_without_changelog_nothing_is_written() -> None:
    setting = Setting(0, is_logged=False)
    setting.put("1", "0", 0)
    setting.evict()
    assert setting.changelog.records == []


puts = st.tuples(st.sampled_from("ABC"), st.text(max_size=3), st.integers(0, 30))


@given(st.lists(puts, max_size=30), st.lists(puts, max_size=10))
def test_a_restored_buffer_goes_on_as_the_one_that_was_lost(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    lost = Setting(7)
    for put in before:
        lost.put(*put)
        lost.evict()
    restored = Setting(7)
    restored.buffer.restore_batch([(key, value, 0, None) for key, value in lost.changelog.records])
    assert restored.size == lost.size
    for put in after:
        assert restored.put(*put) == lost.put(*put)
        assert restored.evict() == lost.evict()


def test_a_changelog_record_that_does_not_read_is_refused() -> None:
    setting = Setting(0)
    with pytest.raises(SerializationError):
        setting.buffer.restore_batch([(b"\x00" * 14, b"no buffer value", 0, None)])
