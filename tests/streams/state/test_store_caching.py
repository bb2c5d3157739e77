"""The caching layer. Cases of Kafka's caching store and ThreadCache tests, in words of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.streams.state.store_task import StoreTask, of_variant, opened

from pylog.streams import serdes
from pylog.streams.record import Change, Record, ValueAndTimestamp
from pylog.streams.state import stores
from pylog.streams.window import SessionWindow, Window, Windowed

# What Kafka counts besides key and value: pointers, a flag, and the record with topic "input".
OVERHEAD = 24 + 1 + 8 + 8 + 4 + len("input")


@pytest.fixture
def task(tmp_path: Path) -> Iterator[StoreTask]:
    yield from opened(tmp_path)


@pytest.fixture(params=["memory", "disk"])
def kind(request: Any) -> str:
    return str(request.param)


def values(task: StoreTask, kind: str = "memory", name: str = "values") -> Any:
    make = of_variant(kind, stores.in_memory_key_value_store, stores.persistent_key_value_store)
    builder = stores.key_value_store_builder(make(name), serdes.string, serdes.string)
    return task.open(builder.with_caching_enabled())


def windows(task: StoreTask, kind: str = "memory") -> Any:
    make = of_variant(kind, stores.in_memory_window_store, stores.persistent_window_store)
    builder = stores.window_store_builder(make("windows", "1h", 10), serdes.string, serdes.string)
    return task.open(builder.with_caching_enabled())


def sessions(task: StoreTask, kind: str = "memory") -> Any:
    make = of_variant(kind, stores.in_memory_session_store, stores.persistent_session_store)
    builder = stores.session_store_builder(make("sessions", "1h"), serdes.string, serdes.string)
    return task.open(builder.with_caching_enabled())


def heard(store: Any, *, send_old_values: bool = True) -> list[Record]:
    records: list[Record] = []
    assert store.set_flush_listener(records.append, send_old_values)
    return records


def logged(task: StoreTask) -> list[bytes]:
    return [key for key, *_ in task.changelog.records]


def test_store_without_cache_has_no_listener(task: StoreTask) -> None:
    supplier = stores.in_memory_key_value_store("plain")
    store = task.open(stores.key_value_store_builder(supplier, serdes.string, serdes.string))
    assert not store.set_flush_listener(print, False)
    assert not store.flushes_on_commit
    assert values(task).flushes_on_commit


def test_updates_of_a_key_are_merged_until_flush(task: StoreTask, kind: str) -> None:
    store = values(task, kind)
    records = heard(store)
    task.at(5, headers=[("h", b"1")])
    store.put("a", "1")
    store.put("b", "1")
    task.at(7, offset=3)
    store.put("a", "2")
    assert store.get("a") == "2"
    assert (task.changelog.records, records) == ([], [])
    store.flush()
    assert records == [
        Record("b", Change("1", None), 5, [("h", b"1")]),
        Record("a", Change("2", None), 7),
    ]
    assert task.changelog.records == [(b"b", b"1", 5, None), (b"a", b"2", 7, None)]
    store.flush()
    assert len(records) == 2


def test_listener_is_told_the_old_value_of_the_last_flush(task: StoreTask, kind: str) -> None:
    store = values(task, kind)
    records = heard(store)
    for batch in (("1",), ("2", "3"), (None,), ("4",)):
        for value in batch:
            store.put("a", value)
        store.flush()
    changes = [(record.value.new_value, record.value.old_value) for record in records]
    assert changes == [("1", None), ("3", "1"), (None, "3"), ("4", None)]


def test_old_values_are_left_out_when_nobody_wants_them(task: StoreTask, kind: str) -> None:
    store = values(task, kind)
    records = heard(store, send_old_values=False)
    for value in ("1", "2", None):
        store.put("a", value)
        store.flush()
    assert [record.value for record in records] == [
        Change("1", None),
        Change("2", None),
        Change(None, None),
    ]


def test_what_came_and_went_is_not_passed_on(task: StoreTask, kind: str) -> None:
    store = values(task, kind)
    records = heard(store)
    store.put("a", "1")
    store.delete("a")
    store.delete("never")
    store.flush()
    assert (records, task.changelog.records) == ([], [])
    # Without a listener nobody looks whether the key was there.
    quiet = values(task, kind, "quiet")
    quiet.put("a", "1")
    quiet.delete("a")
    quiet.flush()
    assert task.changelog.records == [(b"a", None, 0, None)]


def test_listener_sees_the_record_of_the_entry(task: StoreTask) -> None:
    store = values(task)
    seen: list[Any] = []
    context = task.context
    store.set_flush_listener(
        lambda record: seen.append((context.topic, context.offset, context.record_timestamp)),
        False,
    )
    task.at(5, offset=3)
    store.put("a", "1")
    context.set_record("other", 2, 9, 8, None)
    store.flush()
    assert seen == [("input", 3, 5)]
    assert (context.topic, context.partition, context.offset) == ("other", 2, 9)
    assert context.record_timestamp == 8


def test_record_comes_back_when_the_listener_raises(task: StoreTask) -> None:
    store = values(task)

    def fail(record: Record) -> None:
        raise ValueError("no")

    store.set_flush_listener(fail, False)
    task.at(5, offset=3)
    store.put("a", "1")
    task.at(6, offset=4)
    with pytest.raises(ValueError, match="no"):
        store.flush()
    assert task.context.offset == 4


def test_window_listener_gets_windowed_keys(task: StoreTask, kind: str) -> None:
    store = windows(task, kind)
    records = heard(store)
    store.put("a", "1", 0)
    store.put("a", "2", 20)
    store.flush()
    store.put("a", None, 0)
    store.put("a", "3", 20)
    store.flush()
    assert [(record.key, record.value) for record in records] == [
        (Windowed("a", Window(0, 10)), Change("1", None)),
        (Windowed("a", Window(20, 30)), Change("2", None)),
        (Windowed("a", Window(0, 10)), Change(None, "1")),
        (Windowed("a", Window(20, 30)), Change("3", "2")),
    ]


def test_session_listener_gets_windowed_keys(task: StoreTask, kind: str) -> None:
    store = sessions(task, kind)
    records = heard(store)
    first, merged = (Windowed("a", SessionWindow(0, end)) for end in (5, 9))
    store.put(first, "1")
    store.flush()
    store.remove(first)
    store.put(merged, "2")
    store.flush()
    assert [(record.key, record.value) for record in records] == [
        (first, Change("1", None)),
        (first, Change(None, "1")),
        (merged, Change("2", None)),
    ]


def test_timestamped_listener_gets_pairs(task: StoreTask) -> None:
    supplier = stores.in_memory_key_value_store("values")
    builder = stores.timestamped_key_value_store_builder(supplier, serdes.string, serdes.string)
    store = task.open(builder.with_caching_enabled())
    records = heard(store)
    store.put("a", ValueAndTimestamp("1", 9))
    store.flush()
    assert records == [Record("a", Change(ValueAndTimestamp("1", 9), None), 0)]


def test_ranges_merge_cache_and_store(task: StoreTask, kind: str) -> None:
    store = values(task, kind)
    for key in "aceg":
        store.put(key, "stored")
    store.flush()
    for key in "bdf":
        store.put(key, "cached")
    store.put("c", "both")
    store.delete("e")
    store.delete("x")
    expected = [("a", "stored"), ("b", "cached"), ("c", "both"), ("d", "cached")]
    expected += [("f", "cached"), ("g", "stored")]
    assert list(store.all()) == expected
    assert list(store.reverse_all()) == expected[::-1]
    assert list(store.range("b", "f")) == expected[1:5]
    assert list(store.reverse_range("b", "f")) == expected[4:0:-1]


def test_windows_merge_cache_and_store(task: StoreTask, kind: str) -> None:
    store = windows(task, kind)
    for start in (0, 20, 40):
        for key in "ab":
            store.put(key, f"stored {start}", start)
    store.flush()
    for start in (10, 20, 30):
        store.put("a", f"cached {start}", start)
    store.put("a", None, 40)
    expected = [(0, "stored 0"), (10, "cached 10"), (20, "cached 20"), (30, "cached 30")]
    assert list(store.fetch("a", 0, 99)) == expected
    assert list(store.backward_fetch("a", 5, 25)) == expected[2:0:-1]
    entries = [(Windowed("a", Window(start, start + 10)), value) for start, value in expected]
    entries += [(Windowed("b", Window(at, at + 10)), f"stored {at}") for at in (0, 20, 40)]
    assert list(store.all()) == entries
    assert list(store.backward_all()) == entries[::-1]
    assert list(store.fetch_range("a", "a", 10, 20)) == entries[1:3]


def test_sessions_merge_cache_and_store(task: StoreTask, kind: str) -> None:
    store = sessions(task, kind)
    for start in (0, 20, 40):
        store.put(Windowed("a", SessionWindow(start, start + 5)), "stored")
    store.flush()
    for start in (10, 20):
        store.put(Windowed("a", SessionWindow(start, start + 5)), "cached")
    store.remove(Windowed("a", SessionWindow(40, 45)))
    expected = [(0, "stored"), (10, "cached"), (20, "cached")]
    found = [(windowed.window.start_ms, value) for windowed, value in store.fetch("a")]
    assert found == expected
    found = [(windowed.window.start_ms, value) for windowed, value in store.backward_fetch("a")]
    assert found == expected[::-1]
    by_end = store.find_sessions_by_end(5, 20)
    assert [windowed.window.start_ms for windowed, _ in by_end] == [0, 10]


def test_size_is_counted_as_kafka_counts_it(task: StoreTask) -> None:
    store = values(task)
    store.put("key", "value")
    assert task.cache.size_bytes == len("keyvalue") + OVERHEAD
    store.put("key", "v")
    assert task.cache.size_bytes == len("keyv") + OVERHEAD
    task.at(0, headers=[("name", b"12"), ("n", None)])
    store.put("key", "v")
    assert task.cache.size_bytes == len("keyv") + OVERHEAD + len("name12n")
    store.put("key", None)
    assert task.cache.size_bytes == len("key") + OVERHEAD + len("name12n")
    store.flush()
    assert task.cache.size_bytes == 0  # a deletion that was written through is forgotten
    store.put("key", "v")
    store.close()
    assert task.cache.size_bytes == 0


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    task = StoreTask(tmp_path, cache_bytes=3 * (OVERHEAD + 2))
    store = values(task)
    records = heard(store)
    for key in "abc":
        store.put(key, "1")
    store.get("a")
    store.flush()
    records.clear()
    store.put("b", "2")
    store.put("c", "2")  # now a is the oldest, and clean
    store.put("d", "2")
    assert records == []
    assert task.cache.eviction_count == 1
    store.put("e", "2")
    # b was evicted, and everything that was dirty went through with it.
    assert [record.key for record in records] == ["b", "c", "d", "e"]
    assert [record.value.old_value for record in records] == ["1", "1", None, None]
    assert store.get("a") == "1"
    task.close()


def test_entry_larger_than_the_cache_goes_through_at_once(tmp_path: Path) -> None:
    task = StoreTask(tmp_path, cache_bytes=100)
    store = values(task)
    store.put("a", "x" * 100)
    assert logged(task) == [b"a"]
    assert store.get("a") == "x" * 100
    assert task.cache.size_bytes == 0
    task.close()


@pytest.mark.parametrize("make", [values, windows, sessions])
def test_cache_without_room_writes_through_at_once(tmp_path: Path, make: Any) -> None:
    for cache_bytes in (0, None):
        task = StoreTask(tmp_path, cache_bytes=0)
        if cache_bytes is None:
            task.context.cache = None
        store = make(task)
        records = heard(store)
        arguments: tuple[Any, ...] = ("a", "1")
        if make is windows:
            arguments = ("a", "1", 0)
        elif make is sessions:
            arguments = (Windowed("a", SessionWindow(0, 0)), "1")
        store.put(*arguments)
        store.put(*arguments)
        assert len(task.changelog.records) == 2
        assert [record.value for record in records] == [Change("1", None), Change("1", "1")]
        assert len(list(store.all())) == 1
        task.close()


def test_stores_share_the_room(tmp_path: Path) -> None:
    task = StoreTask(tmp_path, cache_bytes=4 * (OVERHEAD + 2))
    first, second = values(task, name="first"), values(task, name="second")
    for key in "abc":
        first.put(key, "1")
    second.put("d", "1")
    assert logged(task) == []
    # Room is made in the cache that is put into.
    second.put("e", "1")
    assert logged(task) == [b"d", b"e"]
    task.close()


def test_resize_takes_from_all_caches(task: StoreTask) -> None:
    first, second = values(task, name="first"), values(task, name="second")
    for key in "abcd":
        first.put(key, "1")
        second.put(key, "1")
    assert len(task.cache) == 8
    task.cache.resize(4 * (OVERHEAD + 2))
    assert len(task.cache) == 4
    assert sorted(logged(task)) == sorted([b"a", b"b", b"c", b"d"] * 2)
    assert first.get("a") == second.get("a") == "1"


def test_listener_may_put_into_the_same_store(task: StoreTask) -> None:
    store = values(task)
    puts: list[str] = []

    def echo(record: Record) -> None:
        puts.append(record.key)
        if len(record.key) < 4:
            store.put(record.key + "x", "echo")

    store.set_flush_listener(echo, False)
    store.put("a", "1")
    store.put("b", "1")
    for _ in range(4):
        store.flush()
    assert puts == ["a", "b", "ax", "bx", "axx", "bxx", "axxx", "bxxx"]
    assert store.get("bxxx") == "echo"
    assert store.approximate_num_entries() == 8


def test_key_that_is_put_again_while_its_deletion_goes_through_stays(task: StoreTask) -> None:
    store = values(task)
    store.put("a", "1")
    store.flush()
    store.set_flush_listener(
        lambda record: store.put("a", "2") if record.value.new_value is None else None, False
    )
    store.delete("a")
    store.flush()
    assert store.get("a") == "2"
    store.flush()
    assert task.changelog.records[-1] == (b"a", b"2", 0, None)


def test_evicting_listener_downstream_fills_another_cache(tmp_path: Path) -> None:
    task = StoreTask(tmp_path, cache_bytes=2 * (OVERHEAD + 2))
    upstream, downstream = values(task, name="upstream"), values(task, name="downstream")
    upstream.set_flush_listener(lambda record: downstream.put(record.key, "2"), False)
    for number in range(50):
        upstream.put(chr(97 + number % 26), "1")
    upstream.flush()
    downstream.flush()
    assert {downstream.get(chr(97 + number)) for number in range(26)} == {"2"}
    task.close()


def test_many_keys_in_a_small_cache(tmp_path: Path) -> None:
    task = StoreTask(tmp_path, cache_bytes=1000)
    store = values(task)
    expected = {}
    for number in range(5000):
        key = str(number * number % 97)
        expected[key] = str(number)
        store.put(key, str(number))
        if number % 7 == 0:
            gone = str(number % 97)
            expected.pop(gone, None)
            store.delete(gone)
        assert task.cache.size_bytes <= 1000
    assert dict(store.all()) == expected
    store.flush()
    assert dict(store.all()) == expected
    task.close()
