"""topology.optimization, shared sources, versioned semantics.

Cases of Kafka Streams' InternalStreamsBuilderTest, StreamsGraphTest and StreamsBuilderTest, in our
words.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.streams.dsl.shapes import (
    Ignore,
    always,
    append,
    both,
    children_of,
    node_names,
    nothing,
    pair,
    repartition_topics,
    same,
    store_names,
)

from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.graph_join_nodes import StreamStreamJoinNode
from pylog.streams.dsl.kstream import KStream
from pylog.streams.dsl.ktable import KTable
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import StreamsConfigError, TopologyError
from pylog.streams.processors.stateless import NullKeyFilterNode, PassThroughNode
from pylog.streams.state import stores
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.windows import JoinWindows, TimeWindows

ALL = {"topology.optimization": "all"}
NEAR = JoinWindows.of_time_difference_with_no_grace(100)


@pytest.mark.parametrize(
    "setting", ["most", "all,merge.repartition.topics", "none,all", "merge.repartition.topics,x"]
)
def test_another_setting_is_refused(setting: str):
    with pytest.raises(StreamsConfigError, match=r"topology\.optimization"):
        StreamsBuilder().build({"topology.optimization": setting})


# Tables of topics.


def test_a_table_has_a_changelog_of_its_own_by_default():
    builder = StreamsBuilder()
    builder.table("topic", materialized=Materialized.as_("store"))
    topology = builder.build()
    assert topology.changelog_topic("store", "app") == "app-store-changelog"
    assert topology.stores["store"].logging_enabled


@pytest.mark.parametrize("setting", ["all", "reuse.ktable.source.topics"])
def test_a_table_is_restored_from_its_topic_when_optimised(setting: str):
    builder = StreamsBuilder()
    builder.table("topic", materialized=Materialized.as_("store"))
    topology = builder.build({"topology.optimization": setting})
    assert topology.changelog_topic("store", "app") == "topic"
    assert not topology.stores["store"].logging_enabled


def test_a_table_of_a_repartition_topic_has_a_changelog_all_the_same():
    builder = StreamsBuilder()
    builder.stream("topic").repartition().to_table(materialized=Materialized.as_("store"))
    topology = builder.build(ALL)
    assert topology.changelog_topic("store", "app") == "app-store-changelog"
    assert topology.stores["store"].logging_enabled


# Repartition topics.


def test_repartitions_below_one_change_of_the_key_become_the_first_of_them():
    builder = StreamsBuilder()
    changed = builder.stream("input").map(pair)
    changed.group_by_key(name="first").count()
    changed.filter(always).peek(always).group_by_key(name="second").aggregate(nothing, append)
    assert repartition_topics(builder.build(ALL)) == ["first-repartition"]


def test_a_change_of_the_values_after_that_of_the_key_keeps_repartitions_apart():
    def topology(optimization: str) -> str:
        builder = StreamsBuilder()
        changed = builder.stream("input").select_key(always)
        changed.map_values(same).group_by_key().count().to_stream().to("output")
        words = changed.flat_map_values(lambda value: value.split()).group_by_key()
        windows = TimeWindows.of_size_with_no_grace("5s")
        words.windowed_by(windows).count().to_stream().to("windowed-output")
        return str(builder.build({"topology.optimization": optimization}).describe())

    assert topology("all") == topology("none")
    assert len(re.findall("Sink: .*-repartition", topology("all"))) == 2


@pytest.mark.parametrize("operation", ["process", "process_values"])
def test_a_processor_after_the_change_of_the_key_keeps_repartitions_below_it(operation: str):
    builder = StreamsBuilder()
    changed = getattr(builder.stream("input").select_key(always), operation)(Ignore)
    changed.group_by_key(name="first").count()
    changed.group_by_key(name="second").count()
    topics = repartition_topics(builder.build(ALL))
    assert topics == ["first-repartition", "second-repartition"]


def test_what_was_repartitioned_by_hand_stays():
    def topology(optimization: str) -> str:
        builder = StreamsBuilder()
        changed = builder.stream("input").select_key(always)
        changed.repartition().group_by_key().count().to_stream().to("output")
        windows = TimeWindows.of_size_with_no_grace("5s")
        windowed = changed.repartition().group_by_key().windowed_by(windows)
        windowed.count().to_stream().to("windowed-output")
        return str(builder.build({"topology.optimization": optimization}).describe())

    assert topology("all") == topology("none")


def test_repartitions_below_a_merge_become_one():
    builder = StreamsBuilder()
    left, right = builder.stream("left").map(pair), builder.stream("right").map(pair)
    merged = left.merge(right)
    merged.group_by_key(name="first").count()
    merged.group_by_key(name="second").count()
    topology = builder.build(ALL)
    assert repartition_topics(topology) == ["first-repartition"]
    assert children_of(topology, "KSTREAM-MERGE-0000000004") == {"first-repartition-filter"}


def test_repartitions_below_two_merges_in_a_row_become_one():
    builder = StreamsBuilder()
    changed = builder.stream("input").select_key(always)
    merged = changed.filter(always).merge(changed.peek(always)).merge(changed.filter(always))
    merged.group_by_key(name="first").count()
    merged.group_by_key(name="second").count()
    assert repartition_topics(builder.build(ALL)) == ["first-repartition"]


def test_merges_with_a_common_change_of_the_key_and_no_repartition_stay():
    def topology(optimization: str) -> str:
        builder = StreamsBuilder()
        changed = builder.stream("input_topic").select_key(lambda key, value: key + value)
        first, second, third = (changed.map_values(same) for _ in range(3))
        first.merge(second).merge(third).to("output_topic")
        return str(builder.build({"topology.optimization": optimization}).describe())

    assert topology("all") == topology("none")


def test_a_join_still_knows_its_partners_topic_when_repartitions_were_merged():
    builder = StreamsBuilder()
    changed = builder.stream("input").select_key(always)
    counts = changed.group_by_key(name="counts").count()
    changed.filter(always).join(counts, both, name="joined")
    topology = builder.build(ALL)
    assert repartition_topics(topology) == ["counts-repartition"]
    assert topology.copartitioned_sources == [frozenset({"counts-repartition-source"})]


# Null keys.


@pytest.mark.parametrize(
    ("use", "filter_node"),
    [
        (lambda stream, table: stream.group_by_key(name="use").count(), NullKeyFilterNode),
        (lambda stream, table: stream.join(table, both, name="use"), NullKeyFilterNode),
        (lambda stream, table: stream.left_join(table, both, name="use"), PassThroughNode),
    ],
)
def test_null_keys_pass_a_repartition_only_if_a_left_join_comes_after_it(
    use: Callable[[KStream, KTable], Any], filter_node: type[Any]
):
    builder = StreamsBuilder()
    use(builder.stream("input").select_key(always), builder.table("table"))
    definition: Any = builder.build().definitions["use-repartition-filter"]
    assert definition.supplier is filter_node


# Sources.


def test_streams_of_the_same_topics_share_a_source():
    builder = StreamsBuilder()
    first, second = builder.stream(["b", "a"]), builder.stream(["a", "b"])
    first.to("first")
    second.to("second")
    topology = builder.build()
    assert node_names(topology)[0] == "KSTREAM-SOURCE-0000000000"
    assert children_of(topology, "KSTREAM-SOURCE-0000000000") == {
        "KSTREAM-SINK-0000000002",
        "KSTREAM-SINK-0000000003",
    }


def test_streams_of_the_same_pattern_share_a_source():
    builder = StreamsBuilder()
    builder.stream(re.compile("topic-.*")).to("first")
    builder.stream(re.compile("topic-.*")).to("second")
    assert len(children_of(builder.build(), "KSTREAM-SOURCE-0000000000")) == 2


def test_a_shared_source_stays_a_partner_of_its_joins():
    builder = StreamsBuilder()
    builder.stream("input").to("output")
    builder.stream("input").join(builder.table("table"), both)
    topology = builder.build()
    assert topology.copartitioned_sources == [
        frozenset({"KSTREAM-SOURCE-0000000000", "KSTREAM-SOURCE-0000000004"})
    ]


def test_streams_whose_topics_overlap_are_refused():
    builder = StreamsBuilder()
    builder.stream(["a", "b"])
    builder.stream(["b", "c"])
    with pytest.raises(TopologyError, match="KSTREAM-SOURCE-0000000000 reads 'a', 'b'"):
        builder.build()


def test_streams_of_one_topic_that_begin_at_different_places_are_refused():
    builder = StreamsBuilder()
    builder.stream("a", auto_offset_reset="earliest")
    builder.stream("a", auto_offset_reset="latest")
    with pytest.raises(TopologyError, match="'earliest' and 'latest'"):
        builder.build()


def test_a_stream_and_a_table_of_one_topic_are_refused():
    builder = StreamsBuilder()
    builder.stream("a")
    builder.table("a")
    with pytest.raises(TopologyError, match="reads topic 'a' already"):
        builder.build()


# Joins of a stream with itself.


def self_joins(make: Callable[[StreamsBuilder], Any], config: dict[str, Any]) -> list[bool]:
    """Whether each join became a self-join, and no more stores are kept than that takes."""
    builder = StreamsBuilder()
    make(builder)
    topology = builder.build(config)
    graph = builder._graph
    joins = [node for node in graph.nodes if isinstance(node, StreamStreamJoinNode)]
    found = [join.is_self_join for join in joins]
    assert len(store_names(topology)) == sum(1 if is_self else 2 for is_self in found)
    return found


def joined(left: KStream, right: KStream) -> KStream:
    return left.join(right, both, NEAR)


def of_a_merged_stream(builder: StreamsBuilder) -> None:
    merged = builder.stream("t1").merge(builder.stream("t2"))
    joined(merged, merged)


def beside_a_filter(builder: StreamsBuilder) -> None:
    first, second = builder.stream("t1"), builder.stream("t1")
    first.filter(always)
    joined(first, second)


def of_a_mapped_stream(builder: StreamsBuilder) -> None:
    mapped = builder.stream("t1").map_values(same)
    joined(mapped, builder.stream("t1"))


def of_one_stream(builder: StreamsBuilder) -> None:
    stream = builder.stream("t1")
    joined(stream, stream)


SELF_JOINS: dict[str, tuple[Callable[[StreamsBuilder], Any], list[bool]]] = {
    "one stream": (of_one_stream, [True]),
    "two streams of a topic": (lambda b: joined(b.stream("t1"), b.stream("t1")), [True]),
    "a merged stream": (of_a_merged_stream, [True]),
    "beside a filter": (beside_a_filter, [True]),
    "three ways": (
        lambda b: joined(joined(b.stream("t1"), b.stream("t1")), b.stream("t3")),
        [True, False],
    ),
    "three ways of one topic": (
        lambda b: joined(joined(b.stream("t1"), b.stream("t1")), b.stream("t1")),
        [True, False],
    ),
    "two joins": (
        lambda b: joined(b.stream("t1"), b.stream("t1")).merge(
            joined(b.stream("t2"), b.stream("t2"))
        ),
        [True, True],
    ),
    "a filtered side": (lambda b: joined(b.stream("t1").filter(always), b.stream("t1")), [False]),
    "a mapped side": (of_a_mapped_stream, [False]),
    "two topics": (lambda b: joined(b.stream("t1"), b.stream("t2")), [False]),
}


@pytest.mark.parametrize("case", SELF_JOINS)
def test_a_join_of_a_stream_with_itself_keeps_one_store(case: str):
    make, expected = SELF_JOINS[case]
    assert self_joins(make, {"topology.optimization": "single.store.self.join"}) == expected


def test_a_join_of_a_stream_with_itself_keeps_two_stores_if_not_told_otherwise():
    assert self_joins(of_one_stream, {}) == [False]
    assert self_joins(of_one_stream, {"topology.optimization": "merge.repartition.topics"}) == [
        False
    ]


# Versioned tables.


def versioned(name: str) -> Materialized:
    return Materialized(supplier=stores.persistent_versioned_key_value_store(name, 300_000))


PLAIN = Materialized.as_("plain")


def filtered_after(make: Callable[[StreamsBuilder, KTable], KTable]) -> bool:
    """Whether a filter at the end was told that its input is versioned."""
    builder = StreamsBuilder()
    table = builder.table("t1", materialized=versioned("versioned"))
    make(builder, table).filter(always, name="last")
    topology = builder.build()
    definition: Any = topology.definitions["last"]
    answer: bool = definition.supplier.uses_versioned_semantics
    return answer


def foreign(value: Any) -> Any:
    return value


VERSIONED: dict[str, tuple[Callable[[StreamsBuilder, KTable], KTable], bool]] = {
    "the table": (lambda b, t: t, True),
    "a mapped one": (lambda b, t: t.map_values(same), True),
    "a mapped one in a plain store": (lambda b, t: t.map_values(same, materialized=PLAIN), False),
    "a mapped one in a versioned store": (
        lambda b, t: t.map_values(same, materialized=versioned("again")),
        True,
    ),
    "an aggregate": (lambda b, t: t.group_by(pair).count(), False),
    "an aggregate in a versioned store": (
        lambda b, t: t.group_by(pair).count(materialized=versioned("again")),
        True,
    ),
    "a join": (
        lambda b, t: t.join(b.table("t2", materialized=versioned("other")), both),
        False,
    ),
    "a join in a versioned store": (
        lambda b, t: t.join(b.table("t2"), both, materialized=versioned("again")),
        True,
    ),
    "a join by foreign key": (
        lambda b, t: t.join(b.table("t2"), both, foreign_key_extractor=foreign),
        False,
    ),
    "a join by foreign key in a versioned store": (
        lambda b, t: t.join(
            b.table("t2"), both, foreign_key_extractor=foreign, materialized=versioned("again")
        ),
        True,
    ),
    "to a stream and back": (lambda b, t: t.to_stream().to_table(), False),
    "to a stream and back into a versioned store": (
        lambda b, t: t.to_stream().to_table(materialized=versioned("again")),
        True,
    ),
}


@pytest.mark.parametrize("case", VERSIONED)
def test_a_step_knows_whether_its_input_is_versioned(case: str):
    make, expected = VERSIONED[case]
    assert filtered_after(make) == expected


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("is_foreign", [False, True])
def test_each_side_of_a_join_knows_whether_it_is_versioned(
    left: bool, right: bool, is_foreign: bool
):
    builder = StreamsBuilder()
    tables = [
        builder.table(f"t{number}", materialized=versioned(f"s{number}") if is_versioned else None)
        for number, is_versioned in enumerate((left, right))
    ]
    extractor = foreign if is_foreign else None
    tables[0].join(tables[1], both, foreign_key_extractor=extractor, name="j")
    topology = builder.build()
    names = (
        ("j-subscription-registration-processor", "j-foreign-join-subscription")
        if is_foreign
        else ("j-join-this", "j-join-other")
    )
    definitions: list[Any] = [topology.definitions[name] for name in names]
    told = [definition.supplier.uses_versioned_semantics for definition in definitions]
    assert told == [left, right]


def test_suppress_of_a_versioned_table_is_refused_at_once():
    table = StreamsBuilder().table("t1", materialized=versioned("versioned"))
    with pytest.raises(TopologyError, match="versioned"):
        table.suppress(Suppressed.until_time_limit(1, BufferConfig.of_max_records(1)))


def test_suppress_below_a_versioned_table_is_refused_at_build():
    builder = StreamsBuilder()
    table = builder.table("t1", materialized=versioned("versioned")).filter(always)
    table.suppress(Suppressed.until_time_limit(1, BufferConfig.of_max_records(1), name="held"))
    with pytest.raises(
        TopologyError, match="held: suppress works on tables that are not versioned"
    ):
        builder.build()
