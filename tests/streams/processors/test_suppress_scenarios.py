"""Suppression in topologies. Cases of Kafka's SuppressScenarioTest, in words of our own.

Each topology writes the table's updates to topic "raw" and those that suppression lets through to
"suppressed".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.ktable import KTable
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import ProcessingError, TopologyError
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.testing import TopologyTestDriver
from pylog.streams.windows import SessionWindows, SlidingWindows, TimeWindows

Output = list[tuple[str, Any, int]]

CONFIG = {
    "application.id": "app",
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "statestore.cache.max.bytes": 0,
    "default.dsl.store": "in_memory",
}
FOR_EVER = 2**63 - 1


class Run:
    """A topology that runs; `pipe` gives what the outputs got."""

    def __init__(self, driver: TopologyTestDriver, value_serde: Any):
        self.driver = driver
        self._outputs = [
            driver.create_output_topic(topic, serdes.string, value_serde)
            for topic in ("raw", "suppressed")
        ]

    def pipe(self, *records: tuple[str, str | None, int], topic: str = "input") -> tuple[Any, ...]:
        """Put records in; (raw, suppressed)."""
        given = self.driver.create_input_topic(topic, serdes.string, serdes.string)
        for key, value, timestamp in records:
            given.pipe_input(key, value, timestamp)
        return tuple(
            [(r.key, r.value, r.timestamp) for r in output.read_records_to_list()]
            for output in self._outputs
        )


@contextmanager
def _run(
    builder: StreamsBuilder, table: KTable, suppressed: Suppressed, value_serde: Any = serdes.long
) -> Iterator[Run]:
    for topic, source in (("suppressed", table.suppress(suppressed)), ("raw", table)):
        stream = source.to_stream().map(lambda key, value: (str(key), value))
        stream.to(topic, key_serde=serdes.string, value_serde=value_serde)
    with TopologyTestDriver(builder.build(), CONFIG) as driver:
        yield Run(driver, value_serde)


def _value_counts(builder: StreamsBuilder) -> KTable:
    return builder.table("input").group_by(lambda key, value: (value, key)).count()


FIRST = [("k1", "v1", 0), ("k1", "v2", 1), ("k2", "v1", 2)]
FIRST_RAW = [("v1", 1, 0), ("v1", 0, 1), ("v2", 1, 1), ("v1", 1, 2)]


def test_a_limit_of_no_time_lets_everything_through() -> None:
    builder = StreamsBuilder()
    suppressed = Suppressed.until_time_limit(0, BufferConfig.unbounded())
    with _run(builder, _value_counts(builder), suppressed) as run:
        assert run.pipe(*FIRST) == (FIRST_RAW, FIRST_RAW)
        assert run.pipe(("x", "x", 3)) == ([("x", 1, 3)], [("x", 1, 3)])
        moved = [("x", 0, 4), ("y", 1, 4)]
        assert run.pipe(("x", "y", 4)) == (moved, moved)


def test_a_time_limit_lets_the_newest_update_through_when_it_has_passed() -> None:
    builder = StreamsBuilder()
    suppressed = Suppressed.until_time_limit(2, BufferConfig.unbounded())
    with _run(builder, _value_counts(builder), suppressed) as run:
        assert run.pipe(*FIRST) == (FIRST_RAW, [("v1", 1, 2)])
        assert run.pipe(("tick", "tick", 3)) == ([("tick", 1, 3)], [("v2", 1, 1)])
        # The key "tick" came at 3, and stream time is 4 only.
        assert run.pipe(("tick", "tock", 4)) == ([("tick", 0, 4), ("tock", 1, 4)], [])


# An entry takes about 100 bytes, most of them the name of the repartition topic.
@pytest.mark.parametrize(
    "buffer",
    [BufferConfig.of_max_records(1), BufferConfig.of_max_bytes(150)],
    ids=["records", "bytes"],
)
def test_a_full_buffer_lets_the_oldest_key_through(buffer: BufferConfig) -> None:
    builder = StreamsBuilder()
    suppressed = Suppressed.until_time_limit(FOR_EVER, buffer)
    with _run(builder, _value_counts(builder), suppressed) as run:
        assert run.pipe(*FIRST) == (FIRST_RAW, [("v1", 0, 1), ("v2", 1, 1)])
        assert run.pipe(("x", "x", 3)) == ([("x", 1, 3)], [("v1", 1, 2)])


def test_a_full_buffer_that_is_to_shut_down_is_an_error_with_the_record() -> None:
    builder = StreamsBuilder()
    buffer = BufferConfig.of_max_records(1).shut_down_when_full()
    suppressed = Suppressed.until_time_limit(FOR_EVER, buffer)
    with pytest.raises(ProcessingError, match="buffer is full.*") as caught:  # noqa: SIM117
        with _run(builder, builder.table("input"), suppressed, serdes.string) as run:
            run.pipe(("a", "1", 0), ("b", "1", 1))
    assert "input" in str(caught.value)


def _windowed_counts(builder: StreamsBuilder, windows: Any) -> KTable:
    grouped = builder.stream("input").group_by_key()
    return grouped.windowed_by(windows).count(materialized=Materialized.as_("counts"))


def test_of_time_windows_the_final_results_come_through() -> None:
    builder = StreamsBuilder()
    table = _windowed_counts(builder, TimeWindows.of_size_and_grace(2, 1))
    with _run(builder, table, Suppressed.until_window_closes()) as run:
        # The last one is later than the grace period.
        assert run.pipe(*(("k1", "v1", time) for time in (0, 1, 2, 1, 0, 5, 0))) == (
            [
                ("[k1@0/2]", 1, 0),
                ("[k1@0/2]", 2, 1),
                ("[k1@2/4]", 1, 2),
                ("[k1@0/2]", 3, 1),
                ("[k1@0/2]", 4, 1),
                ("[k1@4/6]", 1, 5),
            ],
            [("[k1@0/2]", 4, 1), ("[k1@2/4]", 1, 2)],
        )


def test_a_jump_of_stream_time_loses_no_final_results() -> None:
    builder = StreamsBuilder()
    table = _windowed_counts(builder, TimeWindows.of_size_and_grace(2, 2))
    with _run(builder, table, Suppressed.until_window_closes()) as run:
        assert run.pipe(*(("k1", "v1", time) for time in (0, 1, 2, 0, 3, 0, 4, 0, 30))) == (
            [
                ("[k1@0/2]", 1, 0),
                ("[k1@0/2]", 2, 1),
                ("[k1@2/4]", 1, 2),
                ("[k1@0/2]", 3, 1),
                ("[k1@2/4]", 2, 3),
                ("[k1@0/2]", 4, 1),
                ("[k1@4/6]", 1, 4),
                ("[k1@30/32]", 1, 30),
            ],
            [("[k1@0/2]", 4, 1), ("[k1@2/4]", 2, 3), ("[k1@4/6]", 1, 4)],
        )


def test_of_sliding_windows_the_final_results_come_through() -> None:
    builder = StreamsBuilder()
    table = _windowed_counts(builder, SlidingWindows.of_time_difference_and_grace(5, 15))
    with _run(builder, table, Suppressed.until_window_closes()) as run:
        times = (10, 11, 10, 13, 10, 24, 5, 7, 90)
        raw, suppressed = run.pipe(*(("k1", "v1", time) for time in times))
        assert sorted(raw) == [
            ("[k1@11/16]", 1, 11),
            ("[k1@11/16]", 2, 13),
            ("[k1@12/17]", 1, 13),
            ("[k1@19/24]", 1, 24),
            ("[k1@5/10]", 1, 10),
            ("[k1@5/10]", 2, 10),
            ("[k1@5/10]", 3, 10),
            ("[k1@5/10]", 4, 10),
            ("[k1@5/10]", 5, 10),
            ("[k1@6/11]", 2, 11),
            ("[k1@6/11]", 3, 11),
            ("[k1@6/11]", 4, 11),
            ("[k1@6/11]", 5, 11),
            ("[k1@8/13]", 4, 13),
            ("[k1@8/13]", 5, 13),
            ("[k1@85/90]", 1, 90),
        ]
        assert suppressed == [
            ("[k1@5/10]", 5, 10),
            ("[k1@6/11]", 5, 11),
            ("[k1@8/13]", 5, 13),
            ("[k1@11/16]", 2, 13),
            ("[k1@12/17]", 1, 13),
            ("[k1@19/24]", 1, 24),
        ]


def test_of_sessions_the_final_results_come_through() -> None:
    builder = StreamsBuilder()
    table = _windowed_counts(builder, SessionWindows.of_inactivity_gap_with_no_grace(5))
    with _run(builder, table, Suppressed.until_window_closes()) as run:
        # Out of order within an open session; one that is late; one that closes all.
        records = [("k1", "v1", 0), ("k1", "v1", 5), ("k1", "v1", 1), ("k2", "v1", 11)]
        assert run.pipe(*records, ("k1", "v1", 5), ("k1", "v1", 30)) == (
            [
                ("[k1@0/0]", 1, 0),
                ("[k1@0/0]", None, 0),
                ("[k1@0/5]", 2, 5),
                ("[k1@0/5]", None, 5),
                ("[k1@0/5]", 3, 5),
                ("[k2@11/11]", 1, 11),
                ("[k1@30/30]", 1, 30),
            ],
            [("[k1@0/5]", 3, 5), ("[k2@11/11]", 1, 11)],
        )


def test_a_suppressed_table_can_be_grouped() -> None:
    builder = StreamsBuilder()
    suppressed = Suppressed.until_time_limit(10, BufferConfig.unbounded())
    counts = (
        builder.table("input")
        .suppress(suppressed)
        .group_by(lambda key, value: (key, value))
        .count()
    )
    counts.to_stream().to("output", value_serde=serdes.long)
    with TopologyTestDriver(builder.build(), CONFIG) as driver:
        given = driver.create_input_topic("input")
        given.pipe_input("A", "a", 0)
        given.pipe_input("tick", "tick", 10)
        output = driver.create_output_topic("output", None, serdes.long).read_records_to_list()
        assert [(r.key, r.value, r.timestamp) for r in output] == [("A", 1, 0)]


@pytest.mark.parametrize("suppressed_side", ["left", "right"])
def test_a_join_sees_of_a_suppressed_table_what_it_has_let_through(suppressed_side: str) -> None:
    builder = StreamsBuilder()
    tables = {side: builder.table(side) for side in ("left", "right")}
    suppressed = Suppressed.until_time_limit(10, BufferConfig.unbounded())
    tables[suppressed_side] = tables[suppressed_side].suppress(suppressed)
    joined = tables["left"].outer_join(tables["right"], lambda left, right: f"({left},{right})")
    joined.to_stream().to("output")
    other_side = "left" if suppressed_side == "right" else "right"

    def both(other: str | None, one: str) -> str:
        return f"({other},{one})" if suppressed_side == "right" else f"({one},{other})"

    with TopologyTestDriver(builder.build(), CONFIG) as driver:
        output = driver.create_output_topic("output")

        def pipe(side: str, *records: tuple[str, str, int]) -> Output:
            given = driver.create_input_topic(side)
            for record in records:
                given.pipe_input(*record)
            return [(r.key, r.value, r.timestamp) for r in output.read_records_to_list()]

        assert pipe(suppressed_side, ("B", "1", 0), ("A", "1", 0)) == []
        assert pipe(suppressed_side, ("tick", "tick", 10)) == [
            ("A", both(None, "1"), 0),
            ("B", both(None, "1"), 0),
        ]
        assert pipe(suppressed_side, ("A", "2", 11)) == []
        # A is in the buffer, and its prior value is what is known; B is not, and is looked up.
        assert pipe(other_side, ("A", "a", 12)) == [("A", both("a", "1"), 12)]
        assert pipe(other_side, ("B", "b", 12)) == [("B", both("b", "1"), 12)]
        assert pipe(other_side, ("A", "b", 13)) == [("A", both("b", "1"), 13)]
        assert pipe(suppressed_side, ("tick", "tick1", 21)) == [
            ("tick", both(None, "tick1"), 21),
            ("A", both("b", "2"), 13),
        ]


def test_windows_of_cogrouped_streams_can_be_suppressed() -> None:
    def append(key: str, value: str, aggregate: str) -> str:
        return aggregate + value

    builder = StreamsBuilder()
    one, two = (builder.stream(topic).group_by_key() for topic in ("one", "two"))
    table = (
        one.cogroup(append)
        .cogroup(two, append)
        .windowed_by(TimeWindows.of_size_with_no_grace(10))
        .aggregate(lambda: "", materialized=Materialized.as_("store"))
    )
    with _run(builder, table, Suppressed.until_window_closes(), serdes.string) as run:
        run.pipe(("k", "a", 0), topic="one")
        assert run.pipe(("k", "b", 1), topic="two") == ([("[k@0/10]", "ab", 1)], [])
        assert run.pipe(("k", "c", 10), topic="two")[1] == [("[k@0/10]", "ab", 1)]


def test_final_results_are_for_windows_only() -> None:
    builder = StreamsBuilder()
    with pytest.raises((TopologyError, ValueError)):
        builder.table("input").suppress(Suppressed.until_window_closes())
