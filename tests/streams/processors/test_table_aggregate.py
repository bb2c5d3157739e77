"""Aggregates of grouped tables. Cases of Kafka's KTableAggregateTest, in words of our own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.processors.harness import Harness, add, plain, with_old

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.ktable import KTable
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import StreamsError
from pylog.streams.processors.table_aggregate import KTableAggregateSupplier, KTableReduceSupplier
from pylog.streams.record import Change
from pylog.streams.state import stores
from pylog.streams.testing import TopologyTestDriver

CONFIG = {
    "application.id": "app",
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "statestore.cache.max.bytes": 0,
    "default.dsl.store": "in_memory",
}


def _remove(key: Any, value: Any, aggregate: str) -> str:
    return f"{aggregate}-{value}"


def _store(value_serde: Any = serdes.string) -> Any:
    supplier = stores.in_memory_key_value_store("store")
    return stores.timestamped_key_value_store_builder(supplier, serdes.string, value_serde)


def _aggregate() -> KTableAggregateSupplier:
    return KTableAggregateSupplier("store", lambda: "0", add, _remove)


def _reduce() -> KTableReduceSupplier:
    return KTableReduceSupplier("store", lambda a, v: f"{a}+{v}", lambda a, v: f"{a}-{v}")


def _harness(supplier: Any = None) -> Harness:
    return Harness(supplier or _aggregate(), _store())


def test_the_old_value_is_taken_out_before_the_new_one_is_put_in() -> None:
    assert plain(_harness().pipe_all(("A", Change("1", None), 10), ("A", Change("2", "1"), 5))) == [
        ("A", "0+1", 10),
        ("A", "0+1-1+2", 10),
    ]


def test_nothing_is_taken_out_of_an_aggregate_that_is_not_there() -> None:
    harness = _harness()
    # A deletion of what is not there is stored, and said, as none.
    assert plain(harness.pipe("A", Change(None, "1"), 10)) == [("A", None, 10)]
    assert plain(harness.pipe("A", Change("2", "1"), 5)) == [("A", "0+2", 5)]


def test_a_change_without_new_value_only_takes_out() -> None:
    records = [("A", Change("1", None), 10), ("A", Change(None, "1"), 12)]
    assert plain(_harness().pipe_all(*records)) == [("A", "0+1", 10), ("A", "0+1-1", 12)]


def test_a_change_of_nothing_has_the_time_of_its_record() -> None:
    records = [("A", Change("1", None), 10), ("A", Change(None, None), 4)]
    assert plain(_harness().pipe_all(*records)) == [("A", "0+1", 10), ("A", "0+1", 4)]


def test_an_aggregate_that_becomes_none_begins_anew() -> None:
    supplier = KTableAggregateSupplier(
        "store", lambda: "0", add, lambda key, value, aggregate: None
    )
    records = [
        ("A", Change("1", None), 10),
        ("A", Change("2", "1"), 4),
        ("A", Change(None, "2"), 5),
    ]
    assert plain(_harness(supplier).pipe_all(*records)) == [
        ("A", "0+1", 10),
        ("A", "0+2", 10),
        ("A", None, 10),
    ]


@pytest.mark.parametrize("supplier", [_aggregate(), _reduce()])
def test_a_record_without_key_is_an_error(supplier: Any) -> None:
    with pytest.raises(StreamsError, match="aggregate in store 'store' is None"):
        _harness(supplier).pipe(None, Change("1", None), 0)


def test_a_reduction_begins_with_the_first_value() -> None:
    records = [
        ("A", Change("1", None), 10),
        ("A", Change("2", "1"), 5),
        ("A", Change(None, "2"), 12),
        ("B", Change(None, "2"), 12),
    ]
    assert plain(_harness(_reduce()).pipe_all(*records)) == [
        ("A", "1", 10),
        ("A", "1-1+2", 10),
        ("A", "1-1+2-2", 12),
        ("B", None, 12),
    ]


def test_a_reduction_that_becomes_none_takes_the_new_value() -> None:
    supplier = KTableReduceSupplier("store", lambda a, v: f"{a}+{v}", lambda a, v: None)
    records = [("A", Change("1", None), 10), ("A", Change("2", "1"), 4)]
    assert plain(_harness(supplier).pipe_all(*records)) == [("A", "1", 10), ("A", "2", 10)]


@pytest.mark.parametrize("supplier", [_aggregate(), _reduce()])
def test_old_values_are_sent_on_request(supplier: Any) -> None:
    assert supplier.enable_sending_old_values(True)
    records = [("A", Change("1", None), 10), ("A", Change(None, "1"), 12)]
    olds = [old for _, _, old, _ in with_old(_harness(supplier).pipe_all(*records))]
    assert olds in ([None, "0+1"], [None, "1"])


def test_an_aggregate_that_is_changed_in_place_does_not_change_the_old_value() -> None:
    def append(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.append(value)
        return aggregate

    def drop(key: str, value: str, aggregate: list[str]) -> list[str]:
        aggregate.remove(value)
        return aggregate

    supplier = KTableAggregateSupplier("store", list, append, drop)
    supplier.enable_sending_old_values(True)
    harness = Harness(supplier, _store(serdes.json))
    records = [("A", Change("1", None), 0), ("A", Change("2", "1"), 1)]
    assert with_old(harness.pipe_all(*records)) == [
        ("A", ["1"], None, 0),
        ("A", ["2"], ["1"], 1),
    ]


def test_all_functions_of_the_program_can_be_named() -> None:
    assert _harness().node.functions()[1:] == (add, _remove)
    assert len(_harness(_reduce()).node.functions()) == 2


def _run(
    builder: StreamsBuilder,
    result: KTable,
    *records: tuple[str, str | None, int],
    value_serde: Any = serdes.string,
) -> list[tuple[Any, Any, int]]:
    result.to_stream().to("output", value_serde=value_serde)
    with TopologyTestDriver(builder.build(), CONFIG) as driver:
        given = driver.create_input_topic("input")
        for record in records:
            given.pipe_input(*record)
        output = driver.create_output_topic("output", None, value_serde).read_records_to_list()
        return [(record.key, record.value, record.timestamp) for record in output]


def _of_table(mapper: Any, materialized: Materialized | None = None) -> tuple[Any, KTable]:
    builder = StreamsBuilder()
    grouped = builder.table("input", materialized=materialized).group_by(mapper)
    return builder, grouped.aggregate(
        lambda: "0", add, _remove, materialized=Materialized.as_("aggregates")
    )


def test_groups_that_stay_the_same_are_updated_once() -> None:
    builder, result = _of_table(lambda key, value: (key, value))
    records = [
        ("A", "1", 10),
        ("B", "2", 15),
        ("A", "3", 20),
        ("B", "4", 18),
        ("C", "5", 5),
        ("D", "6", 25),
        ("B", "7", 15),
        ("C", "8", 10),
    ]
    assert _run(builder, result, *records) == [
        ("A", "0+1", 10),
        ("B", "0+2", 15),
        ("A", "0+1-1+3", 20),
        ("B", "0+2-2+4", 18),
        ("C", "0+5", 5),
        ("D", "0+6", 25),
        ("B", "0+2-2+4-4+7", 18),
        ("C", "0+5-5+8", 10),
    ]


def _by_value(key: str, value: str) -> tuple[str | None, str] | None:
    if key == "NULL":
        return None
    return (None if key == "null" else value, value)


MOVES: list[tuple[str, str | None, int]] = [
    ("A", "1", 10),
    ("A", None, 15),
    ("A", "1", 12),
    ("B", "2", 20),
    ("null", "3", 25),
    ("B", "4", 23),
    ("B", "7", 22),
]


def test_groups_that_change_lose_the_old_value_and_get_the_new_one() -> None:
    builder, result = _of_table(_by_value)
    assert _run(builder, result, *MOVES) == [
        ("1", "0+1", 10),
        ("1", "0+1-1", 15),
        ("1", "0+1-1+1", 15),
        ("2", "0+2", 20),
        ("2", "0+2-2", 23),
        ("4", "0+4", 23),
        ("4", "0+4-4", 23),
        ("7", "0+7", 22),
    ]


def test_updates_out_of_order_of_a_versioned_table_are_no_updates_of_its_groups() -> None:
    supplier = stores.persistent_versioned_key_value_store("versions", 300_000)
    builder, result = _of_table(_by_value, Materialized.as_(supplier))
    assert _run(builder, result, *MOVES) == [
        ("1", "0+1", 10),
        ("1", "0+1-1", 15),
        ("2", "0+2", 20),
        ("2", "0+2-2", 23),
        ("4", "0+4", 23),
    ]


COUNTED: list[tuple[str, str | None, int]] = [
    ("A", "green", 10),
    ("B", "green", 9),
    ("A", "blue", 12),
    ("C", "yellow", 15),
    ("D", "green", 11),
]


@pytest.mark.parametrize("materialized", [None, Materialized.as_("count")])
def test_rows_of_a_group_are_counted(materialized: Materialized | None) -> None:
    builder = StreamsBuilder()
    grouped = builder.table("input").group_by(lambda key, value: (value, value))
    result = grouped.count(materialized=materialized)
    assert _run(builder, result, *COUNTED, value_serde=serdes.long) == [
        ("green", 1, 10),
        ("green", 2, 10),
        ("green", 1, 12),
        ("blue", 1, 12),
        ("yellow", 1, 15),
        ("green", 2, 12),
    ]


def test_of_two_rows_of_a_group_only_the_one_that_changes_is_taken_out() -> None:
    builder = StreamsBuilder()
    result = (
        builder.table("input")
        .group_by(lambda key, value: (key[0], key[1]))
        .aggregate(
            lambda: "",
            lambda key, value, aggregate: aggregate + value,
            lambda key, value, aggregate: aggregate.replace(value, ""),
        )
    )
    records = [("11", "A", 10), ("12", "B", 8), ("11", None, 12), ("12", "C", 6)]
    assert _run(builder, result, *records) == [
        ("1", "1", 10),
        ("1", "12", 10),
        ("1", "2", 12),
        ("1", "2", 12),
    ]


@given(
    updates=st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from("xyz"), st.integers(0, 50)),
        max_size=20,
    )
)
def test_counts_of_groups_are_those_of_the_table(
    updates: list[tuple[str, str | None, int]],
) -> None:
    builder = StreamsBuilder()
    result = builder.table("input").group_by(lambda key, value: (value, key)).count()
    table: dict[str, str] = {}
    for key, value, _ in updates:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    counts = {key: 0 for _, key, _ in updates if key is not None}
    for value in table.values():
        counts[value] += 1
    output = _run(builder, result, *updates, value_serde=serdes.long)
    assert {key: value for key, value, _ in output} == counts
