"""Versioned stores. Cases of Kafka's RocksDBVersionedStoreTest, in words of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.streams.state.store_task import UNCACHED, StoreTask, of_variant, opened

from pylog.streams import serdes
from pylog.streams.errors import InvalidStateStoreError, TopologyError
from pylog.streams.state import stores
from pylog.streams.state.versioned_store import NOT_PUT, VALID_TO_UNDEFINED, VersionedRecord

RETENTION = 300_000
SEGMENT = RETENTION // 3
NEWEST = VALID_TO_UNDEFINED

Put = tuple[str | None, int, int]  # value, time, what put returns


@pytest.fixture
def task(tmp_path: Path) -> Iterator[StoreTask]:
    yield from opened(tmp_path)


def make(task: StoreTask, variant: str, retention: int = RETENTION) -> Any:
    supplier = of_variant(
        variant,
        stores.in_memory_versioned_key_value_store,
        stores.persistent_versioned_key_value_store,
    )("versions", retention, segment_interval=SEGMENT)
    return task.open(
        stores.versioned_key_value_store_builder(supplier, serdes.string, serdes.string)
    )


@pytest.fixture(params=UNCACHED)
def store(request: Any, task: StoreTask) -> Any:
    return make(task, request.param)


def put(store: Any, *puts: Put, key: str = "k") -> None:
    for value, time, expected in puts:
        assert store.put(key, value, time) == expected, (value, time)


def check(store: Any, newest: tuple[str, int] | None, as_of: dict[int, Any]) -> None:
    """`as_of`: by time None, or (value, valid from, valid to)."""
    found = store.get("k")
    assert (found and (found.value, found.timestamp)) == newest
    for time, expected in as_of.items():
        version = store.get_as_of("k", time)
        assert version == (expected and VersionedRecord(*expected)), time


def versions(store: Any, first: int, last: int, key: str = "k") -> list[tuple[str, int, Any]]:
    found = store.get_range(key, first, last)
    return [(version.value, version.timestamp, version.valid_to) for version in found]


def test_newer_version_ends_the_one_before(store: Any) -> None:
    put(store, ("v", 10, NEWEST), ("v2", 11, NEWEST))
    check(store, ("v2", 11), {10: ("v", 10, 11), 11: ("v2", 11), 12: ("v2", 11)})


def test_deletions_of_nothing_leave_nothing(store: Any) -> None:
    put(store, (None, 10, NEWEST), (None, 11, NEWEST))
    check(store, None, {10: None, 11: None, 12: None})


def test_older_versions_go_before_the_newest(store: Any) -> None:
    put(store, ("v", 10, NEWEST), ("v2", 8, 10), ("v1", 9, 10), ("v4", 6, 8))
    as_of = {10: ("v", 10), 9: ("v1", 9, 10), 8: ("v2", 8, 9), 7: ("v4", 6, 8), 5: None}
    check(store, ("v", 10), as_of)


def test_older_versions_go_before_a_deletion(store: Any) -> None:
    put(store, (None, 10, NEWEST), ("v2", 8, 10), ("v1", 9, 10), ("v4", 6, 8))
    check(store, None, {10: None, 9: ("v1", 9, 10), 8: ("v2", 8, 9), 7: ("v4", 6, 8)})


@pytest.mark.parametrize("newest", ["v", None])
def test_older_deletions_end_versions(store: Any, newest: str | None) -> None:
    put(store, (newest, 10, NEWEST), (None, 8, 10), (None, 9, 10), (None, 6, 8))
    put(store, ("v5", 5, 6), ("v3", 7, 8), (None, 4, 5))
    as_of = {9: None, 8: None, 7: ("v3", 7, 8), 6: None, 5: ("v5", 5, 6), 4: None}
    expected = None if newest is None else (newest, 10)
    check(store, expected, {10: expected, **as_of})


def test_put_at_the_time_of_the_newest_version_replaces_it(store: Any) -> None:
    put(store, ("old", 10, NEWEST), ("b", 10, NEWEST))
    check(store, ("b", 10), {10: ("b", 10), 9: None})
    put(store, (None, 10, NEWEST))
    check(store, None, {10: None, 9: None})
    put(store, (None, 10, NEWEST))
    check(store, None, {10: None, 9: None})
    put(store, ("b", 10, NEWEST))
    check(store, ("b", 10), {10: ("b", 10), 9: None})


def test_newest_version_deleted_at_its_own_time_leaves_no_end(store: Any) -> None:
    # As in Kafka Streams: nothing remembers the deletion, so what comes late is the newest.
    put(store, ("a", 10, NEWEST), (None, 10, NEWEST), ("late", 5, NEWEST))
    check(store, ("late", 5), {4: None, 5: ("late", 5), 20: ("late", 5)})


REPEATED: list[Put] = [
    ("x", SEGMENT + 20, NEWEST),
    (None, SEGMENT - 10, SEGMENT + 20),
    ("x", SEGMENT - 10, SEGMENT + 20),
    (None, SEGMENT - 10, SEGMENT + 20),
    ("x", SEGMENT - 1, SEGMENT + 20),
    ("x", SEGMENT + 1, SEGMENT + 20),
    (None, SEGMENT - 1, SEGMENT + 1),
    (None, SEGMENT + 1, SEGMENT + 20),
    (None, SEGMENT + 10, SEGMENT + 20),
    (None, SEGMENT + 5, SEGMENT + 10),
    ("vp5", SEGMENT + 5, SEGMENT + 10),
    ("x", SEGMENT - 5, SEGMENT - 1),
    ("vn5", SEGMENT - 5, SEGMENT - 1),
    (None, SEGMENT + 20, NEWEST),
    (None, SEGMENT + 20, NEWEST),
    ("vn6", SEGMENT - 6, SEGMENT - 5),
]
AFTER_REPEATED = {
    SEGMENT + 30: None,
    SEGMENT + 15: None,
    SEGMENT + 6: ("vp5", SEGMENT + 5, SEGMENT + 10),
    SEGMENT + 2: None,
    SEGMENT: None,
    SEGMENT - 1: None,
    SEGMENT - 5: ("vn5", SEGMENT - 5, SEGMENT - 1),
    SEGMENT - 6: ("vn6", SEGMENT - 6, SEGMENT - 5),
    SEGMENT - 8: None,
}


def test_puts_at_times_that_are_there_replace(store: Any) -> None:
    put(store, *REPEATED)
    check(store, None, AFTER_REPEATED)


def test_versions_of_several_segments(store: Any) -> None:
    for value, time in (
        *((None, SEGMENT - 20), ("vn10", SEGMENT - 10), (None, SEGMENT - 1)),
        *((None, SEGMENT + 1), ("vp10", SEGMENT + 10), (None, SEGMENT + 20)),
    ):
        put(store, (value, time, NEWEST))
    as_of = {
        SEGMENT + 30: None,
        SEGMENT + 15: ("vp10", SEGMENT + 10, SEGMENT + 20),
        SEGMENT + 5: None,
        SEGMENT: None,
        SEGMENT - 1: None,
        SEGMENT - 5: ("vn10", SEGMENT - 10, SEGMENT - 1),
        SEGMENT - 15: None,
    }
    check(store, None, as_of)


OUT_OF_ORDER: list[Put] = [
    ("vp20", SEGMENT + 20, NEWEST),
    ("vp10", SEGMENT + 10, SEGMENT + 20),
    ("vn10", SEGMENT - 10, SEGMENT + 10),
    ("vn2", SEGMENT - 2, SEGMENT + 10),
    ("vn1", SEGMENT - 1, SEGMENT + 10),
    ("vp1", SEGMENT + 1, SEGMENT + 10),
]
AFTER_OUT_OF_ORDER = {
    SEGMENT + 30: ("vp20", SEGMENT + 20),
    SEGMENT + 15: ("vp10", SEGMENT + 10, SEGMENT + 20),
    SEGMENT + 5: ("vp1", SEGMENT + 1, SEGMENT + 10),
    SEGMENT: ("vn1", SEGMENT - 1, SEGMENT + 1),
    SEGMENT - 1: ("vn1", SEGMENT - 1, SEGMENT + 1),
    SEGMENT - 2: ("vn2", SEGMENT - 2, SEGMENT - 1),
    SEGMENT - 5: ("vn10", SEGMENT - 10, SEGMENT - 2),
}


def test_versions_that_come_late_go_between_others(store: Any) -> None:
    put(store, *OUT_OF_ORDER)
    check(store, ("vp20", SEGMENT + 20), AFTER_OUT_OF_ORDER)


def test_late_version_ends_with_a_deletion_of_an_older_segment(store: Any) -> None:
    put(
        store,
        (None, SEGMENT - 5, NEWEST),
        ("vn6", SEGMENT - 6, SEGMENT - 5),
        ("vp20", SEGMENT + 20, NEWEST),
        (None, SEGMENT + 10, SEGMENT + 20),
        (None, SEGMENT - 1, SEGMENT + 10),
        ("vn2", SEGMENT - 2, SEGMENT - 1),
    )
    as_of = {
        SEGMENT + 30: ("vp20", SEGMENT + 20),
        SEGMENT + 12: None,
        SEGMENT: None,
        SEGMENT - 1: None,
        SEGMENT - 2: ("vn2", SEGMENT - 2, SEGMENT - 1),
        SEGMENT - 5: None,
        SEGMENT - 6: ("vn6", SEGMENT - 6, SEGMENT - 5),
    }
    check(store, ("vp20", SEGMENT + 20), as_of)


def test_late_deletion_is_valid_until_the_next_version(store: Any) -> None:
    put(
        store,
        ("vp30", SEGMENT + 30, NEWEST),
        (None, SEGMENT - 10, SEGMENT + 30),
        ("vn5", SEGMENT - 5, SEGMENT + 30),
        ("vn1", SEGMENT - 1, SEGMENT + 30),
        (None, SEGMENT - 2, SEGMENT - 1),
    )
    as_of = {
        SEGMENT + 10: ("vn1", SEGMENT - 1, SEGMENT + 30),
        SEGMENT - 1: ("vn1", SEGMENT - 1, SEGMENT + 30),
        SEGMENT - 2: None,
        SEGMENT - 5: ("vn5", SEGMENT - 5, SEGMENT - 2),
        SEGMENT - 10: None,
    }
    check(store, ("vp30", SEGMENT + 30), as_of)


def test_delete_returns_what_was_valid(store: Any) -> None:
    put(store, *OUT_OF_ORDER[:4])
    assert store.delete("k", SEGMENT - 5) == VersionedRecord("vn10", SEGMENT - 10, SEGMENT - 2)
    assert store.delete("k", SEGMENT + 10) == VersionedRecord("vp10", SEGMENT + 10, SEGMENT + 20)
    assert store.delete("k", SEGMENT + 10) is None
    assert store.delete("k", SEGMENT + 25) == VersionedRecord("vp20", SEGMENT + 20)


def test_put_beyond_the_retention_is_dropped_and_counted(store: Any, task: StoreTask) -> None:
    put(store, ("v", RETENTION + 10, NEWEST))
    put(store, ("v1", 10, NEWEST), key="k1")
    put(store, ("v2", 9, NOT_PUT), key="k2")
    assert store.get("k1") == VersionedRecord("v1", 10)
    assert store.get("k2") is None
    assert task.expired_count == 1


def test_delete_beyond_the_retention_is_dropped_and_counted(store: Any, task: StoreTask) -> None:
    put(store, ("v1", 1, NEWEST), key="k1")
    put(store, ("v2", 1, NEWEST), key="k2")
    put(store, ("v", RETENTION + 10, NEWEST), key="other")
    assert store.delete("k1", 10) == VersionedRecord("v1", 1)
    assert store.get("k1") is None
    assert store.delete("k2", 9) is None
    assert store.get("k2") == VersionedRecord("v2", 1)
    assert task.expired_count == 1


def test_versions_of_older_segments_are_found(store: Any) -> None:
    for time in (SEGMENT - 10, 2 * SEGMENT - 10, 3 * SEGMENT - 10):
        put(store, (None, time, NEWEST), key="other")
    assert store.get_as_of("k", SEGMENT - 20) is None
    old = {SEGMENT - 30: None, SEGMENT - 15: ("v", SEGMENT - 20, SEGMENT - 10), SEGMENT - 5: None}
    put(store, ("v", SEGMENT - 20, NEWEST), (None, SEGMENT - 10, NEWEST))
    check(store, None, old)
    put(store, ("v2", 3 * SEGMENT - 20, NEWEST), (None, 3 * SEGMENT - 10, NEWEST))
    check(store, None, old)


def test_time_beyond_the_retention_has_no_version(store: Any) -> None:
    put(store, ("old", 0, NEWEST), ("v", SEGMENT - 10, NEWEST))
    old = {SEGMENT - 11: ("old", 0, SEGMENT - 10)}
    check(store, ("v", SEGMENT - 10), old)
    put(store, ("o", RETENTION + SEGMENT - 11, NEWEST), key="other")
    check(store, ("v", SEGMENT - 10), old)
    assert versions(store, 0, SEGMENT - 11) == [("old", 0, SEGMENT - 10)]
    put(store, ("o", RETENTION + SEGMENT - 10, NEWEST), key="other")
    check(store, ("v", SEGMENT - 10), {SEGMENT - 11: None})
    assert versions(store, 0, SEGMENT - 11) == []


def test_newest_version_never_expires(store: Any) -> None:
    put(store, ("v", 1, NEWEST))
    put(store, ("old", 1, NEWEST), ("new", RETENTION + 12, NEWEST), key="other")
    assert store.get_as_of("k", 10) == VersionedRecord("v", 1)
    assert versions(store, 0, 10) == [("v", 1, None)]
    assert store.get_as_of("other", 10) is None
    assert versions(store, 0, 10, "other") == []


def test_empty_value_is_not_a_deletion(store: Any) -> None:
    put(
        store,
        *((None, SEGMENT + 20, NEWEST), (None, SEGMENT - 10, SEGMENT + 20)),
        *((None, SEGMENT - 1, SEGMENT + 20), (None, SEGMENT + 1, SEGMENT + 20)),
        *((None, SEGMENT + 10, SEGMENT + 20), ("", SEGMENT + 5, SEGMENT + 10)),
        *(("", SEGMENT - 5, SEGMENT - 1), ("", SEGMENT - 6, SEGMENT - 5)),
    )
    as_of = {
        SEGMENT + 6: ("", SEGMENT + 5, SEGMENT + 10),
        SEGMENT + 2: None,
        SEGMENT - 5: ("", SEGMENT - 5, SEGMENT - 1),
        SEGMENT - 6: ("", SEGMENT - 6, SEGMENT - 5),
        SEGMENT - 8: None,
    }
    check(store, None, as_of)


def test_range_has_what_was_valid_at_some_time_of_it(store: Any) -> None:
    at = SEGMENT
    for value, time in (
        *(("v1", at - 30), ("v2", at - 25), (None, at - 20)),
        *((None, at - 15), ("v3", at - 10), ("v4", at - 5)),
    ):
        put(store, (value, time, NEWEST))
    v1, v2 = ("v1", at - 30, at - 25), ("v2", at - 25, at - 20)
    v3, v4 = ("v3", at - 10, at - 5), ("v4", at - 5, None)
    assert versions(store, at - 40, at - 35) == []
    assert versions(store, at - 30, at - 5) == [v1, v2, v3, v4]
    assert versions(store, -(2**63), 2**63 - 1) == [v1, v2, v3, v4]
    assert versions(store, at - 4, at) == [v4]
    assert versions(store, at - 5, at - 5) == [v4]
    assert versions(store, at - 31, at - 21) == [v1, v2]
    assert versions(store, at - 24, at - 11) == [v2]
    assert versions(store, at - 11, at - 4) == [v3, v4]
    assert versions(store, at - 26, at - 5) == [v1, v2, v3, v4]
    assert versions(store, at - 15, at - 10) == [v3]
    assert versions(store, at - 19, at - 16) == []
    newest_first = store.get_range("k", at - 30, at - 5, is_descending=True)
    assert [version.value for version in newest_first] == ["v4", "v3", "v2", "v1"]


def restored(task: StoreTask, variant: str, *batches: list[Put]) -> Any:
    store = make(task, variant)
    for batch in batches:
        store.restore_batch(
            [(b"k", None if value is None else value.encode(), time, None)
             for value, time, _ in batch]
        )  # fmt: skip
    return store


@pytest.mark.parametrize("variant", UNCACHED)
def test_restored_store_equals_the_one_that_logged(task: StoreTask, variant: str) -> None:
    check(restored(task, variant, OUT_OF_ORDER), ("vp20", SEGMENT + 20), AFTER_OUT_OF_ORDER)


@pytest.mark.parametrize("variant", UNCACHED)
@pytest.mark.parametrize("cut", [0, 1, 7, 15])
def test_restore_in_batches(task: StoreTask, variant: str, cut: int) -> None:
    check(restored(task, variant, REPEATED[:cut], REPEATED[cut:]), None, AFTER_REPEATED)


@pytest.mark.parametrize("variant", UNCACHED)
def test_expired_records_are_not_restored_and_not_counted(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    logged = [(b"k", RETENTION + 10), (b"k1", 10), (b"k2", 9)]
    store.restore_batch([(key, b"v", time, None) for key, time in logged])
    assert store.get("k1") == VersionedRecord("v", 10)
    assert store.get("k2") is None
    assert task.expired_count == 0


@pytest.mark.parametrize("variant", UNCACHED)
def test_record_that_expires_within_its_batch_is_restored(task: StoreTask, variant: str) -> None:
    store = make(task, variant)
    store.restore_batch([(b"k2", b"v2", 0, None), (b"k", b"v", RETENTION + 10, None)])
    assert store.get("k2") == VersionedRecord("v2", 0)


@pytest.mark.parametrize("variant", UNCACHED)
def test_no_history_at_all_is_allowed(task: StoreTask, variant: str) -> None:
    store = make(task, variant, retention=0)
    put(store, ("v", 10, NEWEST))
    check(store, ("v", 10), {10: ("v", 10), 11: ("v", 10)})
    put(store, ("updated", 10, NEWEST))
    check(store, ("updated", 10), {10: ("updated", 10)})
    put(store, ("v2", 12, NEWEST))
    check(store, ("v2", 12), {12: ("v2", 12), 11: None})
    store.delete("k", 13)
    assert store.get("k") is None
    put(store, ("v", 12, NOT_PUT), key="k2")
    assert store.get("k2") is None
    assert task.expired_count == 1


def test_old_versions_are_taken_out(store: Any) -> None:
    for time in range(0, 20 * RETENTION, SEGMENT // 4):
        store.put(f"k{time % 3}", "v" if time % 2 else None, time)
    for key in ("k0", "k1", "k2"):
        store.put(key, None, 30 * RETENTION)
    store.put("other", "v", 40 * RETENTION)
    assert store.approximate_num_entries() <= 4


def test_changelog_has_key_value_and_the_time_of_the_version(task: StoreTask) -> None:
    store = make(task, "memory")
    task.at(77)
    store.put("k", "v", 10)
    store.delete("k", 12)
    assert task.changelog.records == [(b"k", b"v", 10, None), (b"k", None, 12, None)]


def test_caching_is_refused() -> None:
    supplier = stores.in_memory_versioned_key_value_store("versions", "1h")
    builder = stores.versioned_key_value_store_builder(supplier, serdes.string, serdes.string)
    with pytest.raises(TopologyError, match="versions are not cached"):
        builder.with_caching_enabled()


def test_closed_store_refuses(store: Any) -> None:
    store.close()
    with pytest.raises(InvalidStateStoreError, match="store 'versions' is closed"):
        store.get("k")
