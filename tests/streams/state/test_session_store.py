"""Session stores. Cases of Kafka's AbstractSessionBytesStoreTest, in words of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.streams.state.store_task import VARIANTS, StoreTask, of_variant, opened, with_layers

from pylog.streams import serdes
from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.state import stores
from pylog.streams.window import SessionWindow, Windowed

SEGMENT = 60_000
RETENTION = 10_000
LAST = 2**63 - 1

Entry = tuple[Windowed, Any]


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
    name: str = "sessions",
    retention: int = RETENTION,
    key_serde: Any = serdes.string,
    is_time_ordered: bool = False,
) -> Any:
    make = of_variant(variant, stores.in_memory_session_store, stores.persistent_session_store)
    supplier = make(name, retention, is_time_ordered=is_time_ordered)
    builder = stores.session_store_builder(supplier, key_serde, serdes.long)
    return task.open(with_layers(variant, builder))


@pytest.fixture(params=[False, True], ids=["by-segment", "by-time"])
def store(request: Any, task: StoreTask, variant: str) -> Any:
    return make(task, variant, is_time_ordered=request.param)


def session(key: Any, start: int, end: int) -> Windowed:
    return Windowed(key, SessionWindow(start, end))


def put(store: Any, *entries: tuple[Any, int, int, int]) -> list[Entry]:
    """Put (key, start, end, aggregate), and return the entries."""
    made = [(session(key, start, end), aggregate) for key, start, end, aggregate in entries]
    for windowed, aggregate in made:
        store.put(windowed, aggregate)
    return made


def test_find_sessions_of_a_key_in_a_time(store: Any) -> None:
    entries = put(
        store, ("a", 10, 10, 1), ("a", 500, 1000, 2), ("a", 1500, 2000, 1), ("a", 2500, 3000, 2)
    )
    assert list(store.find_sessions("a", 0, 1000)) == entries[:2]
    assert list(store.find_sessions("a", 400, 600)) == entries[1:2]
    assert list(store.backward_find_sessions("a", 0, 1000)) == entries[1::-1]
    assert list(store.backward_find_sessions("a", 400, 600)) == entries[1:2]
    assert list(store.find_sessions("a", -1, 1000)) == entries[:2]


def test_fetch_has_all_sessions_of_a_key(store: Any) -> None:
    entries = put(store, ("a", 0, 0, 1), ("a", 10, 10, 2), ("a", 100, 100, 3), ("a", 1000, 1000, 4))
    put(store, ("aa", 0, 0, 5))
    assert list(store.fetch("a")) == entries
    assert list(store.backward_fetch("a")) == entries[::-1]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, 0, "a"), (0, 20, "ab"), (0, 19, "a"), (1, 20, "b"), (19, 41, "bc"), (0, 40, "abc")],
)
def test_find_sessions_by_their_ends(store: Any, first: int, last: int, expected: str) -> None:
    put(store, ("c", 30, 40, 20), ("a", 0, 0, 5), ("b", 10, 20, 10))
    found = store.find_sessions_by_end(first, last)
    assert "".join(windowed.key for windowed, _ in found) == expected


def test_ends_come_in_order_then_starts_then_keys(store: Any) -> None:
    put(store, ("z", 5, 9, 1), ("b", 3, 9, 2), ("a", 3, 9, 3), ("c", 0, 8, 4), ("c", 0, 5_000, 5))
    found = store.find_sessions_by_end(0, 100)
    assert [aggregate for _, aggregate in found] == [4, 3, 2, 1]


RANGE = [
    *(("aa", 10, 10, 2), ("aaa", 100, 100, 3), ("aaaa", 100, 100, 6)),
    *(("b", 1000, 1000, 4), ("bb", 1500, 2000, 5)),
]
BEFORE, AFTER = ("a", 0, 0, 1), ("bbb", 2500, 3000, 6)


@pytest.mark.parametrize(
    ("from_key", "to_key", "expected"),
    [
        ("aa", "bb", RANGE),
        (None, "bb", [BEFORE, *RANGE]),
        ("aa", None, [*RANGE, AFTER]),
        (None, None, [BEFORE, *RANGE, AFTER]),
        ("bb", "aa", []),
    ],
)
def test_range_of_keys(store: Any, from_key: Any, to_key: Any, expected: Any) -> None:
    put(store, *RANGE, BEFORE, AFTER)
    entries = [(session(key, start, end), value) for key, start, end, value in expected]
    assert list(store.fetch_range(from_key, to_key)) == entries
    assert list(store.backward_fetch_range(from_key, to_key)) == entries[::-1]
    assert list(store.find_sessions_range(from_key, to_key, 0, LAST)) == entries
    assert list(store.backward_find_sessions_range(from_key, to_key, 0, LAST)) == entries[::-1]


def test_fetch_session_has_just_this_one(store: Any) -> None:
    put(store, ("a", 0, 4, 1), ("aa", 0, 3, 2), ("aa", 0, 4, 3), ("aa", 1, 4, 4), ("aaa", 0, 4, 5))
    assert store.fetch_session("aa", 0, 4) == 3
    assert store.fetch_session("aa", 0, 5) is None
    assert store.fetch_session("other", 0, 4) is None


def test_remove(store: Any) -> None:
    for remove in (store.remove, lambda windowed: store.put(windowed, None)):
        entries = put(store, ("a", 0, 1000, 1), ("a", 1500, 2500, 2))
        remove(session("a", 0, 1000))
        assert list(store.find_sessions("a", 0, 1000)) == []
        assert list(store.find_sessions("a", 1500, 2500)) == entries[1:]
    store.remove(session("nobody", 0, 1))


def test_find_sessions_to_merge(store: Any) -> None:
    entries = put(store, *[("a", 100 * n + bool(n), 100 * n + 100, n + 1) for n in range(5)])
    assert list(store.find_sessions("a", 150, 300)) == entries[1:3]
    assert list(store.backward_find_sessions("a", 150, 300)) == entries[2:0:-1]


def test_largest_times(task: StoreTask, variant: str) -> None:
    most = 0x7A00000000000000
    store = make(task, variant, retention=most)
    put(
        store,
        *(("a", 0, 0, 1), ("aa", 0, 10, 2), ("a", 10, 20, 3), ("aa", 10, 20, 4)),
        ("a", most - 2, most - 1, 5),
    )
    find = store.find_sessions_range
    assert [value for _, value in store.find_sessions("a", 0, LAST)] == [1, 3, 5]
    assert [value for _, value in store.find_sessions("aa", 0, LAST)] == [2, 4]
    assert [value for _, value in find("a", "aa", 10, 0)] == [2]
    for bounds in (("a", "aa"), (None, "aa"), ("a", None), (None, None)):
        assert {value for _, value in find(*bounds, 0, LAST)} == {1, 2, 3, 4, 5}


def test_keys_that_begin_alike_are_told_apart(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.bytes)
    keys = [b"\0", b"\0\0", b"\0\0\0", b"\0" * 17, b""]
    for start in range(15):
        store.put(session(keys[start % 5], start, 100), start)
    for number, key in enumerate(keys):
        found = list(store.find_sessions(key, 0, LAST))
        assert [value for _, value in found] == [number, number + 5, number + 10]
        assert list(store.find_sessions_range(key, key, 0, LAST)) == found
        assert list(store.backward_find_sessions(key, 0, LAST)) == found[::-1]


def test_peek_next_key(store: Any) -> None:
    put(store, ("a", 0, 0, 1), ("aa", 0, 10, 2), ("a", 10, 20, 3))
    found = store.find_sessions("a", 0, 20)
    assert found.peek_next_key() == session("a", 0, 0)
    assert [windowed for windowed, _ in found] == [session("a", 0, 0), session("a", 10, 20)]
    assert found.peek_next_key() is None


def test_changelog_has_key_end_and_start(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    put(store, ("a", 5, 9, 1))
    store.flush()
    store.remove(session("a", 5, 9))
    store.flush()
    key = b"a" + (9).to_bytes(8, "big") + (5).to_bytes(8, "big")
    assert task.changelog.records == [
        (key, (1).to_bytes(8, "big"), 0, None),
        (key, None, 0, None),
    ]


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_restore(task: StoreTask, kind: str, is_time_ordered: bool) -> None:
    logging = make(task, "memory")
    put(logging, ("a", 0, 0, 1), ("a", 10, 10, 2), ("b", 100, 100, 3), ("a", 1000, 1000, 4))
    logging.remove(session("a", 10, 10))
    store = make(task, kind, name="restored", is_time_ordered=is_time_ordered)
    store.restore_batch(task.changelog.records)
    assert list(store.fetch("a")) == list(logging.fetch("a"))
    assert list(store.find_sessions_by_end(0, LAST)) == list(logging.find_sessions_by_end(0, LAST))


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_is_older_than_the_segments_kept_is_dropped_and_counted(
    task: StoreTask, kind: str
) -> None:
    store = make(task, kind)
    put(store, ("first", 0, 2 * SEGMENT, 1), ("late", 0, 0, 2), ("in time", 0, 2 * SEGMENT, 3))
    assert task.expired_count == 1
    store.remove(session("late", 0, 0))
    assert task.expired_count == 1
    assert [windowed.key for windowed, _ in store.all()] == ["first", "in time"]


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_what_is_older_than_the_retention_is_seen_by_its_end_only(
    task: StoreTask, kind: str, is_time_ordered: bool
) -> None:
    store = make(task, kind, is_time_ordered=is_time_ordered)
    put(store, ("a", 0, 1, 1), ("a", 2, 2, 2), ("b", 1, RETENTION + 1, 3))
    assert [value for _, value in store.fetch("a")] == [2]
    assert store.fetch_session("a", 0, 1) is None
    # What is emitted when sessions close may be as old as its segment.
    by_end = [value for _, value in store.find_sessions_by_end(0, 2)]
    assert by_end == ([1, 2] if is_time_ordered else [2])


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_old_segments_are_taken_out(task: StoreTask, kind: str, is_time_ordered: bool) -> None:
    store = make(task, kind, is_time_ordered=is_time_ordered)
    for end in range(0, 20 * SEGMENT, SEGMENT // 6):
        put(store, (str(end % 7), end, end, 1))
    if kind == "disk":
        store.commit(1)
    assert store.approximate_num_entries() <= 2 * 6


def test_key_none_is_refused(store: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(session(None, 0, 1), 1),
        lambda: store.remove(session(None, 0, 1)),
        lambda: store.find_sessions(None, 0, 1),
        lambda: store.fetch(None),
        lambda: store.fetch_session(None, 0, 1),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="store 'sessions': a key cannot be None"):
            call()
    with pytest.raises(TypeError):
        store.put(None, 1)


def test_closed_store_refuses(store: Any) -> None:
    put(store, ("a", 0, 1, 1))
    found = store.fetch("a")
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: next(found),
        lambda: store.put(session("a", 0, 1), 1),
        lambda: store.fetch("a"),
        lambda: store.fetch_session("a", 0, 1),
        lambda: store.find_sessions_by_end(0, 1),
        store.all,
        store.flush,
    ]
    for call in calls:
        with pytest.raises(InvalidStateStoreError, match="store 'sessions' is closed"):
            call()


def test_position_is_that_of_the_records(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    for offset in (1, 2, 3):
        task.at(0, offset)
        put(store, ("a", offset, offset, 1))
    assert store.position == {"input": {0: 3}}


def test_negative_retention_is_refused() -> None:
    with pytest.raises(ValueError, match="store 'sessions': the retention is negative: -1 ms"):
        stores.in_memory_session_store("sessions", -1)
