"""Where repartition topics come from and what they are called.

Cases of Kafka Streams' RepartitionTopicNamingTest and KStreamImplTest, in our words.
"""

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
    repartition_topics,
    same,
)

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.grouped import KGroupedStream
from pylog.streams.dsl.kstream import KStream
from pylog.streams.errors import TopologyError
from pylog.streams.topology import Topology
from pylog.streams.windows import JoinWindows, SessionWindows, TimeWindows

TEN = TimeWindows.of_size_with_no_grace(10)
THIRTY = TimeWindows.of_size_with_no_grace(30)
NEAR = JoinWindows.of_time_difference_with_no_grace(30)


def changed(builder: StreamsBuilder, topic: str = "input") -> KStream:
    return builder.stream(topic, **STRINGS).select_key(lambda key, value: value)


def grouping(builder: StreamsBuilder, name: str | None = "grouping") -> KGroupedStream:
    return changed(builder).group_by_key(name=name)


CHANGES = {
    "map": lambda stream: stream.map(pair),
    "flat_map": lambda stream: stream.flat_map(lambda k, v: [(k, v)]),
    "select_key": lambda stream: stream.select_key(always),
    "process": lambda stream: stream.process(Ignore),
    "merge of a changed one": lambda stream: stream.merge(stream.select_key(always)),
}
KEEPS = {
    "nothing": lambda stream: stream,
    "filter": lambda stream: stream.filter(always),
    "map_values": lambda stream: stream.map_values(same),
    "flat_map_values": lambda stream: stream.flat_map_values(lambda v: [v]),
    "peek": lambda stream: stream.peek(always),
    "process_values": lambda stream: stream.process_values(Ignore),
    "merge": lambda stream: stream.merge(stream.filter(always)),
    "repartition after a change": lambda stream: stream.select_key(always).repartition(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_grouping_by_key_repartitions_after_a_change_of_the_key(change: str):
    builder = StreamsBuilder()
    CHANGES[change](builder.stream("input")).group_by_key(name="grouping").count()
    assert repartition_topics(builder.build()) == ["grouping-repartition"]


@pytest.mark.parametrize("keep", KEEPS)
def test_grouping_by_key_does_not_repartition_where_the_key_stayed(keep: str):
    builder = StreamsBuilder()
    KEEPS[keep](builder.stream("input")).group_by_key(name="grouping").count()
    assert "grouping-repartition" not in repartition_topics(builder.build())


@pytest.mark.parametrize("operation", ["filter", "peek", "map_values"])
def test_a_change_of_the_key_is_remembered_through_steps_that_keep_it(operation: str):
    builder = StreamsBuilder()
    function: Any = same if operation == "map_values" else always
    getattr(changed(builder), operation)(function).group_by_key(name="grouping").count()
    assert repartition_topics(builder.build()) == ["grouping-repartition"]


def test_a_join_with_a_global_table_does_not_forget_the_change_of_the_key():
    builder = StreamsBuilder()
    table = builder.global_table("global")
    joined = changed(builder).join(table, both, key_selector=lambda key, value: value)
    joined.group_by_key(name="grouping").count()
    assert repartition_topics(builder.build()) == ["grouping-repartition"]


def test_the_same_name_for_two_repartition_topics_is_refused():
    builder = StreamsBuilder()
    grouping(builder).count()
    changed(builder, "other").group_by_key(name="grouping").count()
    with pytest.raises(TopologyError, match="grouping-repartition"):
        builder.build()


@pytest.mark.parametrize("optimization", ["none", "all"])
def test_aggregations_of_one_grouped_stream_share_a_topic_that_has_a_name(optimization: str):
    builder = StreamsBuilder()
    grouped = grouping(builder)
    windowed = grouped.windowed_by(TEN)
    windowed.count()
    windowed.reduce(both)
    grouped.windowed_by(THIRTY).count()
    grouped.windowed_by(SessionWindows.of_inactivity_gap_with_no_grace(10)).count()
    grouped.aggregate(nothing, append)
    topology = builder.build({"topology.optimization": optimization})
    assert repartition_topics(topology) == ["grouping-repartition"]


def test_aggregations_of_one_grouped_stream_have_topics_of_their_own_without_a_name():
    builder = StreamsBuilder()
    grouped = grouping(builder, None)
    grouped.windowed_by(TEN).count()
    grouped.windowed_by(THIRTY).count()
    assert len(repartition_topics(builder.build())) == 2


@pytest.mark.parametrize(("name", "topics"), [("grouping", 1), (None, 2)])
def test_aggregations_of_one_grouped_table_share_a_topic_if_it_has_a_name(
    name: str | None, topics: int
):
    builder = StreamsBuilder()
    grouped = builder.table("input").group_by(pair, name=name)
    grouped.count().to_stream().to("counts")
    grouped.reduce(both, both).to_stream().to("reduced")
    assert len(repartition_topics(builder.build())) == topics


def test_the_same_name_for_two_joins_is_refused():
    builder = StreamsBuilder()
    first, second, third = (changed(builder, topic) for topic in ("a", "b", "c"))
    joined = first.join(second, both, NEAR, name="again", store_name="kept")
    joined.join(third, both, NEAR, name="again", store_name="kept")
    with pytest.raises(TopologyError, match="again"):
        builder.build()


@pytest.mark.parametrize("has_more_steps", [False, True])
def test_a_join_keeps_its_topics_names_when_steps_are_added(has_more_steps: bool):
    builder = StreamsBuilder()
    left, right = changed(builder, "left"), changed(builder, "right")
    if has_more_steps:
        left, right = left.filter(always).peek(always), right.map_values(same)
    left.join(right, both, NEAR, name="my-join", store_name="my-join")
    assert repartition_topics(builder.build()) == [
        "my-join-left-repartition",
        "my-join-right-repartition",
    ]


@pytest.mark.parametrize("has_more_steps", [False, True])
@pytest.mark.parametrize("windows", [None, TEN, SessionWindows.of_inactivity_gap_with_no_grace(10)])
def test_a_grouping_keeps_its_topics_name_when_steps_are_added(has_more_steps: bool, windows: Any):
    builder = StreamsBuilder()
    stream = changed(builder)
    if has_more_steps:
        stream = stream.filter(always).map_values(same)
    grouped: Any = stream.group_by(always, name="my-grouping")
    (grouped if windows is None else grouped.windowed_by(windows)).count()
    assert repartition_topics(builder.build()) == ["my-grouping-repartition"]


def test_a_table_join_repartitions_the_stream_under_the_joins_name():
    builder = StreamsBuilder()
    changed(builder).join(builder.table("table"), both, name="my-join")
    assert repartition_topics(builder.build()) == ["my-join-repartition"]


def test_joins_of_one_stream_share_a_repartition_that_is_named_after_it():
    builder = StreamsBuilder()
    stream = changed(builder)
    first, second = builder.table("first"), builder.table("second")
    stream.join(first, both)
    stream.join(second, both)
    topology = builder.build()
    assert repartition_topics(topology) == ["KSTREAM-KEY-SELECT-0000000001-repartition"]
    # The second join spends its numbers all the same.
    assert node_names(topology)[-1] == "KSTREAM-JOIN-0000000015"


def test_repartition_says_name_partitions_and_serdes_of_its_topic():
    builder = StreamsBuilder()
    stream = builder.stream("input").repartition(
        name="again", number_of_partitions=7, key_serde=serdes.long, value_serde=serdes.string
    )
    assert (stream.key_serde, stream.value_serde) == (serdes.long, serdes.string)
    topology = builder.build()
    assert topology.internal_topics["again-repartition"].partition_count == 7
    sink: Any = topology.definitions["again-repartition-sink"]
    source: Any = topology.definitions["again-repartition-source"]
    assert (sink.key_serde, source.key_serde) == (serdes.long, serdes.long)


def test_partitions_of_joined_repartition_topics_have_to_agree():
    builder = StreamsBuilder()
    left = builder.stream("left").repartition(name="a", number_of_partitions=4)
    right = builder.stream("right").repartition(name="b", number_of_partitions=2)
    left.join(right, both, NEAR)
    with pytest.raises(TopologyError, match="a-repartition=4.*b-repartition=2"):
        builder.build()


def test_a_suffix_that_is_there_is_not_added_again():
    builder = StreamsBuilder()
    changed(builder).group_by_key(name="mine-repartition").count()
    assert repartition_topics(builder.build()) == ["mine-repartition"]


def test_cogrouped_streams_that_both_need_a_repartition_need_names():
    def cogroup(*names: str | None) -> Topology:
        builder = StreamsBuilder()
        first, second = (
            changed(builder, f"topic-{number}").group_by_key(name=name)
            for number, name in enumerate(names)
        )
        first.cogroup(append).cogroup(second, append).aggregate(nothing)
        return builder.build()

    topology = cogroup("first", "second")
    assert repartition_topics(topology) == ["first-repartition", "second-repartition"]
    sources = {"first-repartition-source", "second-repartition-source"}
    assert topology.copartitioned_sources == [frozenset(sources)]
    assert len(repartition_topics(cogroup("first", None))) == 2
    with pytest.raises(TopologyError, match="SELECT-0000000001 and after .*name="):
        cogroup(None, None)


def test_a_grouped_stream_with_a_name_shares_its_topic_with_the_cogrouped_ones():
    builder = StreamsBuilder()
    first = grouping(builder)
    first.count()
    first.cogroup(append).cogroup(builder.stream("other").group_by_key(), append).aggregate(nothing)
    first.reduce(both)
    assert repartition_topics(builder.build()) == ["grouping-repartition"]
