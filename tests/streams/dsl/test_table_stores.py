"""Which tables are kept, where, by what; and which serdes steps hand on.

Cases of Kafka Streams' StreamsBuilderTest, KTableImplTest and KStreamImplTest, in our words.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tests.streams.dsl.shapes import (
    STRINGS,
    Ignore,
    always,
    append,
    both,
    node_names,
    nothing,
    pair,
    same,
    store_names,
    stores_of,
)

from pylog.streams import serdes
from pylog.streams.config import StreamsConfig
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.kstream import KStream
from pylog.streams.dsl.ktable import KTable
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import TopologyError
from pylog.streams.serde import Serde
from pylog.streams.state import stores
from pylog.streams.windowed_serde import SessionWindowedSerde, TimeWindowedSerde
from pylog.streams.windows import JoinWindows, SessionWindows, SlidingWindows, TimeWindows

HOUR = JoinWindows.of_time_difference_with_no_grace("1h")
MINE = Serde.of(lambda data: data, lambda data: data, name="mine")


def joined_with_stream(make: Callable[[KTable, StreamsBuilder], KTable]) -> Any:
    builder = StreamsBuilder()
    table = make(builder.table("table-topic"), builder)
    builder.stream("stream-topic").join(table, both, name="join")
    return builder.build()


def test_a_table_that_nobody_looks_up_is_not_kept():
    builder = StreamsBuilder()
    builder.table("topic", materialized=Materialized(key_serde=serdes.long)).to_stream().to("out")
    assert store_names(builder.build()) == []


def test_a_table_that_a_join_looks_up_is_kept():
    topology = joined_with_stream(lambda table, builder: table)
    [store] = store_names(topology)
    assert stores_of(topology, "KTABLE-SOURCE-0000000002") == {store}
    assert stores_of(topology, "join") == {store}


STEPS: dict[str, Callable[..., KTable]] = {
    "filter": lambda table, **options: table.filter(always, name="step", **options),
    "map_values": lambda table, **options: table.map_values(same, name="step", **options),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_not_kept_is_looked_up_in_its_source(step: str):
    topology = joined_with_stream(lambda table, builder: STEPS[step](table))
    [store] = store_names(topology)
    assert store == "table-topic-STATE-STORE-0000000000"
    assert stores_of(topology, "join") == {store}
    assert stores_of(topology, "step") == set()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_kept_is_looked_up_in_its_store_and_its_source_is_not_kept(step: str):
    kept = Materialized.as_("store")
    topology = joined_with_stream(lambda table, builder: STEPS[step](table, materialized=kept))
    assert store_names(topology) == ["store"]
    assert stores_of(topology, "join") == stores_of(topology, "step") == {"store"}


def test_a_join_that_is_not_kept_is_looked_up_in_both_tables():
    topology = joined_with_stream(
        lambda table, builder: table.join(builder.table("other"), both, name="tables")
    )
    assert len(store_names(topology)) == 2
    assert stores_of(topology, "join") == set(store_names(topology))
    assert stores_of(topology, "tables") == set()


def test_a_join_that_is_kept_is_looked_up_in_its_store():
    kept = Materialized.as_("store")
    topology = joined_with_stream(
        lambda table, builder: table.join(builder.table("other"), both, materialized=kept)
    )
    assert len(store_names(topology)) == 3
    assert stores_of(topology, "join") == {"store"}


def test_old_values_are_sent_only_if_there_is_a_store_or_one_is_forced():
    builder = StreamsBuilder()
    table = builder.table("topic").filter(always)
    assert not table.enable_sending_old_values(False)
    assert store_names_of_source(builder) == []
    assert table.enable_sending_old_values(True)
    assert len(store_names(builder.build())) == 1


def store_names_of_source(builder: StreamsBuilder) -> list[str]:
    [source] = builder._graph.root.children
    supplier: Any = source._supplier  # type: ignore[attr-defined]
    return [supplier.queryable_name] if supplier.is_materialized else []


@pytest.mark.parametrize(("name", "expected"), [("mine", "mine"), (None, None)])
def test_the_name_to_query_by_is_the_one_that_was_given(name: str | None, expected: str | None):
    materialized = Materialized(name)
    builder = StreamsBuilder()
    tables = [
        builder.table("a", materialized=materialized),
        builder.global_table("b", materialized=materialized),
        builder.stream("c").to_table(materialized=materialized),
        builder.stream("d").group_by_key().count(materialized=materialized),
        builder.table("e").filter(always, materialized=materialized),
    ]
    assert [table.queryable_store_name for table in tables] == [expected] * 5


def test_a_global_table_is_always_kept_and_has_no_changelog():
    builder = StreamsBuilder()
    builder.global_table("topic")
    [store] = builder.build().global_stores.values()
    assert not store.logging_enabled


def test_a_global_table_cannot_be_versioned():
    supplier = stores.persistent_versioned_key_value_store("store", 0)
    with pytest.raises(TopologyError, match="global_table of 'topic'.*versioned"):
        StreamsBuilder().global_table("topic", materialized=Materialized(supplier=supplier))


# What keeps it.


def built(store: Any, default: str) -> Any:
    store.configure(StreamsConfig({"application.id": "app", "default.dsl.store": default}))
    return store.build()


GROUPED: dict[str, Callable[[KStream, Materialized], Any]] = {
    "plain": lambda stream, kept: stream.group_by_key().count(materialized=kept),
    "time": lambda stream, kept: (
        stream.group_by_key()
        .windowed_by(TimeWindows.of_size_with_no_grace("1h"))
        .count(materialized=kept)
    ),
    "sliding": lambda stream, kept: (
        stream.group_by_key()
        .windowed_by(SlidingWindows.of_time_difference_with_no_grace("1h"))
        .count(materialized=kept)
    ),
    "session": lambda stream, kept: (
        stream.group_by_key()
        .windowed_by(SessionWindows.of_inactivity_gap_with_no_grace("1h"))
        .count(materialized=kept)
    ),
}


@pytest.mark.parametrize("kind", GROUPED)
@pytest.mark.parametrize(
    ("store_type", "default", "is_persistent"),
    [
        (None, "rocksDB", True),
        (None, "in_memory", False),
        ("in_memory", "rocksDB", False),
        ("persistent", "in_memory", True),
    ],
)
def test_a_store_is_of_the_type_that_was_given_or_else_of_the_default(
    kind: str, store_type: str | None, default: str, is_persistent: bool
):
    builder = StreamsBuilder()
    GROUPED[kind](builder.stream("topic"), Materialized("store", store_type=store_type))
    store = built(builder.build().stores["store"], default)
    assert store.name == "store"
    assert store.is_persistent == is_persistent


@pytest.mark.parametrize(
    ("store_type", "shared_is_persistent"), [(None, False), ("persistent", True)]
)
def test_the_shared_store_of_an_outer_join_is_of_the_given_type_or_that_of_the_left_store(
    store_type: str | None, shared_is_persistent: bool
):
    builder = StreamsBuilder()
    size = HOUR.size_ms
    builder.stream("left").outer_join(
        builder.stream("right"),
        both,
        HOUR,
        name="join",
        store_type=store_type,
        this_store_supplier=stores.in_memory_window_store("this", size, size, True),
        other_store_supplier=stores.persistent_window_store("other", size, size, True),
    )
    found = {
        name: built(store, "rocksDB").is_persistent
        for name, store in builder.build().stores.items()
    }
    assert found == {
        "this": False,
        "other": True,
        "this-outer-shared-join-store": shared_is_persistent,
    }


def test_logging_caching_and_configs_reach_the_store():
    builder = StreamsBuilder()
    kept = Materialized("store", caching_enabled=False, log_config={"min.insync.replicas": "2"})
    builder.stream("topic").group_by_key().count(materialized=kept)
    builder.table("other", materialized=Materialized("bare", logging_enabled=False))
    found = builder.build().stores
    assert found["store"].log_config == {"min.insync.replicas": "2"}
    assert not found["store"].caching_enabled
    assert found["bare"].caching_enabled
    assert not found["bare"].logging_enabled


def test_stores_of_a_join_are_not_compacted():
    builder = StreamsBuilder()
    left, right = builder.stream("left"), builder.stream("right")
    left.join(right, both, HOUR, log_config={"retention.ms": "1"}, store_name="kept")
    store = builder.build().stores["kept-this-join-store"]
    assert store.log_config == {"retention.ms": "1", "cleanup.policy": "delete"}
    assert (store.changelog_kind, store.retention_ms) == ("compact_delete", HOUR.size_ms)


def test_the_retention_of_windows_is_their_size_and_grace_if_not_given():
    def retention_ms(**options: Any) -> int | None:
        builder = StreamsBuilder()
        windows = TimeWindows.of_size_and_grace("10s", "5s")
        grouped = builder.stream("topic").group_by_key().windowed_by(windows)
        grouped.count(materialized=Materialized("store", **options))
        retention: int | None = builder.build().stores["store"].retention_ms
        return retention

    assert retention_ms() == 15_000
    assert retention_ms(retention="1m") == 60_000
    with pytest.raises(TopologyError, match="'store'.*14999 ms is shorter.*15000 ms"):
        retention_ms(retention=14_999)


def test_a_store_of_another_kind_is_refused():
    supplier = stores.in_memory_key_value_store("store")
    windows = TimeWindows.of_size_with_no_grace("10s")
    grouped = StreamsBuilder().stream("topic").group_by_key().windowed_by(windows)
    with pytest.raises(TopologyError, match="'store': a window store is needed"):
        grouped.count(materialized=Materialized(supplier=supplier))


# Serdes.


def serdes_of(handle: Any) -> tuple[Serde | None, Serde | None]:
    return handle.key_serde, handle.value_serde


STRING, NO_SERDE = serdes.string, None
STREAM_STEPS: dict[str, tuple[Callable[[KStream], Any], Any, Any]] = {
    "filter": (lambda s: s.filter(always), STRING, STRING),
    "filter_not": (lambda s: s.filter_not(always), STRING, STRING),
    "peek": (lambda s: s.peek(always), STRING, STRING),
    "select_key": (lambda s: s.select_key(always), None, STRING),
    "map": (lambda s: s.map(pair), None, None),
    "flat_map": (lambda s: s.flat_map(lambda k, v: []), None, None),
    "map_values": (lambda s: s.map_values(same), STRING, None),
    "flat_map_values": (lambda s: s.flat_map_values(lambda v: []), STRING, None),
    "process": (lambda s: s.process(Ignore), None, None),
    "process_values": (lambda s: s.process_values(Ignore), STRING, None),
    "merge": (lambda s: s.merge(s), None, None),
    "repartition": (lambda s: s.repartition(), STRING, STRING),
    "repartition as mine": (
        lambda s: s.repartition(key_serde=MINE, value_serde=MINE),
        MINE,
        MINE,
    ),
    "group_by_key": (lambda s: s.group_by_key(), STRING, STRING),
    "group_by_key as mine": (
        lambda s: s.group_by_key(key_serde=MINE, value_serde=MINE),
        MINE,
        MINE,
    ),
    "group_by": (lambda s: s.group_by(always), None, STRING),
    "group_by as mine": (
        lambda s: s.group_by(always, key_serde=MINE, value_serde=MINE),
        MINE,
        MINE,
    ),
    "to_table": (lambda s: s.to_table(), STRING, STRING),
    "to_table as mine": (
        lambda s: s.to_table(materialized=Materialized.with_serdes(MINE, MINE)),
        MINE,
        MINE,
    ),
    "join a stream": (lambda s: s.join(s, both, HOUR), STRING, None),
    "join a stream as mine": (lambda s: s.join(s, both, HOUR, key_serde=MINE), MINE, None),
    "count": (lambda s: s.group_by_key().count(), STRING, serdes.long),
    "reduce": (lambda s: s.group_by_key().reduce(both), STRING, STRING),
    "aggregate": (lambda s: s.group_by_key().aggregate(nothing, append), STRING, None),
}


@pytest.mark.parametrize("step", STREAM_STEPS)
def test_a_step_of_a_stream_hands_on_the_serdes_that_still_hold(step: str):
    make, key_serde, value_serde = STREAM_STEPS[step]
    stream = StreamsBuilder().stream("topic", **STRINGS)
    assert serdes_of(make(stream)) == (key_serde, value_serde)


AS_MINE = Materialized.with_serdes(MINE, MINE)
TABLE_STEPS: dict[str, tuple[Callable[[KTable], Any], Any, Any]] = {
    "filter": (lambda t: t.filter(always), STRING, STRING),
    "filter as mine": (lambda t: t.filter(always, materialized=AS_MINE), MINE, MINE),
    "map_values": (lambda t: t.map_values(same), STRING, None),
    "map_values as mine": (lambda t: t.map_values(same, materialized=AS_MINE), MINE, MINE),
    "to_stream": (lambda t: t.to_stream(), STRING, STRING),
    "to_stream by another key": (lambda t: t.to_stream(always), None, STRING),
    "transform_values": (lambda t: t.transform_values(Ignore), STRING, None),
    "transform_values as mine": (
        lambda t: t.transform_values(Ignore, materialized=AS_MINE),
        MINE,
        MINE,
    ),
    "join": (lambda t: t.join(t, both), STRING, None),
    "left_join as mine": (lambda t: t.left_join(t, both, materialized=AS_MINE), MINE, MINE),
    "group_by": (lambda t: t.group_by(pair), None, None),
}


@pytest.mark.parametrize("step", TABLE_STEPS)
def test_a_step_of_a_table_hands_on_the_serdes_that_still_hold(step: str):
    make, key_serde, value_serde = TABLE_STEPS[step]
    table = StreamsBuilder().table("topic", **STRINGS)
    assert serdes_of(make(table)) == (key_serde, value_serde)


def test_keys_of_windows_have_windowed_serdes_even_if_the_inner_one_is_not_known():
    grouped = StreamsBuilder().stream("topic").group_by_key()
    time = grouped.windowed_by(TimeWindows.of_size_with_no_grace(7)).count().key_serde
    session = grouped.windowed_by(SessionWindows.of_inactivity_gap_with_no_grace(7)).count()
    assert isinstance(time, TimeWindowedSerde)
    assert (time.inner, time.window_size_ms) == (None, 7)
    assert isinstance(session.key_serde, SessionWindowedSerde)


def test_a_table_takes_serdes_from_either_place():
    builder = StreamsBuilder()
    by_store = builder.table("a", materialized=Materialized.with_serdes(MINE, STRING))
    by_topic = builder.table("b", key_serde=MINE, materialized=Materialized.as_("kept"))
    assert serdes_of(by_store) == (MINE, STRING)
    assert serdes_of(by_topic) == (MINE, NO_SERDE)
    topology = builder.build()
    source: Any = topology.definitions["KSTREAM-SOURCE-0000000001"]
    assert (source.key_serde, source.value_serde) == (MINE, STRING)
    assert topology.stores["kept"].key_serde == MINE


def test_cogrouped_streams_take_the_key_serde_of_one_that_has_one():
    builder = StreamsBuilder()
    first = builder.stream("first").group_by_key()
    second = builder.stream("second", key_serde=STRING).group_by_key()
    table = first.cogroup(append).cogroup(second, append).aggregate(nothing)
    assert table.key_serde == STRING
    assert node_names(builder.build())[-1] == table.name
