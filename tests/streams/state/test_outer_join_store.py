"""The store of a left or outer stream join: records that have found nothing so far.

Cases of Kafka Streams' ListValueStoreTest and TimestampedKeyAndJoinSideSerializerTest; bytes from
tests/golden/streams/changelogs.
"""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.streams import serdes
from pylog.streams.collector import RecordCollector
from pylog.streams.config import StreamsConfig
from pylog.streams.errors import InvalidStateStoreError, SerializationError
from pylog.streams.metrics import TaskMetrics
from pylog.streams.node import TaskContext
from pylog.streams.state.outer_join_store import OuterJoinStore
from pylog.streams.state.outer_join_store_builder import outer_join_store_builder

LEFT, RIGHT = True, False


class Changelog(RecordCollector):
    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None, int]] = []

    def send(self, topic, key, value, headers, timestamp_ms, partition):  # type: ignore[no-untyped-def]
        self.records.append((key, value, timestamp_ms))


def _open(is_persistent: bool, state_dir: Path | None, changelog: Changelog) -> OuterJoinStore:
    config = StreamsConfig({"application.id": "app", "log.dir": "unused"})
    task = TaskContext(
        "0_0",
        "app",
        config,
        TaskMetrics(),
        collector=changelog,
        clock=lambda: 0,
        state_dir=state_dir,
    )
    task.set_record("left", 0, 0, 4711, None)
    builder = outer_join_store_builder(
        "store", is_persistent, serdes.string, serdes.string, serdes.long
    )
    store = builder.build()
    store.changelog_topic, store.changelog_partition = "app-store-changelog", 0
    store.init(task)
    return store


@pytest.fixture(params=[False, True], ids=["in memory", "on disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OuterJoinStore]:
    opened = _open(request.param, tmp_path, Changelog())
    yield opened
    opened.close()


def _content(store: OuterJoinStore) -> list[tuple[int, str, str, list[Any]]]:
    return [
        (entry.timestamp, "left" if entry.is_left else "right", entry.key(), entry.values())
        for entry in store.all()
    ]


def test_records_of_one_key_time_and_side_are_one_entry(store: OuterJoinStore) -> None:
    store.add("0", 0, LEFT, "zero")
    store.add("0", 0, LEFT, "zero again")
    store.add("1", 0, LEFT, "one")
    store.add("0", 0, RIGHT, 7)
    assert _content(store) == [
        (0, "right", "0", [7]),
        (0, "left", "0", ["zero", "zero again"]),
        (0, "left", "1", ["one"]),
    ]


def test_entries_are_ordered_by_time_then_side_then_key(store: OuterJoinStore) -> None:
    for key, timestamp, side in (("b", 300, LEFT), ("a", 300, LEFT), ("c", 2, LEFT)):
        store.add(key, timestamp, side, key)
    store.add("z", 300, RIGHT, 1)
    assert [entry[:3] for entry in _content(store)] == [
        (2, "left", "c"),
        (300, "right", "z"),
        (300, "left", "a"),
        (300, "left", "b"),
    ]


def test_what_was_joined_is_discarded_with_all_its_records(store: OuterJoinStore) -> None:
    store.add("1", 5, LEFT, "one")
    store.add("1", 5, LEFT, "one again")
    store.add("1", 6, LEFT, "later")
    store.discard("1", 5, LEFT)
    store.discard("1", 6, RIGHT)
    store.discard("2", 6, LEFT)
    assert _content(store) == [(6, "left", "1", ["later"])]


def test_entries_are_deleted_while_they_are_gone_through(store: OuterJoinStore) -> None:
    for timestamp in range(10):
        store.add("k", timestamp, LEFT, str(timestamp))
    for entry in store.all():
        if entry.timestamp % 2:
            store.delete(entry)
    assert [entry[0] for entry in _content(store)] == [0, 2, 4, 6, 8]


def test_an_entry_can_be_read_after_it_was_deleted(store: OuterJoinStore) -> None:
    store.add("k", 1, LEFT, "first")
    (entry,) = store.all()
    store.delete(entry)
    assert (entry.key(), entry.values()) == ("k", ["first"])


def test_a_key_or_value_that_is_none_is_refused(store: OuterJoinStore) -> None:
    with pytest.raises(TypeError):
        store.add(None, 1, LEFT, "first")
    with pytest.raises(TypeError):
        store.add("k", 1, LEFT, None)


def test_a_closed_store_is_refused(store: OuterJoinStore) -> None:
    store.close()
    with pytest.raises(InvalidStateStoreError):
        store.all()


def test_changelog_is_that_of_kafka_streams() -> None:
    changelog = Changelog()
    store = _open(False, None, changelog)
    timestamp, key = 1_700_000_000_002, b64decode("AAABi8/laAIBQg==")
    store.add("B", timestamp, LEFT, "l0")
    store.add("B", timestamp, LEFT, "l2")
    store.discard("B", timestamp, LEFT)
    store.discard("B", timestamp, LEFT)
    assert changelog.records == [
        (key, b64decode("AQAAAAEAAAADAWww"), 4711),
        (key, b64decode("AQAAAAIAAAADAWwwAAAAAwFsMg=="), 4711),
        (key, None, 4711),
    ]


adds = st.tuples(
    st.sampled_from("ABC"), st.integers(0, 5), st.booleans(), st.integers(-9, 9), st.booleans()
)


@given(st.lists(adds, max_size=40))
def test_a_restored_store_equals_the_one_that_was_lost(
    operations: list[tuple[str, int, bool, int, bool]],
) -> None:
    changelog = Changelog()
    lost = _open(False, None, changelog)
    model: dict[tuple[int, bool, str], list[Any]] = {}
    for key, timestamp, is_left, number, is_added in operations:
        if is_added:
            value = str(number) if is_left else number
            lost.add(key, timestamp, is_left, value)
            model.setdefault((timestamp, is_left, key), []).append(value)
        else:
            lost.discard(key, timestamp, is_left)
            model.pop((timestamp, is_left, key), None)
    restored = _open(False, None, Changelog())
    restored.restore_batch([(*record, None) for record in changelog.records])
    expected = [
        (timestamp, "left" if is_left else "right", key, values)
        for (timestamp, is_left, key), values in sorted(model.items())
    ]
    assert _content(restored) == _content(lost) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x00\x00\x00",
        b"\x00\x00\x00\x00\x01",
        b"\x01\x00\x00\x00\x01\x00\x00\x00\x05\x01a",
    ],
    ids=["nothing", "cut in its head", "no list", "cut in a value"],
)
def test_an_entry_that_does_not_read_is_refused(data: bytes) -> None:
    store = _open(False, None, Changelog())
    store.restore_batch([(b"\x00" * 8 + b"\x01k", data, 0, None)])
    with pytest.raises(SerializationError):
        _content(store)


def test_a_key_that_is_too_short_is_refused() -> None:
    store = _open(False, None, Changelog())
    store.restore_batch([(b"\x00" * 8, b"\x01\x00\x00\x00\x00", 0, None)])
    with pytest.raises(SerializationError):
        _content(store)
