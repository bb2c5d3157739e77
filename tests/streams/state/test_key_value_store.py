"""Key-value stores. Cases of Kafka's AbstractKeyValueStoreTest and others, in words of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.streams.state.store_task import (
    CHANGELOG,
    VARIANTS,
    StoreTask,
    of_variant,
    opened,
    with_layers,
)

from pylog.streams import serdes
from pylog.streams.errors import (
    InvalidStateStoreError,
    SerializationError,
    StreamsConfigError,
    TopologyError,
)
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.serde import Serde
from pylog.streams.state import stores


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
    name: str = "values",
    key_serde: Any = serdes.int,
    value_serde: Any = serdes.string,
) -> Any:
    make = of_variant(variant, stores.in_memory_key_value_store, stores.persistent_key_value_store)
    builder = stores.key_value_store_builder(make(name), key_serde, value_serde)
    return task.open(with_layers(variant, builder))


@pytest.fixture
def store(task: StoreTask, variant: str) -> Any:
    return make(task, variant)


def make_timestamped(task: StoreTask, variant: str) -> Any:
    make = of_variant(variant, stores.in_memory_key_value_store, stores.persistent_key_value_store)
    builder = stores.timestamped_key_value_store_builder(
        make("values"), serdes.string, serdes.string
    )
    return task.open(with_layers(variant, builder))


ENTRIES = [(0, "zero"), (1, "one"), (2, "two"), (4, "four"), (5, "five")]


def test_put_and_get(store: Any) -> None:
    store.put_all(ENTRIES)
    store.put(5, "cinq")
    assert [store.get(key) for key in range(6)] == ["zero", "one", "two", None, "four", "cinq"]


def test_delete(store: Any) -> None:
    store.put_all(dict(ENTRIES))
    assert store.delete(2) == "two"
    assert store.delete(2) is None
    store.put(4, None)
    assert list(store.all()) == [(0, "zero"), (1, "one"), (5, "five")]
    assert store.get(2) is store.get(4) is None


def test_put_if_absent(store: Any) -> None:
    assert store.put_if_absent(1, "one") is None
    assert store.put_if_absent(1, "other") == "one"
    assert store.put_if_absent(2, None) is None
    assert store.delete(1) == "one"
    assert store.put_if_absent(1, "again") is None
    assert list(store.all()) == [(1, "again")]


@pytest.mark.parametrize(
    ("from_key", "to_key", "expected"),
    [
        (2, 4, [2, 4]),
        (2, 6, [2, 4, 5]),
        (2, 2, [2]),
        (3, 3, []),
        (None, 2, [0, 1, 2]),
        (2, None, [2, 4, 5]),
        (None, None, [0, 1, 2, 4, 5]),
        (4, 2, []),
        (-1, 1, []),  # -1 begins with a higher byte than 1
    ],
)
def test_range(store: Any, from_key: Any, to_key: Any, expected: list[int]) -> None:
    store.put_all(ENTRIES)
    entries = [(key, dict(ENTRIES)[key]) for key in expected]
    assert list(store.range(from_key, to_key)) == entries
    assert list(store.reverse_range(from_key, to_key)) == entries[::-1]


def test_all(store: Any) -> None:
    store.put_all(ENTRIES[::-1])
    assert list(store.all()) == ENTRIES
    assert list(store.reverse_all()) == ENTRIES[::-1]


def test_many_keys_stay_in_order(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    for number in range(3000):
        store.put(number * 7919 % 3000, str(number))
        if number % 500 == 250:
            assert [key for key, _ in store.all()] == sorted(
                earlier * 7919 % 3000 for earlier in range(number + 1)
            )
        if number % 900 == 0 and variant.startswith("disk"):
            store.commit(number)
    for key in range(0, 3000, 3):
        store.delete(key)
    left = [key for key in range(3000) if key % 3]
    assert [key for key, _ in store.all()] == left
    assert [key for key, _ in store.reverse_all()] == left[::-1]
    assert [key for key, _ in store.range(1000, 1010)] == [1000, 1001, 1003, 1004, *(1006, 1007),
                                                          *(1009, 1010)]  # fmt: skip
    assert len(store) == 2000


def test_prefix_scan(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.string)
    for key in ("prefix_1", "k1", "prefix_2", "k2", "prefix_3", "prefiy", "prefi"):
        store.put(key, f"v-{key}")
    found = ["prefix_1", "prefix_2", "prefix_3"]
    assert list(store.prefix_scan("prefix")) == [(key, f"v-{key}") for key in found]
    assert list(store.prefix_scan("nothing")) == []


def test_prefix_scan_ends_before_the_next_prefix(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.string)
    for key in ("abc", "abcd", "abce", "abd"):
        store.put(key, key)
    assert [key for key, _ in store.prefix_scan("abcd")] == ["abcd"]
    assert [key for key, _ in store.prefix_scan("abc")] == ["abc", "abcd", "abce"]


def test_prefix_of_highest_bytes(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.bytes)
    for key in (b"\xff", b"\xff\xff", b"\xff\xff\1", b"\xfe", b"a\xff", b"a\xff\xff", b"b"):
        store.put(key, key.hex())
    assert [key for key, _ in store.prefix_scan(b"\xff\xff")] == [b"\xff\xff", b"\xff\xff\1"]
    assert [key for key, _ in store.prefix_scan(b"a\xff")] == [b"a\xff", b"a\xff\xff"]
    assert len(list(store.prefix_scan(b""))) == 7


def test_prefix_has_a_serde_of_its_own(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.uuid)
    ids = [UUID(int=number << 120 | 5) for number in range(3)]
    for number, key in enumerate(ids):
        store.put(key, str(number))
    assert [value for _, value in store.prefix_scan("01", serdes.string)] == ["1"]


def test_reads_like_a_mapping(store: Any) -> None:
    store.put_all(ENTRIES)
    assert store[4] == "four"
    assert 4 in store
    assert 3 not in store
    assert list(store) == list(store.keys()) == [0, 1, 2, 4, 5]
    assert list(store.values()) == ["zero", "one", "two", "four", "five"]
    assert dict(store.items()) == dict(ENTRIES)
    assert len(store) == 5
    with pytest.raises(KeyError):
        store[3]


def test_approximate_num_entries(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    store.put_all(ENTRIES)
    store.put(5, "V")
    store.delete(1)
    store.flush()
    if variant.startswith("disk"):
        assert 3 <= store.approximate_num_entries() <= 5
        store.commit(1)
    assert store.approximate_num_entries() == 4


def test_value_that_serializes_to_none_deletes(task: StoreTask, variant: str) -> None:
    nothing = Serde.of(lambda value: value.encode() if value != "nothing" else None, bytes.decode)
    store = make(task, variant, value_serde=nothing)
    store.put(1, "one")
    store.put(1, "nothing")
    assert list(store.all()) == []


def test_empty_keys_and_values(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.bytes)
    keys = [b"", b"\0", b"\0\0", b"\0a", b"\1", b"a", b"a\0"]
    for key in keys[::-1]:
        store.put(key, "")
    if variant.startswith("disk"):
        store.flush()
        store.commit(1)
    assert list(store.all()) == [(key, "") for key in keys]
    assert list(store.range(b"", b"\0a")) == [(key, "") for key in keys[:4]]
    assert store.get(b"") == ""
    assert store.delete(b"") == ""
    assert [key for key, _ in store.all()] == keys[1:]


def test_keys_of_any_length(task: StoreTask, variant: str) -> None:
    store = make(task, variant, key_serde=serdes.bytes)
    same = b"x" * 509
    keys = [b"a", same[:-1], same, same + b"0", same + b"01", same + b"010", same + b"0100",
            same + b"011", same + b"1", same + b"1" * 3000, b"y" * 511, b"y" * 512,
            b"\0" * 509, b"\0" * 510, b"\0" * 511, b"\0" * 600, b"z"]  # fmt: skip
    for number, key in enumerate(keys):
        store.put(key, str(number))
        if variant.startswith("disk") and number % 4 == 3:
            store.flush()
            store.commit(number)
    entries = sorted((key, str(number)) for number, key in enumerate(keys))
    assert [(key, store.get(key)) for key, _ in entries] == entries
    assert list(store.all()) == entries
    assert list(store.reverse_all()) == entries[::-1]
    for first, last in ((2, 7), (5, 9), (6, 12), (0, 16)):
        expected = [entry for entry in entries if keys[first] <= entry[0] <= keys[last]]
        assert list(store.range(keys[first], keys[last])) == expected
        assert list(store.reverse_range(keys[first], keys[last])) == expected[::-1]
    for key in keys[2:14]:
        store.delete(key)
    store.flush()
    if variant.startswith("disk"):
        store.commit(99)
    gone = set(keys[2:14])
    assert list(store.all()) == [entry for entry in entries if entry[0] not in gone]
    assert store.get(keys[4]) is None
    assert store.get(same + b"never") is None


def test_store_may_change_while_it_is_gone_through(store: Any) -> None:
    store.put_all([(number, str(number)) for number in range(500)])
    found = []
    for key, _ in store.all():
        found.append(key)
        store.delete(key)
        if key < 500:
            store.put(key + 10_000, "new")
    assert found[:500] == list(range(500))
    assert len(set(found)) == len(found)
    assert [key for key, _ in store.all() if key < 500] == []


def test_user_objects_do_not_alias_the_store(task: StoreTask, variant: str) -> None:
    store = make(task, variant, value_serde=serdes.json)
    value = [1]
    store.put(1, value)
    value.append(2)
    assert store.get(1) == [1]
    store.get(1).append(3)
    assert store.get(1) == [1]


def test_key_none_is_refused(store: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(None, "v"),
        lambda: store.put_if_absent(None, "v"),
        lambda: store.put_all([(None, "v")]),
        lambda: store.delete(None),
        lambda: store.get(None),
        lambda: store.prefix_scan(None),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="store 'values': a key cannot be None"):
            call()
    store.put_all([])


def test_wrong_types_are_serialization_errors(store: Any) -> None:
    with pytest.raises(SerializationError, match=f"{CHANGELOG}.*int.*str"):
        store.put("one", "v")
    with pytest.raises(SerializationError, match=f"{CHANGELOG}.*string.*int"):
        store.put(1, 1)


def test_serde_of_the_values_must_be_known(task: StoreTask) -> None:
    builder = stores.key_value_store_builder(stores.in_memory_key_value_store("values"))
    with pytest.raises(StreamsConfigError, match="store 'values'"):
        task.open(builder)


def test_changelog_has_every_put_and_delete(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    task.at(10)
    store.put(1, "one")
    task.at(20)
    store.put(2, "two")
    store.flush()
    task.at(30)
    store.delete(1)
    store.delete(1)
    store.flush()
    one, two = (1).to_bytes(4, "big"), (2).to_bytes(4, "big")
    deletions = [(one, None, 30, None)] * (1 if variant.endswith("cached") else 2)
    assert task.changelog.records == [
        (one, b"one", 10, None),
        (two, b"two", 20, None),
        *deletions,
    ]


def test_timestamped_values_log_their_own_time(task: StoreTask, variant: str) -> None:
    store = make_timestamped(task, variant)
    task.at(10)
    store.put("k", ValueAndTimestamp("v", 7))
    store.flush()
    store.put("k", None)
    store.flush()
    assert task.changelog.records == [(b"k", b"v", 7, None), (b"k", None, 10, None)]
    with pytest.raises(TypeError, match="store 'values' takes ValueAndTimestamp, not str"):
        store.put("k", "v")


def test_update_that_changes_nothing_is_not_put(task: StoreTask, variant: str) -> None:
    store = make_timestamped(task, variant)
    store.put("k", ValueAndTimestamp("v", 7))
    value, raw = store.get_with_raw("k")
    assert (value, raw) == (ValueAndTimestamp("v", 7), bytes(7) + b"\7v")
    assert store.get_with_raw("other") == (None, None)
    assert not store.put_if_different("k", ValueAndTimestamp("v", 8), raw)
    assert store.get("k") == ValueAndTimestamp("v", 7)
    # The same value from the same time or an earlier one is put: it is valid for longer.
    assert store.put_if_different("k", ValueAndTimestamp("v", 7), raw)
    assert store.put_if_different("k", ValueAndTimestamp("v", 6), raw)
    assert store.get("k") == ValueAndTimestamp("v", 6)
    assert store.put_if_different("k", ValueAndTimestamp("w", 8), raw)
    assert store.put_if_different("k", None, raw)
    assert not store.put_if_different("k", None, None)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_restore(task: StoreTask, kind: str) -> None:
    logging = make(task, "memory")
    logging.put_all(ENTRIES)
    logging.delete(1)
    logging.put(2, "deux")
    store = make(task, kind, name="restored")
    store.restore_batch(task.changelog.records)
    assert list(store.all()) == list(logging.all())
    assert task.changelog.records == task.changelog.records[:7]


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_restore_of_timestamped_values(task: StoreTask, kind: str) -> None:
    store = make_timestamped(task, kind)
    store.restore_batch([(b"a", b"A", 5, None), (b"b", b"B", 6, []), (b"a", None, 7, None)])
    assert list(store.all()) == [("b", ValueAndTimestamp("B", 6))]


def test_closed_store_refuses(store: Any) -> None:
    store.put_all(ENTRIES)
    entries = store.all()
    assert store.is_open
    store.close()
    store.close()
    assert not store.is_open
    calls: list[Callable[[], object]] = [
        lambda: store.get(1),
        lambda: store.put(1, "v"),
        lambda: store.put_if_absent(1, "v"),
        lambda: store.delete(1),
        lambda: store.range(1, 2),
        lambda: store.prefix_scan(1),
        lambda: store[1],
        lambda: 1 in store,
        lambda: next(entries),
        store.all,
        store.reverse_all,
        store.flush,
        store.approximate_num_entries,
        lambda: store.restore_batch([]),
        lambda: store.commit(1),
    ]
    for call in calls:
        with pytest.raises(InvalidStateStoreError, match="store 'values' is closed"):
            call()


def test_store_in_memory_is_empty_when_it_is_opened_again(task: StoreTask) -> None:
    store = make(task, "memory-cached")
    store.put_all(ENTRIES)
    store.flush()
    store.close()
    store.init(task.context)
    assert list(store.all()) == []


def test_position_is_that_of_the_records(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    for partition, offset in ((0, 1), (1, 7), (0, 2), (1, 5)):
        task.context.set_record("input", partition, offset, 0, None)
        store.put(1, "v")
    task.context.set_record("other", 0, 9, 0, None)
    store.put(1, "v")
    task.context.set_record(None, -1, -1, 0, None)  # a punctuation
    store.put(1, "v")
    assert store.position == {"input": {0: 2, 1: 7}, "other": {0: 9}}


def test_builder_refuses_another_kind_of_supplier() -> None:
    supplier = stores.in_memory_window_store("windows", 10, 10)
    with pytest.raises(TopologyError, match="store 'windows': a key-value store is wanted"):
        stores.key_value_store_builder(supplier)  # type: ignore[arg-type]


def test_memory_bytes_grows_and_shrinks(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    assert store.memory_bytes == 0
    store.put(1, "x" * 1000)
    store.flush()
    assert store.memory_bytes > 1000
    store.put(1, "x")
    store.flush()
    assert store.memory_bytes < 1000


def test_lru_map_keeps_what_was_used_last(task: StoreTask) -> None:
    builder = stores.key_value_store_builder(stores.lru_map("recent", 3), serdes.int, serdes.string)
    store = task.open(builder)
    for key in (0, 1, 2):
        store.put(key, str(key))
    store.put(3, "3")
    assert store.get(0) is None
    assert store.get(1) == "1"
    store.put(4, "4")
    assert [store.get(key) for key in range(5)] == [None, "1", None, "3", "4"]
    store.delete(3)
    store.put(5, "5")
    assert store.approximate_num_entries() == 3
    evicted = [(int.from_bytes(key, "big"), value) for key, value, _, _ in
               task.changelog.records if value is None]  # fmt: skip
    assert evicted == [(0, None), (2, None), (3, None)]
    with pytest.raises(InvalidStateStoreError, match="store 'recent' is an LRU map"):
        store.all()


def test_lru_map_is_restored_without_logging(task: StoreTask) -> None:
    builder = stores.key_value_store_builder(
        stores.lru_map("recent", 2), serdes.string, serdes.string
    )
    store = task.open(builder)
    records = [(key.encode(), key.encode(), 1, None) for key in "abca"]
    store.restore_batch([*records, (b"c", None, 1, None)])
    assert [store.get(key) for key in "abc"] == ["a", None, None]
    assert task.changelog.records == []
    with pytest.raises(ValueError, match="room for 1 entry at least"):
        stores.lru_map("recent", 0)()


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_deleting_from_the_front_does_not_slow_ranges(task: StoreTask, kind: str) -> None:
    store = make(task, kind)
    for number in range(20_000):
        store.put(number, "v")
    for number in range(20_000):  # minutes, if each went past all that were deleted
        with store.all() as entries:
            key, _ = next(entries)
        assert key == number
        store.delete(key)
        store.put(20_000 + number, "v")
