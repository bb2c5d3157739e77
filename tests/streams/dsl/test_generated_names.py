"""Names: those that are given, those that are made, and that both count alike.

Cases of Kafka Streams' StreamsBuilderTest, in our words.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tests.streams.dsl.shapes import (
    Ignore,
    always,
    both,
    node_names,
    pair,
    same,
    store_names,
)

from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.kstream import KStream
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.naming import MAX_NAME_LENGTH, NameGenerator, checked_name
from pylog.streams.errors import TopologyError
from pylog.streams.windows import JoinWindows

HOUR = JoinWindows.of_time_difference_with_no_grace("1h")


def test_numbers_have_ten_digits_and_never_repeat():
    names = NameGenerator()
    assert names.new_processor_name("A-") == "A-0000000000"
    assert names.new_store_name("B-") == "B-STATE-STORE-0000000001"
    assert names.name_or_new(None, "C-") == "C-0000000002"


def test_a_given_name_spends_a_number_so_that_later_names_stay():
    names = NameGenerator()
    assert names.name_or_new("mine", "A-", "-sink") == "mine-sink"
    assert names.new_processor_name("A-") == "A-0000000001"


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a" * (MAX_NAME_LENGTH + 1)])
def test_an_illegal_name_is_refused(name: str):
    with pytest.raises(TopologyError, match="name"):
        checked_name(name)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="text, not 7"):
        checked_name(7)  # type: ignore[arg-type]


def test_a_legal_name_is_taken_as_it_is():
    assert checked_name("aZ09._-" + "a" * 242) == "aZ09._-" + "a" * 242


OPERATIONS: dict[str, Callable[[KStream, str], Any]] = {
    "map": lambda stream, name: stream.map(pair, name=name),
    "map_values": lambda stream, name: stream.map_values(same, name=name),
    "flat_map": lambda stream, name: stream.flat_map(lambda k, v: [], name=name),
    "flat_map_values": lambda stream, name: stream.flat_map_values(lambda v: [], name=name),
    "filter": lambda stream, name: stream.filter(always, name=name),
    "filter_not": lambda stream, name: stream.filter_not(always, name=name),
    "select_key": lambda stream, name: stream.select_key(always, name=name),
    "group_by": lambda stream, name: stream.group_by(always, name=name),
    "peek": lambda stream, name: stream.peek(always, name=name),
    "foreach": lambda stream, name: stream.foreach(always, name=name),
    "print": lambda stream, name: stream.print(name=name),
    "to": lambda stream, name: stream.to("elsewhere", name=name),
    "process": lambda stream, name: stream.process(Ignore, name=name),
    "process_values": lambda stream, name: stream.process_values(Ignore, name=name),
    "to_table": lambda stream, name: stream.to_table(name=name),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_the_name_that_it_is_given(operation: str):
    builder = StreamsBuilder()
    OPERATIONS[operation](builder.stream("input"), "operation")
    assert node_names(builder.build()) == ["KSTREAM-SOURCE-0000000000", "operation"]


@pytest.mark.parametrize(
    ("operation", "spends"),
    [(name, 0 if name in ("process", "process_values") else 1) for name in OPERATIONS],
)
def test_naming_an_operation_renames_nothing_after_it(operation: str, spends: int):
    builder = StreamsBuilder()
    OPERATIONS[operation](builder.stream("input"), "operation")
    stores = 1 if operation == "to_table" else 0
    builder.stream("other")
    assert node_names(builder.build())[-1] == f"KSTREAM-SOURCE-{1 + spends + stores:010d}"


def test_sources_have_the_names_that_they_are_given():
    builder = StreamsBuilder()
    builder.stream("one", name="source-node")
    builder.stream("two")
    assert node_names(builder.build()) == ["source-node", "KSTREAM-SOURCE-0000000001"]


def test_tables_have_the_names_that_they_are_given_and_their_sources_a_suffix():
    builder = StreamsBuilder()
    builder.table("one", name="source-node")
    builder.table("two")
    assert node_names(builder.build()) == [
        "source-node-source",
        "source-node",
        "KSTREAM-SOURCE-0000000004",
        "KTABLE-SOURCE-0000000005",
    ]


def test_stores_of_global_tables_are_named_after_their_topics():
    builder = StreamsBuilder()
    builder.global_table("stream-topic", name="source-processor")
    builder.global_table("stream-topic-two")
    assert list(builder.build().global_stores) == [
        "stream-topic-STATE-STORE-0000000000",
        "stream-topic-two-STATE-STORE-0000000003",
    ]


def test_a_sink_with_a_name_spends_a_number():
    builder = StreamsBuilder()
    stream = builder.stream("input")
    stream.to("output", name="sink-processor")
    stream.to("output")
    assert node_names(builder.build())[1:] == ["sink-processor", "KSTREAM-SINK-0000000002"]


def test_branches_are_named_after_their_split():
    builder = StreamsBuilder()
    split = builder.stream("input").split(name="branch-processor")
    branches = split.branch(always, name="-1").branch(always, name="-2").no_default_branch()
    assert list(branches) == ["branch-processor-1", "branch-processor-2"]
    assert node_names(builder.build())[1:] == [
        "branch-processor",
        "branch-processor-1",
        "branch-processor-2",
    ]


def test_branches_without_names_are_numbered_and_the_default_is_0():
    builder = StreamsBuilder()
    split = builder.stream("input").split()
    branches = split.branch(always).branch(always).default_branch()
    assert list(branches) == [
        "KSTREAM-BRANCH-00000000011",
        "KSTREAM-BRANCH-00000000012",
        "KSTREAM-BRANCH-00000000010",
    ]


@pytest.mark.parametrize("operation", ["join", "left_join"])
def test_a_join_of_a_stream_and_a_table_has_the_name_that_it_is_given(operation: str):
    builder = StreamsBuilder()
    stream, table = builder.stream("stream"), builder.table("table")
    getattr(stream, operation)(table, both, name="join")
    assert node_names(builder.build()) == [
        "KSTREAM-SOURCE-0000000000",
        "KSTREAM-SOURCE-0000000002",
        "KTABLE-SOURCE-0000000003",
        "join",
    ]


JOIN_SUFFIXES = {
    "join": ("-this-join", "-other-join", None),
    "left_join": ("-this-join", "-outer-other-join", "-left-shared-join"),
    "outer_join": ("-outer-this-join", "-outer-other-join", "-outer-shared-join"),
}


@pytest.mark.parametrize("operation", JOIN_SUFFIXES)
def test_a_join_of_streams_names_its_steps_and_its_stores(operation: str):
    this, other, shared = JOIN_SUFFIXES[operation]
    builder = StreamsBuilder()
    left, right = builder.stream("left"), builder.stream("right")
    getattr(left, operation)(right, both, HOUR, name="step", store_name="kept")
    topology = builder.build()
    assert set(node_names(topology)[2:]) == {
        "step-this-windowed",
        "step-other-windowed",
        f"step{this}",
        f"step{other}",
        "step-merge",
    }
    expected = {f"kept{this}-store", f"kept{other}-store"}
    assert set(store_names(topology)) == expected | (
        set() if shared is None else {f"kept{shared}-store"}
    )


@pytest.mark.parametrize(
    ("operation", "stores"),
    [
        ("join", ["KSTREAM-JOINTHIS-0000000004-store", "KSTREAM-JOINOTHER-0000000005-store"]),
        (
            "left_join",
            [
                "KSTREAM-JOINTHIS-0000000004-store",
                "KSTREAM-OUTEROTHER-0000000005-store",
                "KSTREAM-OUTERSHARED-0000000004-store",
            ],
        ),
        (
            "outer_join",
            [
                "KSTREAM-OUTERTHIS-0000000004-store",
                "KSTREAM-OUTEROTHER-0000000005-store",
                "KSTREAM-OUTERSHARED-0000000004-store",
            ],
        ),
    ],
)
def test_stores_of_a_join_are_numbered_even_if_its_steps_have_a_name(
    operation: str, stores: list[str]
):
    builder = StreamsBuilder()
    left, right = builder.stream("left"), builder.stream("right")
    getattr(left, operation)(right, both, HOUR, name="step")
    assert store_names(builder.build()) == stores


def test_to_table_after_a_key_change_names_its_repartition_after_itself():
    builder = StreamsBuilder()
    builder.stream("input").map(pair).to_table(name="to-table")
    assert node_names(builder.build())[2:] == [
        "to-table-repartition-filter",
        "to-table-repartition-sink",
        "to-table-repartition-source",
        "to-table",
    ]


def test_counting_with_serdes_but_without_a_name_spends_one_number_more():
    first, second = StreamsBuilder(), StreamsBuilder()
    first.stream("input").group_by_key().count()
    second.stream("input").group_by_key().count(materialized=Materialized())
    assert store_names(first.build()) == ["KSTREAM-AGGREGATE-STATE-STORE-0000000001"]
    assert store_names(second.build()) == ["KSTREAM-AGGREGATE-STATE-STORE-0000000002"]


@pytest.mark.parametrize("operation", ["filter", "map_values"])
def test_a_table_step_with_serdes_but_without_a_store_spends_one_number_more(operation: str):
    def numbers(**options: Any) -> str:
        builder = StreamsBuilder()
        function: Any = always if operation == "filter" else same
        getattr(builder.table("input"), operation)(function, **options)
        return node_names(builder.build())[-1][-1]

    assert numbers() == "3"
    assert numbers(materialized=Materialized()) == "4"
    assert numbers(materialized=Materialized.as_("kept")) == "3"
