"""Window stores. Cases of Kafka's AbstractWindowBytesStoreTest, in words of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.streams.state.store_task import VARIANTS, StoreTask, of_variant, opened, with_layers

from pylog.streams import serdes
from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.state import stores
from pylog.streams.window import Window, Windowed

SIZE = 3
SEGMENT = 60_000
RETENTION = 2 * SEGMENT
START = SEGMENT - 4  # so that what follows lies in two segments
LAST = 2**63 - 1


@pytest.fixture
def task(tmp_path: Path) -> Iterator[StoreTask]:
    yield from opened(tmp_path)


@pytest.fixture(params=VARIANTS)
def variant(request: Any) -> str:
    return str(request.param)


def make(
    task: StoreTask,
    variant: str,
    *,
    name: str = "windows",
    retention: int = RETENTION,
    size: int = SIZE,
    key_serde: Any = serdes.int,
    retain_duplicates: bool = False,
    is_time_ordered: bool = False,
) -> Any:
    supplier = of_variant(variant, stores.in_memory_window_store, stores.persistent_window_store)(
        name, retention, size, retain_duplicates, is_time_ordered=is_time_ordered
    )
    builder = stores.window_store_builder(supplier, key_serde, serdes.string)
    return task.open(with_layers(variant, builder))


@pytest.fixture(params=[False, True], ids=["by-segment", "by-time"])
def store(request: Any, task: StoreTask, variant: str) -> Any:
    return make(task, variant, is_time_ordered=request.param)


def pair(key: Any, value: str, start: int, size: int = SIZE) -> tuple[Windowed, str]:
    return Windowed(key, Window(start, start + size)), value


ZERO = pair(0, "zero", START)
ONE = pair(1, "one", START + 1)
TWO = pair(2, "two", START + 2)
THREE = pair(3, "three", START + 2)
FOUR = pair(4, "four", START + 4)
FIVE = pair(5, "five", START + 5)
FIRST = [ZERO, ONE, TWO, THREE, FOUR, FIVE]


def put_first(store: Any) -> None:
    for windowed, value in FIRST:
        store.put(windowed.key, value, windowed.window.start_ms)


def put_second(store: Any) -> None:
    for number in range(1, 7):
        store.put(2, f"two+{number}", START + 2 + number)


def values(store: Any, key: Any, first: int, last: int) -> list[str]:
    return [value for _, value in store.fetch(key, first, last)]


@pytest.mark.parametrize(("before", "after"), [(SIZE, SIZE), (SIZE, 0), (0, SIZE)])
def test_fetch_has_the_windows_that_begin_in_its_time(store: Any, before: int, after: int) -> None:
    put_first(store)
    put_second(store)
    twos = {START + 2: "two", **{START + 2 + number: f"two+{number}" for number in range(1, 7)}}
    for middle in range(START - 6, START + 15):
        found = list(store.fetch(2, middle - before, middle + after))
        expected = [item for item in twos.items() if middle - before <= item[0] <= middle + after]
        assert found == expected
        backwards = list(store.backward_fetch(2, middle - before, middle + after))
        assert backwards == expected[::-1]
    assert values(store, 3, START + 3, START + 6) == []
    assert values(store, 6, 0, LAST) == []


def test_fetch_at_has_just_this_window(store: Any) -> None:
    put_first(store)
    put_second(store)
    assert [store.fetch_at(2, START + 2 + number) for number in range(-1, 8)] == [
        *(None, "two", "two+1", "two+2", "two+3", "two+4", "two+5", "two+6", None)
    ]
    assert store.fetch_at(7, START) is None


def test_changelog_has_key_start_and_number(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    task.at(77)
    put_first(store)
    store.flush()
    logged = [(key[:4], key[4:12], key[12:], value, time) for key, value, time, _ in
              task.changelog.records]  # fmt: skip
    assert logged == [
        (
            windowed.key.to_bytes(4, "big"),
            windowed.window.start_ms.to_bytes(8, "big"),
            bytes(4),
            value.encode(),
            77,
        )
        for windowed, value in FIRST
    ]


def test_all_is_in_order(store: Any) -> None:
    for windowed, value in (FOUR, ZERO, TWO, THREE, ONE, FIVE):
        store.put(windowed.key, value, windowed.window.start_ms)
    assert list(store.all()) == FIRST
    assert list(store.backward_all()) == FIRST[::-1]


def test_all_leaves_out_what_was_deleted(store: Any) -> None:
    put_first(store)
    store.put(1, None, START + 1)
    store.put(3, None, START + 2)
    assert list(store.all()) == [ZERO, TWO, FOUR, FIVE]


def test_new_iterator_has_all_after_another_was_closed(store: Any) -> None:
    put_first(store)
    with store.all() as entries:
        assert next(entries) == ZERO
    with pytest.raises(InvalidStateStoreError, match="iterator of store 'windows' is closed"):
        next(entries)
    assert list(store.all()) == FIRST


def test_order_is_by_segment_and_key_or_by_time(task: StoreTask, variant: str) -> None:
    by_segment = make(task, variant)
    by_time = make(task, variant, name="by-time", is_time_ordered=True)
    entries = [pair(1, "a", 10), pair(1, "b", 30), pair(2, "c", 10), pair(2, "d", 20)]
    later = [pair(1, "e", SEGMENT), pair(2, "f", SEGMENT + 1), pair(3, "g", SEGMENT)]
    for windowed, value in entries + later:
        for store in (by_segment, by_time):
            store.put(windowed.key, value, windowed.window.start_ms)
    assert [value for _, value in by_segment.all()] == ["a", "b", "c", "d", "e", "f", "g"]
    assert [value for _, value in by_time.all()] == ["a", "c", "d", "b", "e", "g", "f"]
    assert list(by_segment.backward_all()) == list(by_segment.all())[::-1]
    assert list(by_time.backward_all()) == list(by_time.all())[::-1]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (START + 1, START + 4, [ONE, TWO, THREE, FOUR]),
        (START, START + 3, [ZERO, ONE, TWO, THREE]),
        (START + 1, START + 5, [ONE, TWO, THREE, FOUR, FIVE]),
        (START + 6, LAST, []),
        (START + 1, START, []),
    ],
)
def test_fetch_all(store: Any, first: int, last: int, expected: list[Any]) -> None:
    put_first(store)
    assert list(store.fetch_all(first, last)) == expected
    assert list(store.backward_fetch_all(first, last)) == expected[::-1]


@pytest.mark.parametrize(
    ("from_key", "to_key", "first", "last", "expected"),
    [
        (0, 1, START - SIZE, START + SIZE, [ZERO, ONE]),
        (1, 1, START - SIZE, START + SIZE, [ONE]),
        (1, 3, START - SIZE, START + SIZE, [ONE, TWO, THREE]),
        (0, 5, START - SIZE, START + SIZE, [ZERO, ONE, TWO, THREE]),
        (0, 5, START - SIZE, START + SIZE + 5, FIRST),
        (0, 5, START + 2, START + SIZE + 5, [TWO, THREE, FOUR, FIVE]),
        (4, 5, START + 2, START + SIZE, []),
        (0, 3, START + 3, START + SIZE + 5, []),
        (None, 2, START - SIZE, START + SIZE + 2, [ZERO, ONE, TWO]),
        (2, None, START - SIZE, START + SIZE + 5, [TWO, THREE, FOUR, FIVE]),
        (None, None, START - SIZE, START + SIZE + 5, FIRST),
        (3, 1, 0, LAST, []),
        (-1, 1, 0, LAST, []),  # -1 begins with a higher byte than 1
    ],
)
def test_fetch_range(
    store: Any, from_key: Any, to_key: Any, first: int, last: int, expected: list[Any]
) -> None:
    put_first(store)
    assert list(store.fetch_range(from_key, to_key, first, last)) == expected
    assert list(store.backward_fetch_range(from_key, to_key, first, last)) == expected[::-1]


@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_duplicates_are_kept_in_order(task: StoreTask, variant: str, is_time_ordered: bool) -> None:
    store = make(task, variant, retain_duplicates=True, is_time_ordered=is_time_ordered)
    entries = [(0, "one"), (0, "one"), (0, "one-2"), (30, "two"), (30, "two-2"), (60, "three")]
    for start, value in entries:
        store.put(1, value, start)
    store.put(1, None, 0)
    assert list(store.fetch(1, 0, 30)) == entries[:5]
    assert list(store.backward_fetch(1, 0, 30)) == entries[4::-1]
    assert list(store.all()) == [pair(1, value, start) for start, value in entries]
    assert list(store.backward_all()) == [pair(1, value, start) for start, value in entries[::-1]]
    # A deletion is logged too, with a number of its own, as in Kafka Streams.
    numbers = [int.from_bytes(key[-4:], "big") for key, *_ in task.changelog.records]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]


def test_duplicates_are_not_cached(task: StoreTask) -> None:
    store = make(task, "memory-cached", retain_duplicates=True)
    assert not store.set_flush_listener(print, False)


@pytest.mark.parametrize("retain_duplicates", [False, True])
def test_keys_that_begin_alike_are_told_apart(
    task: StoreTask, variant: str, retain_duplicates: bool
) -> None:
    store = make(task, variant, key_serde=serdes.bytes, retain_duplicates=retain_duplicates)
    keys = [b"\0", b"\0\0", b"\0\0\0", b"\0" * 11, b""]
    for start in (0, 1, 59_999):
        for key in keys:
            store.put(key, f"{len(key)}@{start}", start)
    for key in keys:
        expected = [f"{len(key)}@{start}" for start in (0, 1, 59_999)]
        assert values(store, key, 0, LAST) == expected
        found = [(windowed.key, value) for windowed, value in store.fetch_range(key, key, 0, LAST)]
        assert found == [(key, value) for value in expected]


def test_largest_times(task: StoreTask, variant: str) -> None:
    most = 0x7A00000000000000
    store = make(task, variant, retention=most, size=most, key_serde=serdes.string)
    entries = [("a", "1", 0), ("aa", "2", 0), ("a", "3", 1), ("aa", "4", 1), ("a", "5", most - 1)]
    for key, value, start in entries:
        store.put(key, value, start)
    assert values(store, "a", 0, LAST) == ["1", "3", "5"]
    assert values(store, "aa", 0, LAST) == ["2", "4"]
    ends = [windowed.window.end_ms for windowed, _ in store.fetch_range("a", "a", 0, LAST)]
    assert ends == [most, most + 1, LAST]


def test_update_and_delete(store: Any) -> None:
    store.put(1, "one", 0)
    store.put(1, "one v2", 0)
    assert list(store.fetch(1, 0, 0)) == [(0, "one v2")]
    store.put(1, None, 0)
    assert list(store.fetch(1, 0, 0)) == []
    assert store.fetch_at(1, 0) is None


def test_key_none_is_refused(store: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(None, "v", 0),
        lambda: store.fetch(None, 0, 1),
        lambda: store.fetch_at(None, 0),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="store 'windows': a key cannot be None"):
            call()


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_is_older_than_the_segments_kept_is_dropped_and_counted(
    task: StoreTask, kind: str
) -> None:
    store = make(task, kind)
    store.put(1, "first", 2 * RETENTION)
    store.put(1, "late", 0)
    store.put(1, "in time", RETENTION + 1)
    assert task.expired_count == 1
    assert [value for _, value in store.all()] == ["in time", "first"]


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_is_older_than_the_retention_is_not_seen(task: StoreTask, kind: str) -> None:
    store = make(task, kind)
    ordered = make(task, kind, name="by-time", is_time_ordered=True)
    for each in (store, ordered):
        each.put(1, "old", 1)
        each.put(1, "less old", 2)
        each.put(1, "new", 1 + RETENTION)
    assert [value for _, value in store.all()] == ["less old", "new"]
    assert values(store, 1, 0, LAST) == ["less old", "new"]
    assert store.fetch_at(1, 1) is None
    # A window whose age is just the retention is still seen where results go out at its end.
    assert [value for _, value in ordered.all()] == ["old", "less old", "new"]
    assert ordered.fetch_at(1, 1) == "old"
    store.put(1, "last", 9 * RETENTION)
    assert list(store.fetch(1, 0, 10)) == []


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_old_segments_are_taken_out(task: StoreTask, kind: str, is_time_ordered: bool) -> None:
    store = make(task, kind, is_time_ordered=is_time_ordered)
    for start in range(0, 20 * SEGMENT, SEGMENT // 6):
        store.put(start % 7, "v", start)
        list(store.fetch(start % 7, 0, LAST))
    if kind == "disk":
        store.commit(1)
    assert store.approximate_num_entries() <= 4 * 6
    assert len(list(store.all())) == 12 + is_time_ordered


def test_open_iterator_of_a_key_keeps_what_expires(task: StoreTask) -> None:
    store = make(task, "memory")
    for key, value, start in ((1, "one", 0), (1, "two", 10), (2, "one", 5), (2, "two", 15)):
        store.put(key, value, start)
    ones, twos = store.fetch(1, 0, 50), store.fetch(2, 0, 50)
    entries = store.all()
    store.put(1, "four", 20 * RETENTION)
    assert list(ones) == [(0, "one"), (10, "two")]
    assert list(twos) == [(5, "one"), (15, "two")]
    assert len(list(entries)) == 4
    assert list(store.fetch(1, 0, 50)) == []


def test_peek_next_key(store: Any) -> None:
    store.put(1, "one", 0)
    entries = store.fetch_all(0, 0)
    assert entries.peek_next_key() == entries.peek_next_key() == Windowed(1, Window(0, SIZE))
    assert next(entries)[0] == Windowed(1, Window(0, SIZE))
    assert entries.peek_next_key() is None
    of_key = store.fetch(1, 0, 10)
    assert of_key.peek_next_key() == 0
    assert list(of_key) == [(0, "one")]
    assert of_key.peek_next_key() is None


def test_put_while_an_iterator_is_open(store: Any) -> None:
    store.put(1, "one", 0)
    store.put(1, "two", 30)
    entries = store.all()
    store.put(1, "three", 60)
    store.put(2, "four", 90)
    found = [value for _, value in entries]
    assert found[:2] == ["one", "two"]
    assert [value for _, value in store.all()] == ["one", "two", "three", "four"]


def test_closed_store_refuses_and_ends_its_iterators(store: Any) -> None:
    put_first(store)
    entries = store.fetch(1, 0, LAST)
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: next(entries),
        lambda: store.put(1, "v", 0),
        lambda: store.fetch(1, 0, 1),
        lambda: store.fetch_at(1, 0),
        lambda: store.fetch_range(1, 2, 0, 1),
        store.all,
        store.flush,
        store.approximate_num_entries,
    ]
    for call in calls:
        with pytest.raises(InvalidStateStoreError, match="store 'windows' is closed"):
            call()


def test_position_is_that_of_the_records(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    for offset in (1, 2, 4, 3):
        task.at(0, offset)
        store.put(offset, "v", SEGMENT)
    assert store.position == {"input": {0: 4}}
    store.flush()
    assert store.position == {"input": {0: 4}}


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_restore(task: StoreTask, kind: str, is_time_ordered: bool) -> None:
    logging = make(task, "memory")
    put_first(logging)
    put_second(logging)
    logging.put(5, None, START + 5)
    store = make(task, kind, name="restored", is_time_ordered=is_time_ordered)
    store.restore_batch(task.changelog.records)
    assert sorted(map(str, store.all())) == sorted(map(str, logging.all()))
    assert list(store.fetch(2, 0, LAST)) == list(logging.fetch(2, 0, LAST))


def test_timestamped_values_log_their_own_time(task: StoreTask, variant: str) -> None:
    supplier = of_variant(variant, stores.in_memory_window_store, stores.persistent_window_store)(
        "windows", RETENTION, SIZE
    )
    builder = stores.timestamped_window_store_builder(supplier, serdes.string, serdes.long)
    store = task.open(with_layers(variant, builder))
    store.put("k", ValueAndTimestamp(7, 5), 3)
    store.put("other", None, 3)
    assert store.fetch_at("k", 3) == ValueAndTimestamp(7, 5)
    store.flush()
    assert task.changelog.records[0][1:3] == ((7).to_bytes(8, "big"), 5)
    copy = task.open(
        stores.timestamped_window_store_builder(
            stores.in_memory_window_store("copy", RETENTION, SIZE), serdes.string, serdes.long
        )
    )
    copy.restore_batch(task.changelog.records)
    assert list(copy.all()) == [(Windowed("k", Window(3, 6)), ValueAndTimestamp(7, 5))]
    with pytest.raises(TypeError, match="takes ValueAndTimestamp, not int"):
        store.put("k", 7, 3)


def test_retention_below_the_window_size_is_refused() -> None:
    with pytest.raises(ValueError, match="retention of 9 ms is shorter than a window, 10 ms"):
        stores.in_memory_window_store("windows", 9, 10)
