"""Joins of a stream with a table.

Cases of Kafka Streams' StreamTableJoinIntegrationTest, StreamTableJoinWithGraceIntegrationTest,
KStreamKTable{,Left}JoinTest and RelaxedNullKeyRequirementJoinTest.
"""

from typing import Any

import pytest
from tests.streams.processors.join_driver import INPUT, JoinDriver, added, dashed, text

from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import TopologyError
from pylog.streams.keyed_function import with_key
from pylog.streams.state import stores
from pylog.streams.windows import JoinWindows

INNER = "- - - - B-a@5 - - - - - - - - - D-d@6 - - - E-e@15 - - - -"
LEFT = "- - A-null@3 - B-a@5 - - - C-null@9 - - - - - D-d@6 - - - E-e@15 - - F-null@4 -"
INNER_VERSIONED = "- - - - B-a@5 - - - - - - - - - D-b@6 - - - E-e@15 - - F-a@4 -"
LEFT_VERSIONED = "- - A-null@3 - B-a@5 - - - C-null@9 - - - - - D-b@6 - - - E-e@15 - - F-a@4 -"
INNER_WITH_GRACE = "- - - - - - - - B-a@5 - - - - - D-b@6 - - - - - - F-a@4 -"
LEFT_WITH_GRACE = "- - - - A-null@3 - - - B-a@5 - - - - - D-b@6 - - - C-null@9 - - F-a@4 -"


def _versioned(history: str = "5m") -> Materialized:
    return Materialized.as_(stores.persistent_versioned_key_value_store("table", history))


def _joined(builder: Any, kind: str, materialized: Materialized | None = None, **more: Any) -> Any:
    table = builder.table("right", materialized=materialized)
    return getattr(builder.stream("left"), kind)(table, more.pop("joiner", dashed), **more)


@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
@pytest.mark.parametrize(("kind", "expected"), [("join", INNER), ("left_join", LEFT)])
def test_shared_input_of_kafka_streams(kind: str, expected: str, cache_bytes: int) -> None:
    config = {"statestore.cache.max.bytes": cache_bytes}
    with JoinDriver(lambda builder: _joined(builder, kind), config) as driver:
        driver.check_steps(INPUT, expected)


@pytest.mark.parametrize(
    ("kind", "grace", "expected"),
    [
        ("join", None, INNER_VERSIONED),
        ("left_join", None, LEFT_VERSIONED),
        ("join", 2, INNER_WITH_GRACE),
        ("left_join", 2, LEFT_WITH_GRACE),
    ],
)
def test_shared_input_with_a_versioned_table(kind: str, grace: int | None, expected: str) -> None:
    with JoinDriver(lambda builder: _joined(builder, kind, _versioned(), grace=grace)) as driver:
        driver.check_steps(INPUT, expected)


class Keys:
    """Pushes records of the keys 0 to 3."""

    def __init__(self, driver: JoinDriver):
        self.driver = driver

    def to_stream(self, count: int, prefix: str) -> list[tuple[Any, Any, int]]:
        outputs = []
        for key in range(count):
            outputs += self.driver.pipe("left", str(key), f"{prefix}{key}", key)
        return outputs

    def to_table(self, count: int, prefix: str | None, timestamp: int = 0) -> None:
        for key in range(count):
            value = None if prefix is None else f"{prefix}{key}"
            assert self.driver.pipe("right", str(key), value, timestamp) == []


def test_nothing_is_joined_when_the_table_changes() -> None:
    with JoinDriver(lambda builder: _joined(builder, "join", joiner=added)) as driver:
        keys = Keys(driver)
        assert keys.to_stream(2, "X") == []
        keys.to_table(2, "Y", 4711)
        assert keys.to_stream(4, "X") == [("0", "X0+Y0", 0), ("1", "X1+Y1", 1)]
        keys.to_table(4, "YY", 17)
        assert keys.to_stream(4, "X") == [
            ("0", "X0+YY0", 0),
            ("1", "X1+YY1", 1),
            ("2", "X2+YY2", 2),
            ("3", "X3+YY3", 3),
        ]


def test_a_row_that_was_deleted_joins_no_more() -> None:
    with JoinDriver(lambda builder: _joined(builder, "join", joiner=added)) as driver:
        keys = Keys(driver)
        keys.to_table(4, "Y", 3)
        keys.to_table(2, None)
        assert keys.to_stream(4, "XX") == [("2", "XX2+Y2", 2), ("3", "XX3+Y3", 3)]


def test_a_left_join_has_a_result_for_every_record() -> None:
    with JoinDriver(lambda builder: _joined(builder, "left_join", joiner=added)) as driver:
        keys = Keys(driver)
        keys.to_table(2, "Y")
        keys.to_table(1, None)
        assert keys.to_stream(3, "X") == [
            ("0", "X0+null", 0),
            ("1", "X1+Y1", 1),
            ("2", "X2+null", 2),
        ]


def test_records_wait_for_the_table_until_their_grace_is_over() -> None:
    def define(builder: Any) -> Any:
        return _joined(builder, "join", _versioned(), joiner=added, grace=2)

    with JoinDriver(define) as driver:
        keys = Keys(driver)
        keys.to_table(4, "Y")
        assert keys.to_stream(4, "X") == [("0", "X0+Y0", 0), ("1", "X1+Y1", 1)]
        keys.to_table(4, "YY")
        assert keys.to_stream(4, "X") == [("0", "X0+YY0", 0), ("1", "X1+YY1", 1)]
        assert driver.pipe("left", "5", "test", 7) == [
            ("2", "X2+YY2", 2),
            ("2", "X2+YY2", 2),
            ("3", "X3+YY3", 3),
            ("3", "X3+YY3", 3),
        ]


def test_a_record_that_comes_after_its_grace_is_joined_at_once() -> None:
    def define(builder: Any) -> Any:
        return _joined(builder, "join", _versioned(), joiner=added, grace=2)

    with JoinDriver(define) as driver:
        keys = Keys(driver)
        keys.to_table(4, "Y")
        keys.to_stream(4, "X")
        assert keys.to_stream(1, "X") == [("0", "X0+Y0", 0)]


def test_a_record_that_waited_has_its_own_headers_and_origin() -> None:
    seen = []

    class Look:
        def init(self, context: Any) -> None:
            self.context = context

        def process(self, record: Any) -> None:
            metadata = self.context.record_metadata
            seen.append((record.value, record.headers, metadata.topic, metadata.offset))

    def define(builder: Any) -> None:
        _joined(builder, "join", _versioned(), joiner=added, grace=2).process(Look)

    with JoinDriver(define) as driver:
        driver.pipe("right", "A", "r", 0)
        driver.pipe("left", "A", "l", 0, [("h", b"1")])
        driver.pipe("left", "A", "m", 1, [("h", b"2")])
        driver.pipe("left", "A", "n", 3, [("h", b"3")])
    assert seen == [("l+r", [("h", b"1")], "left", 0), ("m+r", [("h", b"2")], "left", 1)]


def test_grace_needs_a_versioned_table() -> None:
    with pytest.raises(TopologyError, match="versioned"):
        JoinDriver(lambda builder: _joined(builder, "join", grace=6))


@pytest.mark.parametrize(
    ("materialized", "grace"),
    [(Materialized.as_("table"), 6), (_versioned("0ms"), 6), (_versioned(), "6m")],
    ids=["not versioned", "no history", "short history"],
)
def test_grace_needs_a_history_as_long_below_a_filter_too(
    materialized: Materialized, grace: Any
) -> None:
    def define(builder: Any) -> Any:
        table = builder.table("right", materialized=materialized).filter(lambda key, value: True)
        return builder.stream("left").join(table, dashed, grace=grace)

    with pytest.raises(TopologyError, match=r"versioned|history"):
        JoinDriver(define)


def test_a_filtered_versioned_table_is_asked_as_of_the_records_time() -> None:
    def define(builder: Any) -> Any:
        table = builder.table("right", materialized=_versioned())
        short = table.filter(lambda key, value: len(value) < 3).map_values(str.upper)
        return builder.stream("left").left_join(short, dashed)

    with JoinDriver(define) as driver:
        driver.pipe("right", "A", "a", 10)
        driver.pipe("right", "A", "long", 20)
        driver.pipe("right", "A", "b", 30)
        assert [driver.pipe("left", "A", "x", time) for time in (5, 15, 25, 35)] == [
            [("A", "x-null", 5)],
            [("A", "x-A", 15)],
            [("A", "x-null", 25)],
            [("A", "x-B", 35)],
        ]


@pytest.mark.parametrize("grace", [None, 2])
def test_what_has_no_value_is_dropped_and_counted(grace: int | None) -> None:
    def define(builder: Any) -> Any:
        return _joined(builder, "left_join", _versioned(), grace=grace)

    with JoinDriver(define) as driver:
        assert driver.pipe("left", "A", None, 1) == []
        assert driver.pipe("left", None, None, 1) == []
        assert driver.drops == {"null value": 2}


@pytest.mark.parametrize("grace", [None, 2])
def test_what_has_no_key_is_dropped_and_counted_by_an_inner_join(grace: int | None) -> None:
    def define(builder: Any) -> Any:
        return _joined(builder, "join", _versioned(), grace=grace)

    with JoinDriver(define) as driver:
        assert driver.pipe("left", None, "l", 1) == []
        assert driver.drops == {"null key": 1}


@pytest.mark.parametrize("grace", [None, 2])
def test_what_has_no_key_is_joined_with_nothing_by_a_left_join(grace: int | None) -> None:
    def define(builder: Any) -> Any:
        return _joined(builder, "left_join", _versioned(), grace=grace)

    with JoinDriver(define) as driver:
        assert driver.pipe("left", None, "l", 1) == [(None, "l-null", 1)]
        assert driver.drops == {}


def test_joiner_with_key_takes_the_key_first() -> None:
    joiner = with_key(lambda key, left, right: f"{key}:{left}:{text(right)}")
    with JoinDriver(lambda builder: _joined(builder, "left_join", joiner=joiner)) as driver:
        driver.pipe("right", "A", "r", 0)
        assert driver.pipe("left", "A", "l", 0) == [("A", "A:l:r", 0)]
        assert driver.pipe("left", None, "l", 0) == [(None, "None:l:null", 0)]


RELAXED = {
    "left join of streams": (
        lambda left, builder: left.left_join(
            builder.stream("right").repartition(),
            added,
            JoinWindows.of_time_difference_and_grace("60s", "10s"),
        ),
        [(None, "leftValue+null", 1)],
    ),
    "left join with a table": (
        lambda left, builder: left.left_join(
            builder.stream("right").repartition().to_table(), added
        ),
        [(None, "leftValue+null", 1)],
    ),
    "left join with a global table": (
        lambda left, builder: left.left_join(
            builder.global_table("global"), added, key_selector=lambda key, value: None
        ),
        [(None, "leftValue+null", 1)],
    ),
    "no join": (lambda left, builder: left.repartition(), []),
}


@pytest.mark.parametrize(("define", "expected"), RELAXED.values(), ids=RELAXED)
def test_records_without_key_come_through_a_repartition_only_for_a_join_that_takes_them(
    define: Any, expected: list[Any]
) -> None:
    def with_repartition(builder: Any) -> Any:
        return define(builder.stream("left").repartition(), builder)

    with JoinDriver(with_repartition, topics=("left",)) as driver:
        assert driver.pipe("left", None, "leftValue", 1) == expected


def test_outer_join_takes_records_without_key_from_both_sides() -> None:
    windows = JoinWindows.of_time_difference_and_grace("60s", "10s")

    def define(builder: Any) -> Any:
        left, right = (builder.stream(topic).repartition() for topic in ("left", "right"))
        return left.outer_join(right, added, windows)

    with JoinDriver(define) as driver:
        assert driver.pipe("right", None, "rightValue", 1) == [(None, "null+rightValue", 1)]
        assert driver.pipe("left", None, "leftValue", 1) == [(None, "leftValue+null", 1)]
