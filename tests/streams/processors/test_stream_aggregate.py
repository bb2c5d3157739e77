"""Count, reduce and aggregate of a stream by key, without windows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import Harness, add, plain, with_old

from pylog.streams import serdes
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.aggregate import (
    KStreamAggregateSupplier,
    KStreamCountSupplier,
    KStreamReduceSupplier,
)
from pylog.streams.state import stores


def _store(value_serde: Any = serdes.string) -> Any:
    supplier = stores.in_memory_key_value_store("store")
    return stores.timestamped_key_value_store_builder(supplier, serdes.string, value_serde)


def _versioned(history_ms: int) -> Any:
    supplier = stores.persistent_versioned_key_value_store("store", history_ms)
    return stores.versioned_key_value_store_builder(supplier, serdes.string, serdes.string)


def _aggregate() -> KStreamAggregateSupplier:
    return KStreamAggregateSupplier("store", lambda: "0", add)


def _reduce() -> KStreamReduceSupplier:
    return KStreamReduceSupplier("store", lambda aggregate, value: f"{aggregate}+{value}")


@pytest.mark.parametrize("supplier", [_aggregate(), _reduce(), KStreamCountSupplier("store")])
def test_records_without_key_or_value_are_dropped(supplier: Any) -> None:
    harness = Harness(supplier, _store())
    assert harness.pipe_all((None, "1", 0), ("A", None, 0), (None, None, 0)) == []
    assert harness.drops == {"null key": 2, "null value": 1}
    assert list(harness.store("store").all()) == []


def test_an_aggregate_has_the_time_of_its_newest_record() -> None:
    harness = Harness(_aggregate(), _store())
    records = [("A", "1", 10), ("B", "2", 5), ("A", "3", 4), ("B", "4", 7)]
    assert plain(harness.pipe_all(*records)) == [
        ("A", "0+1", 10),
        ("B", "0+2", 5),
        ("A", "0+1+3", 10),
        ("B", "0+2+4", 7),
    ]
    assert [(key, tuple(found)) for key, found in harness.store("store").all()] == [
        ("A", ("0+1+3", 10)),
        ("B", ("0+2+4", 7)),
    ]


def test_a_reduction_begins_with_the_first_value() -> None:
    harness = Harness(_reduce(), _store())
    assert plain(harness.pipe_all(("A", "1", 10), ("A", "2", 4))) == [
        ("A", "1", 10),
        ("A", "1+2", 10),
    ]


def test_an_aggregate_of_none_is_deleted_and_begins_anew() -> None:
    def add_or_delete(key: str, value: str, aggregate: str) -> str | None:
        return None if value == "x" else add(key, value, aggregate)

    supplier = KStreamAggregateSupplier("store", lambda: "0", add_or_delete)
    harness = Harness(supplier, _store())
    records = [("A", "1", 10), ("A", "x", 4), ("A", "2", 5)]
    # What was deleted has no time any more.
    assert plain(harness.pipe_all(*records)) == [
        ("A", "0+1", 10),
        ("A", None, 10),
        ("A", "0+2", 5),
    ]


@pytest.mark.parametrize("value_serde", [serdes.long, serdes.int, serdes.json])
def test_counts_are_stored_with_any_serde_of_numbers(value_serde: Any) -> None:
    supplier = KStreamCountSupplier("store")
    supplier.enable_sending_old_values(True)
    harness = Harness(supplier, _store(value_serde))
    assert with_old(harness.pipe_all(("A", "x", 5), ("A", "y", 3), ("B", "x", 6))) == [
        ("A", 1, 0, 5),
        ("A", 2, 1, 5),
        ("B", 1, 0, 6),
    ]
    assert tuple(harness.store("store").get("A")) == (2, 5)


def test_a_count_goes_to_the_changelog_with_its_time_in_the_record() -> None:
    harness = Harness(KStreamCountSupplier("store"), _store(serdes.long))
    harness.pipe_all(("A", "x", 5), ("A", "y", 3))
    assert [record[:3] + record[4:] for record in harness.changelog] == [
        ("app-store-changelog", b"A", b"\0\0\0\0\0\0\0\1", 5, 0),
        ("app-store-changelog", b"A", b"\0\0\0\0\0\0\0\2", 5, 0),
    ]


def test_old_values_are_sent_only_on_request() -> None:
    records = [("A", "1", 0), ("A", "2", 1)]
    assert with_old(Harness(_aggregate(), _store()).pipe_all(*records)) == [
        ("A", "0+1", None, 0),
        ("A", "0+1+2", None, 1),
    ]
    aggregate, reduce = _aggregate(), _reduce()
    assert aggregate.enable_sending_old_values(True)
    assert reduce.enable_sending_old_values(True)
    # The old value of a new aggregate is the initial one, as in Kafka.
    assert with_old(Harness(aggregate, _store()).pipe_all(*records)) == [
        ("A", "0+1", "0", 0),
        ("A", "0+1+2", "0+1", 1),
    ]
    assert with_old(Harness(reduce, _store()).pipe_all(*records)) == [
        ("A", "1", None, 0),
        ("A", "1+2", "1", 1),
    ]


def test_an_aggregate_that_is_changed_in_place_does_not_change_the_old_value() -> None:
    def append(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.append(value)
        return aggregate

    supplier = KStreamAggregateSupplier("store", list, append)
    supplier.enable_sending_old_values(True)
    harness = Harness(supplier, _store(serdes.json))
    assert with_old(harness.pipe_all(("A", "1", 0), ("A", "2", 1))) == [
        ("A", ["1"], [], 0),
        ("A", ["1", "2"], ["1"], 1),
    ]


def test_a_versioned_store_takes_records_out_of_order_unless_they_are_too_old() -> None:
    harness = Harness(_aggregate(), _versioned(100))
    newest = harness.pipe("A", "1", 1000)
    assert (plain(newest), newest[0].value.is_latest) == ([("A", "0+1", 1000)], True)
    # The aggregate has the newest time, so the update is the latest too.
    late = harness.pipe("A", "2", 990)
    assert (plain(late), late[0].value.is_latest) == ([("A", "0+1+2", 1000)], True)
    # A new key begins at the record's own time, which history does not reach.
    assert harness.pipe("B", "3", 10) == []
    assert harness.drops == {"expired": 1}


def test_an_update_that_is_older_than_a_deletion_is_not_the_latest() -> None:
    def value_or_delete(key: str, value: str, aggregate: str) -> str | None:
        return None if value == "x" else value

    supplier = KStreamAggregateSupplier("store", lambda: "0", value_or_delete)
    harness = Harness(supplier, _versioned(100))
    output = harness.pipe_all(("A", "1", 1000), ("A", "x", 1010), ("A", "2", 1005))
    assert [
        (*one, record.value.is_latest) for one, record in zip(plain(output), output, strict=True)
    ] == [
        ("A", "1", 1000, True),
        ("A", None, 1010, True),
        ("A", "2", 1005, False),
    ]


def test_the_view_reads_the_store() -> None:
    supplier = _aggregate()
    harness = Harness(supplier, _store())
    harness.pipe("A", "1", 3)
    view = supplier.view()
    assert view.store_names == ("store",)
    getter = view()
    getter.init(ProcessorContext(harness.node))
    assert tuple(getter.get("A")) == ("0+1", 3)
    assert getter.get("B") is None
    assert not getter.is_versioned


def test_an_error_of_a_function_comes_out_and_changes_nothing() -> None:
    def fail(key: str, value: str, aggregate: str) -> str:
        raise RuntimeError("no")

    supplier = KStreamAggregateSupplier("store", lambda: "0", fail)
    harness = Harness(supplier, _store())
    with pytest.raises(RuntimeError, match="no"):
        harness.pipe("A", "1", 0)
    assert harness.store("store").get("A") is None
    assert fail in harness.node.functions()


@given(
    records=st.lists(
        st.tuples(
            st.none() | st.sampled_from(["a", "b", "c"]),
            st.none() | st.sampled_from(["x", "y"]),
            st.integers(0, 100),
        )
    )
)
def test_counts_are_what_a_dict_says(records: list[tuple[str | None, str | None, int]]) -> None:
    harness = Harness(KStreamCountSupplier("store"), _store(serdes.long))
    expected: dict[str, tuple[int, int]] = {}
    for key, value, time in records:
        output = plain(harness.pipe(key, value, time))
        if key is None or value is None:
            assert output == []
            continue
        count, newest = expected.get(key, (0, 0))
        expected[key] = (count + 1, max(newest, time))
        assert output == [(key, *expected[key])]
    assert {key: tuple(found) for key, found in harness.store("store").all()} == expected
