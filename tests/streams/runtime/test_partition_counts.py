"""Partition counts of repartition topics, after Kafka's RepartitionTopicsTest and
CopartitionedTopicsEnforcerTest."""

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.errors import MissingSourceTopicError, TopologyError
from pylog.streams.runtime.partition_counts import check_sources, repartition_counts
from pylog.streams.topology import Topology
from pylog.streams.windows import JoinWindows

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


def counts(topology: Topology, **known: int) -> dict[str, int]:
    parts = topology.subtopologies("app", known)
    return {
        name.removeprefix("app-").removesuffix("-repartition"): count
        for name, count in repartition_counts(parts, known).items()
    }


def test_as_many_as_the_largest_topic_upstream() -> None:
    builder = StreamsBuilder()
    merged = builder.stream("a", **TEXT).merge(builder.stream("b", **TEXT))
    merged.repartition(name="all", **TEXT).to("out")
    assert counts(builder.build(), a=2, b=5) == {"all": 5}


def test_a_count_follows_through_repartition_topics() -> None:
    builder = StreamsBuilder()
    stream = builder.stream("a", **TEXT)
    for name in ("one", "two", "three"):
        stream = stream.select_key(lambda key, value: value).repartition(name=name, **TEXT)
    stream.to("out")
    assert counts(builder.build(), a=4) == {"one": 4, "two": 4, "three": 4}


def test_a_count_that_was_asked_for_is_taken_and_followed() -> None:
    builder = StreamsBuilder()
    stream = builder.stream("a", **TEXT).repartition(name="one", number_of_partitions=7, **TEXT)
    stream.select_key(lambda key, value: value).repartition(name="two", **TEXT).to("out")
    assert counts(builder.build(), a=4) == {"one": 7, "two": 7}


def joined(left_partitions: int | None, right_partitions: int | None) -> Topology:
    builder = StreamsBuilder()
    left = builder.stream("a", **TEXT).repartition(
        name="left", number_of_partitions=left_partitions, **TEXT
    )
    right = builder.stream("b", **TEXT).repartition(
        name="right", number_of_partitions=right_partitions, **TEXT
    )
    left.join(
        right,
        lambda one, other: one + other,
        JoinWindows.of_time_difference_with_no_grace(10),
        key_serde=serdes.string,
    ).to("out")
    return builder.build()


def test_repartition_topics_that_are_joined_take_the_larger_count() -> None:
    assert counts(joined(None, None), a=2, b=5) == {"left": 5, "right": 5}


def test_one_that_was_asked_for_decides_for_the_other() -> None:
    assert counts(joined(3, None), a=2, b=5) == {"left": 3, "right": 3}


def test_a_repartition_topic_adapts_to_the_topic_that_it_is_joined_with() -> None:
    builder = StreamsBuilder()
    left = builder.stream("a", **TEXT).select_key(lambda key, value: value)
    right = builder.table("b", **TEXT)
    left.repartition(name="left", **TEXT).join(right, lambda one, other: one).to("out")
    assert counts(builder.build(), a=2, b=5) == {"left": 5}


def test_a_repartition_topic_that_may_not_adapt_is_refused() -> None:
    builder = StreamsBuilder()
    left = builder.stream("a", **TEXT).repartition(name="left", number_of_partitions=4, **TEXT)
    left.join(builder.table("b", **TEXT), lambda one, other: one).to("out")
    with pytest.raises(TopologyError, match=r"app-left-repartition has 4 .*b has 5 partitions"):
        counts(builder.build(), a=2, b=5)


def test_topics_that_are_joined_must_be_of_one_size() -> None:
    builder = StreamsBuilder()
    left, right = builder.table("left", **TEXT), builder.table("right", **TEXT)
    left.join(right, lambda one, other: one + other).to_stream().to("out")
    with pytest.raises(TopologyError, match=r"left has 1 partition, right has 3 partitions"):
        counts(builder.build(), left=1, right=3)


def test_missing_source_topics_are_all_named() -> None:
    builder = StreamsBuilder()
    builder.stream(["a", "b"], **TEXT).to("out")
    builder.stream("c", **TEXT).to("out")
    parts = builder.build().subtopologies("app", ["a"])
    with pytest.raises(MissingSourceTopicError, match=r"b \(subtopology 0\), c \(subtopology 1\)"):
        check_sources(parts, {"a": 1})
