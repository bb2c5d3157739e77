"""What the DSL refuses, when, and that it says what was wrong and where.

Cases of Kafka Streams' KStreamImplTest, KTableImplTest, KGroupedStreamImplTest and others, in our
words, and more.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.streams.dsl.shapes import Ignore, always, append, both, nothing, pair, same

from pylog.streams.app import Streams
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import StreamsConfigError, TopologyError
from pylog.streams.functions import check_function, describe_function
from pylog.streams.keyed_function import with_key
from pylog.streams.state import stores
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.windows import EmitStrategy, JoinWindows, TimeWindows, UnlimitedWindows

NEAR = JoinWindows.of_time_difference_with_no_grace(10)
WINDOWS = TimeWindows.of_size_with_no_grace(10)


def stream() -> Any:
    return StreamsBuilder().stream("input")


def table() -> Any:
    return StreamsBuilder().table("input")


def grouped() -> Any:
    return stream().group_by_key()


# Every operator with one of its functions left open.
PLACES: dict[str, Callable[[Any], Any]] = {
    "filter": lambda bad: stream().filter(bad),
    "filter_not": lambda bad: stream().filter_not(bad),
    "map": lambda bad: stream().map(bad),
    "map_values": lambda bad: stream().map_values(bad),
    "flat_map": lambda bad: stream().flat_map(bad),
    "flat_map_values": lambda bad: stream().flat_map_values(bad),
    "select_key": lambda bad: stream().select_key(bad),
    "peek": lambda bad: stream().peek(bad),
    "foreach": lambda bad: stream().foreach(bad),
    "group_by": lambda bad: stream().group_by(bad),
    "branch": lambda bad: stream().split().branch(bad),
    "chain": lambda bad: stream().split().default_branch(chain=bad),
    "process": lambda bad: stream().process(bad),
    "process_values": lambda bad: stream().process_values(bad),
    "to": lambda bad: stream().to(bad),
    "to partitioner": lambda bad: stream().to("topic", partitioner=bad),
    "repartition partitioner": lambda bad: stream().repartition(partitioner=bad),
    "print mapper": lambda bad: stream().print(mapper=bad),
    "count before group": lambda bad: grouped().reduce(bad),
    "reduce": lambda bad: grouped().reduce(bad),
    "aggregate initializer": lambda bad: grouped().aggregate(bad, append),
    "aggregate aggregator": lambda bad: grouped().aggregate(nothing, bad),
    "windowed reduce": lambda bad: grouped().windowed_by(WINDOWS).reduce(bad),
    "windowed aggregate": lambda bad: grouped().windowed_by(WINDOWS).aggregate(nothing, bad),
    "cogroup": lambda bad: grouped().cogroup(bad),
    "cogroup aggregate": lambda bad: grouped().cogroup(append).aggregate(bad),
    "table filter": lambda bad: table().filter(bad),
    "table filter_not": lambda bad: table().filter_not(bad),
    "table map_values": lambda bad: table().map_values(bad),
    "table transform_values": lambda bad: table().transform_values(bad),
    "table to_stream": lambda bad: table().to_stream(bad),
    "table group_by": lambda bad: table().group_by(bad),
    "table reduce adder": lambda bad: table().group_by(pair).reduce(bad, both),
    "table reduce subtractor": lambda bad: table().group_by(pair).reduce(both, bad),
    "table aggregate": lambda bad: table().group_by(pair).aggregate(nothing, append, bad),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_cannot_be_called_is_refused_and_named(place: str):
    with pytest.raises(TypeError, match=r"\b7\b"):
        PLACES[place](7 if place != "table to_stream" else 7)


@pytest.mark.parametrize("place", PLACES)
def test_a_function_of_too_many_arguments_is_refused_and_named(place: str):
    def six(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
        return a

    with pytest.raises(TypeError, match=r"six \(.*test_bad_calls\.py:\d+\)"):
        PLACES[place](six)


@pytest.mark.parametrize("place", ["filter", "map", "select_key", "group_by", "to", "reduce"])
def test_with_key_is_refused_where_the_key_is_there_already(place: str):
    with pytest.raises(TypeError, match="with_key is for mappers and joiners of values"):
        PLACES[place](with_key(same))


def test_the_error_says_operator_node_what_was_expected_and_what_came():
    with pytest.raises(TypeError) as error:
        stream().filter(lambda value: True, name="large-ones")
    text = str(error.value)
    assert text.startswith("filter 'large-ones' after KSTREAM-SOURCE-0000000000: predicate ")
    assert "is a function of (key, value)" in text
    assert "takes (value): too many positional arguments" in text


@pytest.mark.parametrize(
    "function",
    [same, str, len, lambda value, more=1: value, lambda *values: values, "{}".format, Ignore],
)
def test_functions_methods_classes_and_builtins_pass_if_one_argument_will_do(function: Any):
    if function is Ignore:
        with pytest.raises(TypeError):
            check_function(function, ("value",), "here")
    else:
        check_function(function, ("value",), "here")


def test_a_decorated_function_is_described_by_what_it_wraps():
    assert describe_function(with_key(both).function).startswith("both (")
    assert describe_function(len) == "len"


@pytest.mark.parametrize("operation", ["join", "left_join", "outer_join"])
def test_a_join_of_streams_without_windows_is_refused(operation: str):
    left = stream()
    with pytest.raises((TopologyError, TypeError), match=r"windows"):
        getattr(left, operation)(left, both, *([None] if operation == "outer_join" else []))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"windows": NEAR}, "windows"),
        ({"store_name": "kept"}, "store_name"),
        ({"key_selector": pair}, "key_selector"),
        ({"logging_enabled": False, "store_type": "in_memory"}, "store_type, logging_enabled"),
    ],
)
def test_arguments_of_another_kind_of_join_are_refused(options: dict[str, Any], named: str):
    builder = StreamsBuilder()
    with pytest.raises(TopologyError, match=f"{named} means nothing in a join of a stream with a"):
        builder.stream("stream").join(builder.table("table"), both, **options)


def test_a_join_with_a_global_table_without_key_selector_is_refused():
    builder = StreamsBuilder()
    with pytest.raises(TopologyError, match="needs key_selector"):
        builder.stream("stream").join(builder.global_table("table"), both)


def test_an_outer_join_of_a_stream_with_a_table_is_refused():
    builder = StreamsBuilder()
    other: Any = builder.table("table")
    with pytest.raises(TopologyError, match="no outer join with a table; use left_join"):
        builder.stream("stream").outer_join(other, both, NEAR)


def test_a_table_joins_only_tables():
    with pytest.raises(TypeError, match="a table is joined with a KTable"):
        table().join(stream(), both)


def test_a_stream_joins_no_grouped_stream():
    with pytest.raises(TypeError, match="KStream, KTable or GlobalKTable, not <KGroupedStream"):
        stream().join(grouped(), both)


def test_partitioners_of_a_join_by_key_are_refused():
    one = table()
    with pytest.raises(TopologyError, match="mean nothing without foreign_key_extractor"):
        one.join(one, both, partitioner=lambda topic, key, value, count: 0)


@pytest.mark.parametrize(
    "combine",
    [
        lambda: stream().merge(stream()),
        lambda: stream().join(stream(), both, NEAR),
        lambda: stream().join(table(), both),
        lambda: table().join(table(), both),
        lambda: grouped().cogroup(append).cogroup(grouped(), append),
    ],
)
def test_handles_of_two_builders_do_not_mix(combine: Callable[[], Any]):
    with pytest.raises(TopologyError, match="comes from another StreamsBuilder"):
        combine()


def test_cogroup_wants_grouped_streams():
    with pytest.raises(TypeError, match="group_by or group_by_key is missing before <KStream"):
        grouped().cogroup(append).cogroup(stream(), append)


@pytest.mark.parametrize("windows", [None, NEAR, 10, "10s"])
def test_windowed_by_wants_windows(windows: Any):
    with pytest.raises(TypeError, match="windows are TimeWindows, SlidingWindows"):
        grouped().windowed_by(windows)
    with pytest.raises(TypeError, match="windows are TimeWindows, SlidingWindows"):
        grouped().cogroup(append).windowed_by(windows)


def test_unlimited_windows_cannot_emit_when_they_close():
    windowed = grouped().windowed_by(UnlimitedWindows.of())
    with pytest.raises(ValueError, match="unlimited windows never close"):
        windowed.emit_strategy(EmitStrategy.on_window_close())


def test_final_results_of_a_table_without_windows_are_refused():
    with pytest.raises(TopologyError, match="until_window_closes is for tables of windows"):
        table().suppress(Suppressed.until_window_closes())


@pytest.mark.parametrize(
    "call",
    [
        lambda kept: table().filter(always, materialized=kept),
        lambda kept: table().join(table(), both, materialized=kept),
        lambda kept: grouped().count(materialized=kept),
        lambda kept: grouped().windowed_by(WINDOWS).count(materialized=kept),
        lambda kept: grouped().cogroup(append).aggregate(nothing, materialized=kept),
        lambda kept: stream().to_table(materialized=kept),
        lambda kept: StreamsBuilder().table("input", materialized=kept),
        lambda kept: StreamsBuilder().global_table("input", materialized=kept),
    ],
)
def test_a_name_in_place_of_materialized_is_refused_with_what_to_write(call: Any):
    with pytest.raises((TypeError, TopologyError), match=r"Materialized\.as_\(name\)|another"):
        call("a-name")


@pytest.mark.parametrize(
    "call",
    [
        lambda bad: StreamsBuilder().stream("input", key_serde=bad),
        lambda bad: StreamsBuilder().table("input", value_serde=bad),
        lambda bad: stream().to("topic", key_serde=bad),
        lambda bad: stream().repartition(value_serde=bad),
        lambda bad: stream().group_by(always, key_serde=bad),
        lambda bad: stream().group_by_key(key_serde=bad),
        lambda bad: table().group_by(pair, value_serde=bad),
        lambda bad: Materialized(key_serde=bad),
    ],
)
def test_what_is_no_serde_is_refused(call: Any):
    with pytest.raises(TypeError, match=r"is a Serde, such as serdes\.string, not <class 'str'>"):
        call(str)


@pytest.mark.parametrize("topics", [[], ["a", ""], ""])
def test_streams_without_topics_are_refused(topics: Any):
    with pytest.raises(TopologyError, match="topic"):
        StreamsBuilder().stream(topics)


def test_topics_that_are_no_text_are_refused():
    with pytest.raises(TypeError, match="a topic's name is text, not None"):
        StreamsBuilder().stream([None])  # type: ignore[list-item]


@pytest.mark.parametrize("count", [0, -1])
def test_a_topic_without_partitions_is_refused(count: int):
    with pytest.raises(ValueError, match=f"at least 1 partition: {count}"):
        stream().repartition(number_of_partitions=count)


def test_a_supplier_of_one_processor_for_all_tasks_is_refused():
    processor = Ignore()
    with pytest.raises(TopologyError, match="gives the same processor twice"):
        stream().process(lambda: processor)


def test_an_instance_in_place_of_a_supplier_is_refused():
    with pytest.raises(TypeError, match="a supplier is a class or a function without arguments"):
        stream().process(Ignore())


def test_stores_of_a_processor_are_given_by_name_in_a_list():
    with pytest.raises(TypeError, match="stores is a list of stores' names, not 'kept'"):
        stream().process(Ignore, stores="kept")


def test_a_store_that_is_not_there_is_named_at_build():
    builder = StreamsBuilder()
    builder.stream("input").process(Ignore, stores=["missing"])
    with pytest.raises(TopologyError, match="missing"):
        builder.build()


@pytest.mark.parametrize(
    "second",
    [
        lambda b: b.stream("b").group_by_key().count(materialized=Materialized.as_("kept")),
        lambda b: b.table("b", materialized=Materialized.as_("kept")),
        lambda b: b.global_table("b", materialized=Materialized.as_("kept")),
        lambda b: b.add_state_store(
            stores.key_value_store_builder(stores.in_memory_key_value_store("kept"), None, None)
        ),
    ],
)
def test_a_store_name_is_used_once(second: Callable[[StreamsBuilder], Any]):
    builder = StreamsBuilder()
    builder.stream("a").group_by_key().count(materialized=Materialized.as_("kept"))
    second(builder)
    with pytest.raises(TopologyError, match="another store has the name 'kept'"):
        builder.build()


def test_a_name_of_a_step_is_used_once():
    builder = StreamsBuilder()
    builder.stream("a").filter(always, name="twice").filter(always, name="twice")
    with pytest.raises(TopologyError, match="twice"):
        builder.build()


def test_a_branch_name_is_used_once_and_the_default_branch_comes_last():
    split = stream().split(name="s").branch(always, name="a")
    with pytest.raises(TopologyError, match="the split has a branch 'sa' already"):
        split.branch(always, name="a")
    split.default_branch()
    with pytest.raises(TopologyError, match="has its default branch already"):
        split.branch(always)


def test_nothing_is_added_after_the_topology_was_built():
    builder = StreamsBuilder()
    input_stream = builder.stream("input")
    topology = builder.build()
    assert builder.build() is topology
    with pytest.raises(TopologyError, match="has been built"):
        input_stream.filter(always)
    with pytest.raises(TopologyError, match="has been built"):
        builder.table("other")


def test_a_grace_period_needs_a_versioned_table_with_enough_history():
    def join(history_ms: int | None) -> None:
        builder = StreamsBuilder()
        kept = None
        if history_ms is not None:
            supplier = stores.persistent_versioned_key_value_store("kept", history_ms)
            kept = Materialized(supplier=supplier)
        joined = builder.table("table", materialized=kept)
        builder.stream("stream").join(joined, both, grace="10s", name="join")
        builder.build()

    join(10_000)
    with pytest.raises(TopologyError, match="join: a grace period needs a versioned table"):
        join(None)
    with pytest.raises(TopologyError, match="'kept', 9999 ms, is shorter than the grace.*10000"):
        join(9_999)


def test_a_negative_grace_period_is_refused():
    builder = StreamsBuilder()
    with pytest.raises(ValueError, match="a grace period is not negative: -1 ms"):
        builder.stream("stream").join(builder.table("table"), both, grace=-1)


def test_a_supplier_of_a_join_has_to_fit_its_windows():
    def join(**options: Any) -> None:
        given = {"retention": 20, "window_size": 20, "retain_duplicates": True, **options}
        supplier = stores.in_memory_window_store("kept", **given)
        one = stream()
        one.join(one, both, NEAR, this_store_supplier=supplier)

    join()
    with pytest.raises(TopologyError, match="has to retain duplicates"):
        join(retain_duplicates=False)
    with pytest.raises(TopologyError, match="windows of 20 ms for 30 ms; .* needs 20 ms for 20 ms"):
        join(retention=30)


def test_two_suppliers_of_a_join_have_two_names():
    supplier = stores.in_memory_window_store("kept", 20, 20, retain_duplicates=True)
    one = stream()
    with pytest.raises(TopologyError, match="both store suppliers have the name 'kept'"):
        one.join(one, both, NEAR, this_store_supplier=supplier, other_store_supplier=supplier)


def test_buffers_of_final_results_do_not_emit_early():
    with pytest.raises(ValueError, match="final results only"):
        Suppressed.until_window_closes(BufferConfig.of_max_records(1))


# Names that a change of the program would change.


def build_with_names_required(make: Callable[[StreamsBuilder], Any]) -> None:
    builder = StreamsBuilder()
    make(builder)
    builder.build({"ensure.explicit.internal.resource.naming": True})


def test_a_topology_whose_stores_and_topics_have_names_is_built():
    def make(builder: StreamsBuilder) -> None:
        counts = (
            builder.stream("a")
            .group_by(always, name="grouping")
            .windowed_by(WINDOWS)
            .count(materialized=Materialized.as_("counts"))
            .suppress(Suppressed.until_window_closes(name="final"))
        )
        counts.to_stream().to("out")
        left, right = builder.stream("b").map(pair), builder.stream("c")
        left.join(right, both, NEAR, name="join", store_name="join")
        kept = builder.table("d", materialized=Materialized.as_("d"))
        left.left_join(kept, both, name="enriched").repartition(name="again").to("e")

    build_with_names_required(make)


def test_what_has_no_name_is_listed():
    def make(builder: StreamsBuilder) -> None:
        left, right = builder.stream("a").map(pair), builder.stream("b")
        left.join(right, both, NEAR)
        builder.stream("c").group_by(always).count()
        builder.table("d", materialized=Materialized(logging_enabled=False))

    with pytest.raises(TopologyError) as error:
        build_with_names_required(make)
    assert str(error.value).splitlines()[1:] == [
        "changelog topics without a name: KSTREAM-JOINTHIS-0000000008-store-changelog, "
        "KSTREAM-JOINOTHER-0000000009-store-changelog, "
        "KSTREAM-AGGREGATE-STATE-STORE-0000000013-changelog",
        "state stores without a name: KSTREAM-JOINTHIS-0000000008-store, "
        "KSTREAM-JOINOTHER-0000000009-store, KSTREAM-AGGREGATE-STATE-STORE-0000000013, "
        "d-STATE-STORE-0000000018",
        "repartition topics without a name: KSTREAM-MAP-0000000001-repartition, "
        "KSTREAM-AGGREGATE-STATE-STORE-0000000013-repartition",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("topology.optimization", "all"), ("ensure.explicit.internal.resource.naming", True)],
)
def test_a_setting_that_comes_after_build_is_refused(name: str, value: Any, tmp_path: Path):
    def start(at_build: dict[str, Any], config: dict[str, Any]) -> None:
        builder = StreamsBuilder()
        builder.stream("in").to("out")
        where = {"application.id": "app", "log.dir": str(tmp_path), **config}
        Streams(builder.build(at_build), where).close()

    start({name: value}, {name: value})
    start({name: value}, {})
    start({}, {})
    with pytest.raises(StreamsConfigError, match=f"{name} had to be known when"):
        start({}, {name: value})
