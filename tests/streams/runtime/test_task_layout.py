"""Which partitions make a task."""

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.runtime.assignment import TaskLayout
from pylog.streams.runtime.partition_counts import repartition_counts
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.topology import Topology

TEXT = {"key_serde": serdes.string, "value_serde": serdes.string}


def layout(topology: Topology, **counts: int) -> TaskLayout:
    parts = topology.subtopologies("app", counts)
    return TaskLayout(parts, {**counts, **repartition_counts(parts, counts)})


def merged() -> Topology:
    builder = StreamsBuilder()
    builder.stream("a", **TEXT).merge(builder.stream("b", **TEXT)).to("out")
    return builder.build()


def rekeyed() -> Topology:
    builder = StreamsBuilder()
    stream = builder.stream("in", **TEXT).group_by(lambda key, value: value, **TEXT)
    stream.count().to_stream().to("out")
    return builder.build()


def test_the_largest_source_topic_leads() -> None:
    laid = layout(merged(), a=2, b=5)
    assert laid.leading_topics == ["b"]
    assert laid.task_counts == {0: 5}


def test_of_equal_topics_the_first_by_name_leads() -> None:
    assert layout(merged(), b=3, a=3).leading_topics == ["a"]


def test_a_task_reads_its_partition_of_every_topic_that_has_it() -> None:
    laid = layout(merged(), a=2, b=3)
    assert laid.partitions_of(TaskId(0, 1)) == [("a", 1), ("b", 1)]
    assert laid.partitions_of(TaskId(0, 2)) == [("b", 2)]
    assert laid.partitions_of(TaskId(0, 3)) == []


def test_a_partition_of_a_leading_topic_stands_for_a_task() -> None:
    laid = layout(merged(), a=2, b=3)
    assert laid.task_led_by("b", 2) == TaskId(0, 2)
    assert laid.task_led_by("a", 0) is None
    assert laid.task_of("a", 0) == TaskId(0, 0)
    assert laid.leader_of(TaskId(0, 1)) == ("b", 1)


def test_a_repartition_topic_cuts_the_topology_in_two() -> None:
    laid = layout(rekeyed(), **{"in": 3})
    (repartition,) = [topic for topic in laid.source_topics if topic.endswith("-repartition")]
    assert laid.leading_topics == sorted(["in", repartition])
    assert laid.source_topics[repartition] == 3
    assert laid.task_ids == [TaskId(part, number) for part in (0, 1) for number in range(3)]


def test_layouts_of_the_same_topics_are_equal() -> None:
    assert layout(merged(), a=2, b=3) == layout(merged(), b=3, a=2)
    assert layout(merged(), a=2, b=3) != layout(merged(), a=2, b=4)
    assert len({layout(merged(), a=2, b=3), layout(merged(), a=2, b=3)}) == 1
