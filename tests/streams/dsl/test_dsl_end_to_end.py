"""Topologies of the DSL at work.

Cases of Kafka Streams' KStreamImplTest, StreamsBuilderTest, KGroupedStreamImplTest,
KGroupedTableImplTest, CogroupedKStreamImplTest and of each operator's tests, in our words.
"""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from tests.streams.dsl.driven import CONFIG, Collected, driving, outputs, pipe
from tests.streams.dsl.shapes import always, append, nothing, same

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import SerializationError, StreamsConfigError, StreamsError
from pylog.streams.keyed_function import with_key
from pylog.streams.state import stores
from pylog.streams.suppressed import Suppressed
from pylog.streams.testing import TopologyTestDriver
from pylog.streams.window import Window, Windowed
from pylog.streams.windows import (
    EmitStrategy,
    JoinWindows,
    SessionWindows,
    SlidingWindows,
    TimeWindows,
    UnlimitedWindows,
)


def test_the_decks_example_counts_words_without_a_default_serde():
    builder = StreamsBuilder()
    (
        builder.stream("input-stream", key_serde=serdes.string, value_serde=serdes.string)
        .group_by(lambda key, value: value)
        .count()
        .to_stream()
        .to("counts", value_serde=serdes.long)
    )
    with TopologyTestDriver(builder.build(), {"application.id": "counts"}) as driver:
        words = driver.create_input_topic("input-stream", serdes.string, serdes.string)
        for word in ("a", "b", "a"):
            words.pipe_input("k", word)
        counts = driver.create_output_topic("counts", serdes.string, serdes.long)
        assert counts.read_key_values_to_list() == [("a", 1), ("b", 1), ("a", 2)]
        repartition = "counts-KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition"
        assert repartition in driver.produced_topic_names


def test_a_key_that_is_no_text_needs_a_serde_and_the_error_says_how_to_give_it():
    builder = StreamsBuilder()
    numbers = builder.stream("input", key_serde=serdes.string, value_serde=serdes.long)
    numbers.group_by(lambda key, value: value).count()
    with TopologyTestDriver(builder.build(), {}) as driver:
        topic = driver.create_input_topic("input", serdes.string, serdes.long)
        with pytest.raises((SerializationError, StreamsError), match="key_serde"):
            topic.pipe_input("k", 1)


def test_a_value_serde_that_nobody_gave_is_missed_when_the_topology_starts():
    builder = StreamsBuilder()
    builder.stream("input", value_serde=serdes.string).map_values(len).to("output", name="out")
    with pytest.raises(StreamsConfigError, match="out"):
        TopologyTestDriver(builder.build(), {"application.id": "app"})


def test_merged_streams_come_in_the_order_of_their_records():
    builder = StreamsBuilder()
    first, second, third, fourth = (builder.stream(f"topic-{number}") for number in range(1, 5))
    collected = Collected()
    first.merge(second).merge(third).merge(fourth).process(collected)
    with driving(builder) as driver:
        pipe(
            driver,
            ("topic-1", "A", "aa", 1),
            ("topic-2", "B", "bb", 9),
            ("topic-3", "C", "cc", 2),
            ("topic-4", "D", "dd", 8),
            ("topic-4", "E", "ee", 3),
            ("topic-3", "F", "ff", 7),
            ("topic-2", "G", "gg", 4),
            ("topic-1", "H", "hh", 6),
        )
    assert collected.records == [
        ("A", "aa", 1),
        ("B", "bb", 9),
        ("C", "cc", 2),
        ("D", "dd", 8),
        ("E", "ee", 3),
        ("F", "ff", 7),
        ("G", "gg", 4),
        ("H", "hh", 6),
    ]


def test_a_pattern_reads_each_topic_whose_whole_name_it_matches():
    builder = StreamsBuilder()
    collected = Collected()
    digits = builder.stream(re.compile(r"topic-\d"))
    letters = builder.stream(re.compile(r"topic-[A-Z]"))
    digits.merge(letters).merge(builder.stream("plain")).process(collected)
    with driving(builder) as driver:
        pipe(
            driver,
            ("topic-3", "A", "aa", 1),
            ("topic-4", "B", "bb", 5),
            ("topic-A", "C", "cc", 10),
            ("topic-Z", "D", "dd", 8),
            ("plain", "E", "ee", 3),
        )
    assert [record[0] for record in collected.records] == ["A", "B", "C", "D", "E"]


def test_a_function_names_the_topic_of_each_record():
    builder = StreamsBuilder()
    builder.stream("topic").to(lambda key, value, context: f"{context.topic}-{key}-{value[0]}")
    first, second = Collected(), Collected()
    builder.stream("topic-a-v").process(first)
    builder.stream("topic-b-v").process(second)
    with driving(builder) as driver:
        pipe(
            driver,
            ("topic", "a", "v1", 0),
            ("topic", "a", "v2", 0),
            ("topic", "b", "v1", 0),
        )
    assert first.records == [("a", "v1", 0), ("a", "v2", 0)]
    assert second.records == [("b", "v1", 0)]


def test_records_go_through_a_repartition_topic_with_their_timestamps():
    builder = StreamsBuilder()
    before, after = Collected(), Collected()
    source = builder.stream("topic")
    through = source.repartition(name="again")
    source.process(before)
    through.process(after)
    with driving(builder) as driver:
        pipe(driver, ("topic", "A", "aa", 7), ("topic", None, "bb", 8))
        dropped = driver.metrics.dropped_records()
    assert before.records == [("A", "aa", 7), (None, "bb", 8)]
    # Nothing downstream has a use for a null key, so it does not pass.
    assert after.records == [("A", "aa", 7)]
    assert dropped == {"null key": 1}


def test_a_table_join_after_a_repartition_sees_null_keys_if_it_is_a_left_one():
    builder = StreamsBuilder()
    table = builder.table("table")
    stream = builder.stream("stream").map(lambda key, value: (key, value))
    stream.left_join(table, lambda left, right: f"{left}+{right}").to("out")
    records = outputs(
        builder, "out", ("table", "A", "t", 0), ("stream", "A", "s", 1), ("stream", None, "n", 2)
    )
    assert records == [("A", "s+t", 1), (None, "n+None", 2)]


# Stateless steps.


def test_values_are_mapped_with_or_without_the_key():
    builder = StreamsBuilder()
    stream = builder.stream("in")
    stream.map_values(lambda value: value.upper()).to("plain")
    stream.map_values(with_key(lambda key, value: key + value)).to("keyed")
    stream.flat_map_values(with_key(lambda key, value: [key, value])).to("flat")
    with driving(builder) as driver:
        pipe(driver, ("in", "k", "v", 3))
        found = {
            topic: driver.create_output_topic(topic).read_key_values_to_list()
            for topic in ("plain", "keyed", "flat")
        }
    assert found == {
        "plain": [("k", "V")],
        "keyed": [("k", "kv")],
        "flat": [("k", "k"), ("k", "v")],
    }


def test_a_record_goes_to_the_first_branch_that_takes_it():
    builder = StreamsBuilder()
    branches = (
        builder.stream("in")
        .split(name="size-")
        .branch(lambda key, value: len(value) > 4, name="large")
        .branch(lambda key, value: len(value) > 2, name="middle")
        .default_branch(name="small")
    )
    for name, branch in branches.items():
        branch.to(name)
    with driving(builder) as driver:
        pipe(driver, *(("in", None, value, 0) for value in ("abcde", "abc", "a", "abcd")))
        found = {name: driver.create_output_topic(name).read_values_to_list() for name in branches}
    assert found == {"size-large": ["abcde"], "size-middle": ["abc", "abcd"], "size-small": ["a"]}


def test_a_record_that_no_branch_takes_goes_nowhere_without_a_default():
    builder = StreamsBuilder()
    split = builder.stream("in").split().branch(lambda key, value: value == "a")
    [branch] = split.no_default_branch().values()
    branch.to("out")
    assert outputs(builder, "out", ("in", "k", "a", 0), ("in", "k", "b", 1)) == [("k", "a", 0)]


def test_a_chain_replaces_its_branch_or_leaves_it_out():
    builder = StreamsBuilder()
    branches = (
        builder.stream("in")
        .split(name="s-")
        .branch(lambda key, value: value == "a", name="a", chain=lambda s: s.map_values(str.upper))
        .branch(lambda key, value: value == "b", name="b", chain=lambda s: s.to("b"))
        .no_default_branch()
    )
    assert list(branches) == ["s-a"]
    branches["s-a"].to("a")
    with driving(builder) as driver:
        pipe(driver, ("in", "k", "a", 0), ("in", "k", "b", 1))
        assert driver.create_output_topic("a").read_values_to_list() == ["A"]
        assert driver.create_output_topic("b").read_values_to_list() == ["b"]


def test_peek_sees_records_and_passes_them_on():
    builder = StreamsBuilder()
    seen: list[Any] = []
    builder.stream("in").peek(lambda key, value: seen.append((key, value))).to("out")
    assert outputs(builder, "out", ("in", "k", "v", 5)) == [("k", "v", 5)]
    assert seen == [("k", "v")]


def test_print_writes_a_line_with_the_label_for_each_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    builder, file = StreamsBuilder(), io.StringIO()
    stream = builder.stream("in")
    stream.print()
    stream.print(file=file, label="mine")
    stream.print(file=tmp_path / "out", mapper=lambda key, value: f"{key} is {value}")
    with driving(builder) as driver:
        pipe(driver, ("in", "k", "v", 0), ("in", None, "w", 0))
    assert capsys.readouterr().out.splitlines() == [
        "[KSTREAM-SOURCE-0000000000]: k, v",
        "[KSTREAM-SOURCE-0000000000]: None, w",
    ]
    assert file.getvalue() == "[mine]: k, v\n[mine]: None, w\n"
    assert (tmp_path / "out").read_text().splitlines() == [
        "[KSTREAM-SOURCE-0000000000]: k is v",
        "[KSTREAM-SOURCE-0000000000]: None is w",
    ]


# Processors and stores.


class Counting:
    """Counts the values of each key in a store, and forwards the count."""

    def init(self, context: Any) -> None:
        self.context = context
        self.store = context.get_state_store("seen")

    def process(self, record: Any) -> None:
        seen = (self.store.get(record.key) or 0) + 1
        self.store.put(record.key, seen)
        self.context.forward(record.with_value(str(seen)))


def counting_store() -> Any:
    return stores.key_value_store_builder(
        stores.in_memory_key_value_store("seen"), serdes.string, serdes.long
    )


def test_processors_share_a_store_that_is_added_by_itself():
    builder = StreamsBuilder()
    builder.add_state_store(counting_store())
    for topic in ("a", "b"):
        builder.stream(topic).process(Counting, stores=["seen"]).to(f"{topic}-out")
    with driving(builder) as driver:
        pipe(driver, ("a", "k", "v", 0), ("b", "k", "v", 0), ("a", "k", "v", 0))
        assert driver.create_output_topic("a-out").read_values_to_list() == ["1", "3"]
        assert driver.create_output_topic("b-out").read_values_to_list() == ["2"]
        assert driver.get_key_value_store("seen").get("k") == 3


def test_a_supplier_brings_its_stores():
    class CountingSupplier:
        def __init__(self) -> None:
            self.stores = [counting_store()]

        def __call__(self) -> Counting:
            return Counting()

    builder = StreamsBuilder()
    builder.stream("in").process_values(CountingSupplier()).to("out")
    assert outputs(builder, "out", ("in", "k", "v", 0), ("in", "k", "v", 1)) == [
        ("k", "1", 0),
        ("k", "2", 1),
    ]


def test_a_processor_of_the_program_fills_a_global_store():
    class Fill:
        def init(self, context: Any) -> None:
            self.store = context.get_state_store("store")

        def process(self, record: Any) -> None:
            self.store.put(record.key, record.value)

    builder = StreamsBuilder()
    store = stores.key_value_store_builder(
        stores.in_memory_key_value_store("store"), serdes.string, serdes.string
    )
    builder.add_global_store(store, "topic", Fill)
    with driving(builder) as driver:
        pipe(driver, ("topic", "hey", "there", 0))
        assert driver.get_key_value_store("store").get("hey") == "there"


def test_a_table_and_a_global_table_read_with_the_serdes_of_their_store():
    kept = Materialized("store", key_serde=serdes.long, value_serde=serdes.string)
    for is_global in (False, True):
        builder = StreamsBuilder()
        make = builder.global_table if is_global else builder.table
        make("topic", materialized=kept)
        with driving(builder) as driver:
            topic = driver.create_input_topic("topic", serdes.long, serdes.string)
            topic.pipe_input(1, "value1")
            topic.pipe_input(2, "value2")
            store = driver.get_key_value_store("store")
            assert (store.get(1), store.get(2)) == ("value1", "value2")


def test_a_stream_becomes_a_table_and_a_stream_again():
    builder = StreamsBuilder()
    builder.stream("in").to_table().to_stream().to("out")
    records = [("in", "a", "1", 0), ("in", None, "2", 1), ("in", "a", None, 2)]
    assert outputs(builder, "out", *records) == [("a", "1", 0), ("a", None, 2)]


def test_a_table_after_a_key_change_is_one_of_the_new_keys():
    builder = StreamsBuilder()
    builder.stream("in").select_key(lambda key, value: value).to_table(
        materialized=Materialized.as_("kept")
    )
    with driving(builder) as driver:
        pipe(driver, ("in", "a", "1", 0), ("in", "b", "1", 1))
        assert driver.get_key_value_store("kept").get("1") == "1"
        assert driver.get_key_value_store("kept").get("a") is None


# Aggregations.


def test_aggregations_drop_null_keys_and_null_values_and_count_them():
    builder = StreamsBuilder()
    grouped = builder.stream("in").group_by_key()
    grouped.reduce(lambda aggregate, value: aggregate + value).to_stream().to("reduced")
    with driving(builder) as driver:
        pipe(
            driver,
            ("in", "a", "1", 10),
            ("in", "a", "2", 5),
            ("in", None, "x", 11),
            ("in", "a", None, 12),
        )
        found = driver.create_output_topic("reduced").read_records_to_list()
        dropped = driver.metrics.dropped_records()
    assert [(r.key, r.value, r.timestamp) for r in found] == [("a", "1", 10), ("a", "12", 10)]
    assert dropped == {"null key": 1, "null value": 1}


def test_an_aggregate_of_none_deletes_its_key():
    builder = StreamsBuilder()
    builder.stream("in").group_by_key().aggregate(
        nothing, lambda key, value, aggregate: None if value == "stop" else aggregate + value
    ).to_stream().to("out")
    records = [("in", "a", value, time) for time, value in enumerate(("1", "stop", "2"))]
    assert outputs(builder, "out", *records) == [("a", "1", 0), ("a", None, 1), ("a", "2", 2)]


def windowed_text(key: Windowed, value: Any) -> tuple[str, str]:
    return f"{key.key}@{key.window.start_ms}/{key.window.end_ms}", str(value)


RECORDS = [("in", "a", "1", 0), ("in", "a", "2", 4), ("in", "a", "3", 12), ("in", "a", "4", 30)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (
            TimeWindows.of_size_with_no_grace(10),
            ["a@0/10=1", "a@0/10=2", "a@10/20=1", "a@30/40=1"],
        ),
        (
            TimeWindows.of_size_and_grace(10, 100).advance_by(5),
            ["a@0/10=1", "a@0/10=2", "a@5/15=1", "a@10/20=1", "a@25/35=1", "a@30/40=1"],
        ),
        (
            SlidingWindows.of_time_difference_and_grace(5, 100),
            ["a@0/5=1", "a@1/6=1", "a@0/5=2", "a@7/12=1", "a@25/30=1"],
        ),
        (
            SessionWindows.of_inactivity_gap_with_no_grace(5),
            ["a@0/0=1", "a@0/0=None", "a@0/4=2", "a@12/12=1", "a@30/30=1"],
        ),
        (
            UnlimitedWindows.of().start_on(4),
            [f"a@4/{2**63 - 1}={count}" for count in (1, 2, 3)],
        ),
    ],
)
def test_each_kind_of_window_counts(windows: Any, expected: list[str]):
    builder = StreamsBuilder()
    counts: Any = builder.stream("in").group_by_key().windowed_by(windows).count()
    counts.to_stream().map(windowed_text).to("out")
    found = outputs(builder, "out", *RECORDS)
    assert [f"{key}={value}" for key, value, _ in found] == expected


def test_windowed_keys_are_written_and_read_by_their_serde():
    builder = StreamsBuilder()
    windows = TimeWindows.of_size_with_no_grace(10)
    builder.stream("in").group_by_key().windowed_by(windows).count().to_stream().to("out")
    with driving(builder) as driver:
        pipe(driver, ("in", "a", "1", 13))
        out = driver.create_output_topic(
            "out", serdes.time_windowed(serdes.string, 10), serdes.long
        )
        assert out.read_key_value() == (Windowed("a", Window(10, 20)), 1)


@pytest.mark.parametrize("how", ["suppress", "emit_strategy"])
def test_final_results_come_once_when_the_window_is_over(how: str):
    builder = StreamsBuilder()
    windows = TimeWindows.of_size_and_grace(10, 2)
    windowed: Any = builder.stream("in").group_by_key().windowed_by(windows)
    if how == "emit_strategy":
        table = windowed.emit_strategy(EmitStrategy.on_window_close()).count()
    else:
        table = windowed.count().suppress(Suppressed.until_window_closes())
    table.to_stream().map(windowed_text).to("out")
    records = [*RECORDS[:3], ("in", "a", "5", 9), ("in", "b", "6", 22)]
    assert outputs(builder, "out", *records) == [("a@0/10", "2", 4), ("a@10/20", "1", 12)]


def test_final_results_of_several_window_steps_wait_for_the_longest_grace():
    builder = StreamsBuilder()
    grouped = builder.stream("in").group_by_key()
    short = grouped.windowed_by(TimeWindows.of_size_and_grace(10, 1)).count()
    long = grouped.windowed_by(TimeWindows.of_size_and_grace(10, 50)).count()
    joined = short.join(long, lambda left, right: f"{left}+{right}")
    held = joined.suppress(Suppressed.until_window_closes(name="held"))
    topology = builder.build()
    definition: Any = topology.definitions["held"]
    assert definition.supplier.suppressed.wait_ms == 50
    assert held.name == "held"


def test_cogrouped_streams_go_into_one_table_each_with_its_aggregator():
    builder = StreamsBuilder()
    first = builder.stream("one").group_by_key()
    second = builder.stream("two", value_serde=serdes.long).group_by_key()
    table = (
        first.cogroup(append)
        .cogroup(second, lambda key, value, aggregate: f"{aggregate}[{value}]")
        .aggregate(nothing, materialized=Materialized.as_("store"))
    )
    table.to_stream().to("out")
    with driving(builder) as driver:
        pipe(driver, ("one", "k1", "A", 0), ("one", "k2", "A", 1))
        numbers = driver.create_input_topic("two", serdes.string, serdes.long)
        numbers.pipe_input("k1", 7, 100)
        numbers.pipe_input("k1", 8, 50)
        pipe(driver, ("one", "k1", "B", 75))
        found = driver.create_output_topic("out").read_records_to_list()
        assert driver.get_key_value_store("store").get("k1") == "A[7][8]B"
    assert [(r.key, r.value, r.timestamp) for r in found] == [
        ("k1", "A", 0),
        ("k2", "A", 1),
        ("k1", "A[7]", 100),
        ("k1", "A[7][8]", 100),
        ("k1", "A[7][8]B", 100),
    ]


def test_cogrouped_streams_are_aggregated_by_session_and_by_window():
    builder = StreamsBuilder()
    cogrouped = (
        builder.stream("one")
        .group_by_key()
        .cogroup(append)
        .cogroup(builder.stream("two").group_by_key(), append)
    )
    windows = TimeWindows.of_size_with_no_grace(10)
    cogrouped.windowed_by(windows).aggregate(nothing).to_stream().map(windowed_text).to("time")
    sessions = SessionWindows.of_inactivity_gap_with_no_grace(10)
    cogrouped.windowed_by(sessions).aggregate(
        nothing, lambda key, left, right: left + right
    ).to_stream().map(windowed_text).to("session")
    with driving(builder) as driver:
        pipe(driver, ("one", "k", "A", 4), ("two", "k", "B", 12))
        assert driver.create_output_topic("time").read_key_values_to_list() == [
            ("k@0/10", "A"),
            ("k@10/20", "B"),
        ]
        assert driver.create_output_topic("session").read_key_values_to_list() == [
            ("k@4/4", "A"),
            ("k@4/4", "None"),
            ("k@4/12", "AB"),
        ]


def test_a_grouped_table_takes_out_the_old_value_before_it_puts_in_the_new_one():
    builder = StreamsBuilder()
    grouped = builder.table("in").group_by(lambda key, value: (value[0], value[1:]))
    grouped.aggregate(
        nothing,
        lambda key, value, aggregate: f"{aggregate}+{value}",
        lambda key, value, aggregate: f"{aggregate}-{value}",
    ).to_stream().to("out")
    records = [("in", "A", "x1", 10), ("in", "B", "x2", 15), ("in", "A", "y3", 20)]
    assert outputs(builder, "out", *records) == [
        ("x", "+1", 10),
        ("x", "+1+2", 15),
        ("x", "+1+2-1", 20),
        ("y", "+3", 20),
    ]


def test_a_grouped_table_counts_its_rows():
    builder = StreamsBuilder()
    builder.table("in").group_by(lambda key, value: (value, value)).count().to_stream().to("out")
    records = [
        ("in", "A", "green", 50),
        ("in", "B", "green", 10),
        ("in", "A", "blue", 60),
        ("in", "B", None, 70),
    ]
    found = outputs(builder, "out", *records, value_serde=serdes.long)
    assert found == [
        ("green", 1, 50),
        ("green", 2, 50),
        ("green", 1, 60),
        ("blue", 1, 60),
        ("green", 0, 70),
    ]


# Joins.


def plus(left: Any, right: Any) -> str:
    return f"{left}+{right}"


def keyed(key: Any, left: Any, right: Any) -> str:
    return f"{key}:{left}+{right}"


@pytest.mark.parametrize(("joiner", "prefix"), [(plus, ""), (with_key(keyed), "k:")])
def test_a_joiner_takes_this_value_first_whichever_side_comes_last(joiner: Any, prefix: str):
    builder = StreamsBuilder()
    left, right = builder.stream("left"), builder.stream("right")
    windows = JoinWindows.of_time_difference_with_no_grace(10)
    left.join(right, joiner, windows).to("streams")
    table = builder.table("table")
    left.join(table, joiner).to("table-out")
    table.join(builder.table("other"), joiner).to_stream().to("tables")
    global_table = builder.global_table("global")
    left.join(global_table, joiner, key_selector=lambda key, value: key).to("global-out")
    with driving(builder) as driver:
        pipe(
            driver,
            ("global", "k", "g", 0),
            ("table", "k", "t", 0),
            ("other", "k", "o", 0),
            ("table", "k", "t2", 0),
            ("left", "k", "l", 0),
            ("right", "k", "r", 1),
            ("left", "k", "l2", 2),
        )
        found = {
            topic: driver.create_output_topic(topic).read_values_to_list()
            for topic in ("streams", "table-out", "tables", "global-out")
        }
    assert found == {
        "streams": [f"{prefix}l+r", f"{prefix}l2+r"],
        "table-out": [f"{prefix}l+t2", f"{prefix}l2+t2"],
        "tables": [f"{prefix}t+o", f"{prefix}t2+o"],
        "global-out": [f"{prefix}l+g", f"{prefix}l2+g"],
    }


@pytest.mark.parametrize("optimization", ["none", "all"])
def test_a_join_of_a_stream_with_itself_gives_the_same_pairs_optimised_or_not(optimization: str):
    builder = StreamsBuilder()
    stream = builder.stream("in")
    stream.join(stream, plus, JoinWindows.of_time_difference_with_no_grace(5)).to("out")
    config = {"topology.optimization": optimization}
    records = [("in", "k", "1", 0), ("in", "k", "2", 3), ("in", "k", "3", 7)]
    found = outputs(builder, "out", *records, **config)
    assert sorted(found) == [
        ("k", "1+1", 0),
        ("k", "1+2", 3),
        ("k", "2+1", 3),
        ("k", "2+2", 3),
        ("k", "2+3", 7),
        ("k", "3+2", 7),
        ("k", "3+3", 7),
    ]


@pytest.mark.parametrize("is_left", [False, True])
@pytest.mark.parametrize(
    "extractor", [lambda value: value[0], with_key(lambda key, value: value[0])]
)
def test_tables_are_joined_by_the_key_that_a_row_names(is_left: bool, extractor: Any):
    builder = StreamsBuilder()
    left, right = builder.table("left"), builder.table("right")
    join = left.left_join if is_left else left.join
    join(right, plus, foreign_key_extractor=extractor, name="fk").to_stream().to("out")
    records = [
        ("left", "1", "a1", 0),
        ("right", "a", "A", 1),
        ("left", "2", "a2", 2),
        ("left", "1", "b1", 3),
        ("right", "a", None, 4),
    ]
    unmatched = [("1", "a1+None", 0)] if is_left else []
    after_change = [("1", "b1+None" if is_left else None, 3)]
    after_delete = [("2", "a2+None" if is_left else None, 4)]
    assert outputs(builder, "out", *records) == [
        *unmatched,
        ("1", "a1+A", 1),
        ("2", "a2+A", 2),
        *after_change,
        *after_delete,
    ]


def test_merged_repartitions_give_the_same_results():
    def results(optimization: str) -> dict[str, Any]:
        builder = StreamsBuilder()
        changed = builder.stream("in").map(lambda key, value: (key.upper(), value))
        counts = changed.group_by_key(name="count").count().to_stream()
        counts.to("counts", value_serde=serdes.long)
        changed.group_by_key(name="agg").aggregate(nothing, append).to_stream().to("appended")
        windows = JoinWindows.of_time_difference_with_no_grace(5000)
        changed.filter(always).join(
            counts, plus, windows, value_serde=serdes.string, other_value_serde=serdes.long
        ).to("joined")
        with driving(builder, **{"topology.optimization": optimization}) as driver:
            pipe(driver, *(("in", key, key, time) for time, key in enumerate("abcaab")))
            return {
                "counts": driver.create_output_topic(
                    "counts", None, serdes.long
                ).read_key_values_to_map(),
                "appended": driver.create_output_topic("appended").read_key_values_to_map(),
                "joined": sorted(driver.create_output_topic("joined").read_key_values_to_list()),
            }

    assert results("all") == results("none")
    assert results("all")["counts"] == {"A": 3, "B": 2, "C": 1}
    assert results("all")["appended"] == {"A": "aaa", "B": "bb", "C": "c"}


def test_the_key_serde_of_a_windowed_sink_takes_the_default_inside():
    builder = StreamsBuilder()
    windows = TimeWindows.of_size_with_no_grace(10)
    counts = builder.stream("in").map_values(same).group_by_key().windowed_by(windows).count()
    counts.to_stream().to("out")
    with driving(builder) as driver:
        pipe(driver, ("in", "a", "1", 13))
        serde = serdes.time_windowed(serdes.string, 10)
        out = driver.create_output_topic("out", serde, serdes.long)
        assert str(out.read_record().key) == "[a@10/20]"
    assert CONFIG["default.key.serde"] is serdes.string
