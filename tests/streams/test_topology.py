"""Building a topology by hand: names, parents, stores, parts. Scenarios of Kafka's TopologyTest."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.streams.runtime.queues import make_context

from pylog.streams import serdes
from pylog.streams.errors import TopologyError
from pylog.streams.node import TaskContext
from pylog.streams.state import stores
from pylog.streams.topology import Topology
from pylog.streams.topology_description import Processor, Sink, Source


class Nothing:
    """A processor that does nothing."""

    def process(self, record: Any) -> None:
        pass


SAME = Nothing()


def store(name: str = "store") -> Any:
    return stores.key_value_store_builder(
        stores.in_memory_key_value_store(name), serdes.string, serdes.string
    )


def topology() -> Topology:
    made = Topology()
    made.add_source("source", "topic-1")
    made.add_processor("processor", Nothing, "source")
    return made


REFUSED: dict[str, tuple[str, Callable[[Topology], object]]] = {
    "no name": ("a node's name is a text", lambda t: t.add_source("", "topic-2")),
    "name that is no text": ("a node's name is a text", lambda t: t.add_sink(5, "out", "source")),  # type: ignore[arg-type]
    "source without topics": ("reads either topics or a pattern", lambda t: t.add_source("other")),
    "source of topics and a pattern": (
        "reads either topics or a pattern",
        lambda t: t.add_source("other", "topic-2", pattern="topic-3"),
    ),
    "source name twice": (
        "there is a node 'source' already",
        lambda t: t.add_source("source", "topic-2"),
    ),
    "topic twice": (
        "source 'source' reads topic 'topic-1' already",
        lambda t: t.add_source("other", "topic-1"),
    ),
    "topic twice in one source": (
        "names a topic twice",
        lambda t: t.add_source("other", "topic-2", "topic-2"),
    ),
    "pattern of a topic that is read": (
        "the pattern of source 'other' fits topic 'topic-1', which source 'source' reads",
        lambda t: t.add_source("other", pattern=re.compile("topic-.*")),
    ),
    "topic that fits a pattern": (
        "topic 'other-1' fits the pattern of source 'pattern'",
        lambda t: t.add_source("pattern", pattern="other.*").add_source("other", "other-1"),
    ),
    "processor name twice": (
        "there is a node 'processor' already",
        lambda t: t.add_processor("processor", Nothing, "source"),
    ),
    "processor without parents": ("has no parent", lambda t: t.add_processor("other", Nothing)),
    "unknown parent": (
        "parent 'nobody' of 'other' is not there",
        lambda t: t.add_processor("other", Nothing, "nobody"),
    ),
    "own parent": (
        "'other' cannot be its own parent",
        lambda t: t.add_processor("other", Nothing, "other"),
    ),
    "supplier that is none": (
        "the supplier of 'other' is to be called",
        lambda t: t.add_processor("other", None, "source"),  # type: ignore[arg-type]
    ),
    "supplier of always the same": (
        "must make a new processor at each call",
        lambda t: t.add_processor("other", lambda: SAME, "source"),
    ),
    "supplier of something else": (
        "must make a new processor at each call",
        lambda t: t.add_processor("other", lambda: object(), "source"),
    ),
    "sink name twice": (
        "there is a node 'sink' already",
        lambda t: t.add_sink("sink", "out", "source").add_sink("sink", "out", "source"),
    ),
    "sink without parents": ("has no parent", lambda t: t.add_sink("sink", "out")),
    "sink of an unknown parent": (
        "parent 'nobody' of 'sink' is not there",
        lambda t: t.add_sink("sink", "out", "nobody"),
    ),
    "sink as its own parent": (
        "'sink' cannot be its own parent",
        lambda t: t.add_sink("sink", "out", "sink"),
    ),
    "sink as a parent": (
        "sink 'sink' cannot be the parent of 'other'",
        lambda t: t.add_sink("sink", "out", "source").add_processor("other", Nothing, "sink"),
    ),
    "store of an unknown processor": (
        "there is no processor 'nobody'",
        lambda t: t.add_state_store(store(), "nobody"),
    ),
    "store of a source": (
        "'source' is a source or a sink",
        lambda t: t.add_state_store(store(), "source"),
    ),
    "store of a sink": (
        "'sink' is a source or a sink",
        lambda t: t.add_sink("sink", "out", "source").add_state_store(store(), "sink"),
    ),
    "another store of the same name": (
        "another store has the name 'store' already",
        lambda t: t.add_state_store(store()).add_state_store(store()),
    ),
    "unknown store": (
        "there is no store 'none'",
        lambda t: t.connect_processor_and_state_stores("processor", "none"),
    ),
    "no store": (
        "no store was named",
        lambda t: t.connect_processor_and_state_stores("processor"),
    ),
    "global store that logs": (
        "has its topic for a changelog",
        lambda t: t.add_global_store(store(), "global-source", "global", "update", Nothing),
    ),
    "global store of one node": (
        "source and processor are two nodes",
        lambda t: t.add_global_store(
            store().with_logging_disabled(), "same", "global", "same", Nothing
        ),
    ),
    "global store of a topic that is read": (
        "source 'source' reads topic 'topic-1' already",
        lambda t: t.add_global_store(
            store().with_logging_disabled(), "global-source", "topic-1", "update", Nothing
        ),
    ),
    "global store that is connected": (
        "is there for every processor",
        lambda t: t.add_global_store(
            store().with_logging_disabled(), "global-source", "global", "update", Nothing
        ).connect_processor_and_state_stores("processor", "store"),
    ),
    "store of the name of a global one": (
        "another store has the name 'store' already",
        lambda t: t.add_global_store(
            store().with_logging_disabled(), "global-source", "global", "update", Nothing
        ).add_state_store(store()),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_the_names(case: str) -> None:
    message, add = REFUSED[case]
    with pytest.raises(TopologyError, match=re.escape(message)):
        add(topology())


def test_the_same_builder_may_be_added_again_and_shared() -> None:
    shared = store()
    made = topology().add_state_store(shared, "processor").add_state_store(shared)
    made.add_source("other-source", "topic-2").add_processor("other", Nothing, "other-source")
    made.add_state_store(shared, "other")
    assert [part.node_names for part in made.subtopologies("app")] == [
        ["source", "processor", "other-source", "other"]
    ]


def test_a_suppliers_stores_are_added_and_connected() -> None:
    class Supplier:
        stores = (store("first"), store("second"))

        def __call__(self) -> Nothing:
            return Nothing()

    made = Topology().add_source("source", "topic")
    made.add_processor("one", Supplier(), "source").add_processor("two", Supplier(), "source")
    assert made.subtopologies("app")[0].store_names == ["first", "second"]


def test_an_empty_topology_is_described() -> None:
    assert str(Topology().describe()) == "Topologies:\n "
    assert Topology().describe().subtopologies == []


def parts(made: Topology) -> list[list[tuple[str, list[str], list[str]]]]:
    return [
        [
            (node.name, [p.name for p in node.predecessors], [s.name for s in node.successors])
            for node in part.nodes
        ]
        for part in made.describe().subtopologies
    ]


def test_nodes_that_are_connected_are_one_part_and_others_are_not() -> None:
    made = Topology()
    for number in "123":
        made.add_source(f"source-{number}", f"topic-{number}")
        made.add_processor(f"processor-{number}", Nothing, f"source-{number}")
    assert parts(made) == [
        [
            (f"source-{number}", [], [f"processor-{number}"]),
            (f"processor-{number}", [f"source-{number}"], []),
        ]
        for number in "123"
    ]


def test_a_common_sink_makes_one_part() -> None:
    made = Topology()
    for number in "123":
        made.add_source(f"source-{number}", f"topic-{number}")
        made.add_processor(f"processor-{number}", Nothing, f"source-{number}")
    made.add_sink("sink", "out", "processor-1", "processor-2", "processor-3")
    (nodes,) = parts(made)
    assert nodes[-1] == ("sink", ["processor-1", "processor-2", "processor-3"], [])
    assert [name for name, _, _ in nodes] == [
        *("source-1", "source-2", "source-3"),
        *("processor-1", "processor-2", "processor-3"),
        "sink",
    ]


def test_a_common_store_makes_one_part() -> None:
    made = Topology()
    for number in "123":
        made.add_source(f"source-{number}", f"topic-{number}")
        made.add_processor(f"processor-{number}", Nothing, f"source-{number}")
    made.add_state_store(store("shared"), "processor-1", "processor-3")
    assert [part.node_names for part in made.subtopologies("app")] == [
        ["source-1", "processor-1", "source-3", "processor-3"],
        ["source-2", "processor-2"],
    ]


def test_description_has_topics_patterns_stores_and_extractors() -> None:
    def choose(key: Any, value: Any, context: Any) -> str:
        return "out"

    made = topology().add_state_store(store("kept"), "processor")
    made.add_source("pattern", pattern="other-.*").add_processor("last", Nothing, "pattern")
    made.add_sink("dynamic", choose, "last").add_sink("static", "out", "last")
    first, second = made.describe().subtopologies
    source, processor = first.nodes
    assert isinstance(source, Source)
    assert (source.topics, source.pattern) == (["topic-1"], None)
    assert isinstance(processor, Processor)
    assert processor.stores == ["kept"]
    pattern, last, dynamic, static = second.nodes
    assert isinstance(pattern, Source)
    assert (pattern.topics, pattern.pattern) == (None, "other-.*")
    assert isinstance(dynamic, Sink) and isinstance(static, Sink)
    assert (dynamic.topic, dynamic.topic_extractor) == (None, choose)
    assert (static.topic, static.topic_extractor) == ("out", None)
    assert [node.name for node in last.successors] == ["dynamic", "static"]
    assert "(extractor class: " in str(dynamic)


def test_global_stores_have_parts_of_their_own_without_tasks() -> None:
    made = Topology()
    made.add_global_store(
        store("global").with_logging_disabled(), "global-source", "globals", "update", Nothing
    )
    made.add_source("source", "topic")
    (described,) = made.describe().global_stores
    assert (described.id, described.source.topics, described.processor.stores) == (
        0,
        ["globals"],
        ["global"],
    )
    assert [(part.id, part.source_topics) for part in made.subtopologies("app")] == [(1, {"topic"})]
    assert made.global_topics == ["globals"]


def test_subtopologies_say_their_topics_with_real_names() -> None:
    made = Topology()
    made.add_internal_topic("by-key-repartition", 3)
    made.add_source("source", "topic", auto_offset_reset="latest")
    made.add_sink("repartition", "by-key-repartition", "source")
    made.add_source("again", "by-key-repartition")
    made.add_processor("processor", Nothing, "again")
    made.add_state_store(store("counts"), "processor")
    made.add_state_store(store("scratch").with_logging_disabled(), "processor")
    made.add_sink("sink", "out", "processor")
    first, second = made.subtopologies("app")
    repartition = "app-by-key-repartition"
    assert (first.source_topics, first.sink_topics) == ({"topic"}, {repartition})
    assert first.repartition_sink_topics == {repartition}
    assert first.repartition_source_topics == {}
    assert (second.source_topics, second.sink_topics) == ({repartition}, {"out"})
    assert second.repartition_source_topics[repartition].partition_count == 3
    assert second.store_names == ["counts", "scratch"]
    assert set(second.changelogs) == {"app-counts-changelog"}
    assert second.changelogs["app-counts-changelog"].name == "counts"
    assert made.auto_offset_reset("topic", "app") == "latest"
    assert made.auto_offset_reset(repartition, "app") is None


def test_a_pattern_takes_the_topics_that_exist_and_match_wholly() -> None:
    made = Topology().add_source("source", pattern="topic-[0-9]+")
    (part,) = made.subtopologies("app", ["topic-1", "topic-22", "topic-3x", "a-topic-1"])
    assert part.source_topics == {"topic-1", "topic-22"}
    assert part.source_patterns == ["topic-[0-9]+"]
    assert made.subtopologies("app")[0].source_topics == set()


def test_a_topic_of_two_patterns_is_refused() -> None:
    made = Topology().add_source("one", pattern="topic.*").add_source("two", pattern=".*-1")
    made.subtopologies("app", ["topic-2", "other-1"])
    with pytest.raises(TopologyError, match="'topic-1' fits the patterns of two sources"):
        made.subtopologies("app", ["topic-1"])


def test_copartition_groups_are_joined_where_they_overlap() -> None:
    made = Topology().add_source("a", "a").add_source("b", "b").add_source("c", "c")
    made.add_source("d", "d").add_source("e", "e")
    made.copartition_sources(["a", "b"])
    made.copartition_sources(["d", "e"])
    made.copartition_sources(["b", "c"])
    groups = {group for part in made.subtopologies("app") for group in part.copartition_groups}
    assert groups == {frozenset("abc"), frozenset("de")}


def test_repartition_topics_of_different_counts_cannot_be_copartitioned() -> None:
    made = Topology()
    made.add_internal_topic("left", 2)
    made.add_internal_topic("right", 3)
    made.add_source("left-source", "left").add_source("right-source", "right")
    with pytest.raises(TopologyError, match="as many partitions each: left=2, right=3"):
        made.copartition_sources(["left-source", "right-source"])


def test_a_read_only_store_is_restored_from_its_topic_and_does_not_log() -> None:
    made = Topology().add_read_only_state_store(
        store("mirror"), "source", "topic", "update", Nothing
    )
    (part,) = made.subtopologies("app")
    assert set(part.changelogs) == {"topic"}
    assert not made.stores["mirror"].logging_enabled
    assert made.auto_offset_reset("topic", "app") == "earliest"


def test_a_built_part_has_its_own_nodes_and_stores(context: TaskContext) -> None:
    made = topology().add_state_store(store("kept"), "processor")
    made.add_source("other", "topic-2").add_sink("sink", "out", "other", "processor")
    made.add_source("apart", "topic-3")
    built = made.build(0, context)
    assert [node.name for node in built.nodes] == ["source", "processor", "other", "sink"]
    assert set(built.sources_by_topic) == {"topic-1", "topic-2"}
    assert [child.name for child in built.nodes[1].children] == ["sink"]
    assert [store.name for store in built.stores] == ["kept"]
    assert (built.changelog_topics, built.logged_stores) == (
        {"kept": "app-kept-changelog"},
        {"kept"},
    )
    assert built.sink_topics == {"out"}
    again = made.build(0, context)
    assert again.nodes[1] is not built.nodes[1]
    assert again.stores[0] is not built.stores[0]
    assert [node.name for node in made.build(1, context).nodes] == ["apart"]
    assert len(made.build(None, context).nodes) == 5


@pytest.fixture
def context() -> TaskContext:
    return make_context()
