"""Joins of two streams.

Cases of Kafka Streams' KStreamKStream{,Left,Outer,Self}JoinTest (tests/streams/cases) and
StreamStreamJoinIntegrationTest, and of what a join does beside joining.
"""

import re
from typing import Any

import pytest
from tests.streams.processors.harness import Harness
from tests.streams.processors.join_driver import (
    IN_ORDER,
    KEY,
    ONE_SIDED,
    JoinDriver,
    added,
    check_case,
    dashed,
    read_cases,
    text,
)

from pylog.streams import serdes
from pylog.streams.keyed_function import with_key
from pylog.streams.processors.stream_stream_join import (
    KStreamKStreamJoinSupplier,
    TimeTrackerSupplier,
)
from pylog.streams.state import stores
from pylog.streams.state.outer_join_store_builder import outer_join_store_builder
from pylog.streams.windows import JoinWindows

WIDE = JoinWindows.of_time_difference_and_grace("10s", "1d")
MULTI_INNER = """
    - - - A-a-a@4 B-a-a@5 A-b-a@6,B-b-a@6,A-a-b@6,B-a-b@6,A-b-b@6,B-b-b@6 - -
    C-a-a@9,C-a-b@9,C-b-a@9,C-b-b@9
    A-c-a@10,A-c-b@10,B-c-a@10,B-c-b@10,C-c-a@10,C-c-b@10,A-a-c@10,B-a-c@10,A-b-c@10,B-b-c@10,\
C-a-c@10,C-b-c@10,A-c-c@10,B-c-c@10,C-c-c@10
    - - -
    A-d-a@14,A-d-b@14,A-d-c@14,B-d-a@14,B-d-b@14,B-d-c@14,C-d-a@14,C-d-b@14,C-d-c@14,A-a-d@14,\
B-a-d@14,A-b-d@14,B-b-d@14,C-a-d@14,C-b-d@14,A-c-d@14,B-c-d@14,C-c-d@14,A-d-d@14,B-d-d@14,C-d-d@14
    D-a-a@15,D-a-b@15,D-a-c@15,D-a-d@15,D-b-a@15,D-b-b@15,D-b-c@15,D-b-d@15,D-c-a@15,D-c-b@15,\
D-c-c@15,D-c-d@15,D-d-a@15,D-d-b@15,D-d-c@15,D-d-d@15
    - -
"""
SELF = """
    - A-A@2 B-A@3,A-B@3,B-B@3 - C-A@5,C-B@5,A-C@5,B-C@5,C-C@5 -
    D-A@7,D-B@7,D-C@7,A-D@7,B-D@7,C-D@7,D-D@7
"""
JOINED = """
    - - - A-a@4 B-a@5 A-b@6,B-b@6 - - C-a@9,C-b@9 A-c@10,B-c@10,C-c@10 - - -
    A-d@14,B-d@14,C-d@14 D-a@15,D-b@15,D-c@15,D-d@15
"""


def _two_streams(builder: Any, kind: str, windows: JoinWindows, joiner: Any, **more: Any) -> Any:
    return getattr(builder.stream("left"), kind)(builder.stream("right"), joiner, windows, **more)


@pytest.mark.parametrize("store", ["in_memory", "rocksDB"])
@pytest.mark.parametrize(
    ("head", "lines"),
    [
        pytest.param(head, lines, id=title)
        for title, head, lines in read_cases("stream-stream-joins.txt")
    ],
)
def test_steps_of_kafka_streams(head: str, lines: list[list[str]], store: str) -> None:
    match = re.fullmatch(r"(\w+) before=(\d+) after=(\d+) grace=(\d+)", head)
    assert match
    kind, *times = match.groups()
    windows = JoinWindows(*map(int, times))
    config = {"default.dsl.store": store}
    with JoinDriver(lambda builder: _two_streams(builder, kind, windows, added), config) as driver:
        check_case(lines, lambda *step: [list(map(text, each)) for each in driver.pipe(*step)])


@pytest.mark.parametrize(
    ("kind", "without_key"),
    [
        ("join", "- -"),
        ("left_join", "!E-null@16 -"),
        ("outer_join", "!E-null@16 !null-e@17"),
    ],
)
@pytest.mark.parametrize("is_repartitioned", [False, True])
def test_shared_input_of_kafka_streams(kind: str, without_key: str, is_repartitioned: bool) -> None:
    def define(builder: Any) -> Any:
        left, right = builder.stream("left"), builder.stream("right")
        if is_repartitioned:
            left = left.map(lambda key, value: (key, value))
            right = right.flat_map(lambda key, value: [(key, value)]).select_key(
                lambda key, value: key
            )
        return getattr(left, kind)(right, dashed, WIDE)

    with JoinDriver(define) as driver:
        driver.check_steps(IN_ORDER, JOINED + without_key)


def test_join_of_a_join() -> None:
    def define(builder: Any) -> Any:
        right = builder.stream("right")
        return builder.stream("left").join(right, dashed, WIDE).join(right, dashed, WIDE)

    with JoinDriver(define) as driver:
        driver.check_steps(IN_ORDER, MULTI_INNER)


@pytest.mark.parametrize("optimization", ["none", "all", "single.store.self.join"])
def test_self_join(optimization: str) -> None:
    def define(builder: Any) -> Any:
        left = builder.stream("left")
        return left.join(left, dashed, WIDE)

    config = {"topology.optimization": optimization}
    with JoinDriver(define, config, topics=("left",)) as driver:
        stores_count = len(driver.driver.get_all_state_stores())
        assert stores_count == (2 if optimization == "none" else 1)
        if optimization == "none":
            for step in ONE_SIDED:
                driver.pipe(*step)
        else:
            driver.check_steps(ONE_SIDED, SELF)


ASYMMETRIC = JoinWindows.of_time_difference_and_grace("11s", "10s")
SELF_JOINS = {
    "one stream": (
        JoinWindows.of_time_difference_with_no_grace(100),
        [("A", "1", 1), ("B", "1", 2), ("A", "2", 3), ("B", "2", 4), ("B", "3", 5)],
    ),
    "long windows": (
        ASYMMETRIC,
        [("A", "1", 0), ("A", "2", 11000), ("B", "1", 12000), ("A", "3", 13000)]
        + [("A", "4", 15000), ("C", "1", 16000), ("D", "1", 17000), ("A", "5", 30000)],
    ),
    "out of order": (
        JoinWindows.of_time_difference_with_no_grace("10s"),
        [("A", "1", 0), ("A", "2", 9999), ("B", "1", 11000), ("A", "3", 13000), ("A", "4", 15000)]
        + [("C", "1", 16000), ("D", "1", 17000), ("A", "5", 30000), ("A", "5", 6000)],
    ),
}


@pytest.mark.parametrize(("windows", "inputs"), SELF_JOINS.values(), ids=SELF_JOINS)
def test_self_join_gives_what_an_inner_join_does(
    windows: JoinWindows, inputs: list[tuple[str, str, int]]
) -> None:
    outputs = []
    for optimization in ("none", "all"):

        def define(builder: Any) -> Any:
            left = builder.stream("left")
            return left.join(left, lambda this, other: this + other, windows)

        with JoinDriver(define, {"topology.optimization": optimization}, ("left",)) as driver:
            outputs.append([driver.pipe("left", *record) for record in inputs])
    assert sorted(map(sorted, outputs[0])) == sorted(map(sorted, outputs[1]))


def test_bounds_of_the_window_are_in_it() -> None:
    windows = JoinWindows.of_time_difference_with_no_grace(10)
    with JoinDriver(lambda builder: _two_streams(builder, "join", windows, added)) as driver:
        driver.pipe("left", "A", "l", 100)
        assert driver.pipe("right", "A", "r", 89) == []
        assert driver.pipe("right", "A", "s", 90) == [("A", "l+s", 100)]
        assert driver.pipe("right", "A", "t", 110) == [("A", "l+t", 110)]
        assert driver.pipe("right", "A", "u", 111) == []


def test_windows_may_lie_on_one_side() -> None:
    windows = JoinWindows(-5, 10, 100)
    with JoinDriver(lambda builder: _two_streams(builder, "join", windows, added)) as driver:
        driver.pipe("left", "A", "l", 100)
        assert driver.pipe("right", "A", "r", 104) == []
        assert driver.pipe("right", "A", "s", 105) == [("A", "l+s", 105)]
        assert driver.pipe("right", "A", "t", 110) == [("A", "l+t", 110)]
        assert driver.pipe("right", "A", "u", 111) == []


@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join"])
def test_what_has_no_value_is_dropped_and_counted(kind: str) -> None:
    with JoinDriver(lambda builder: _two_streams(builder, kind, WIDE, added)) as driver:
        assert driver.pipe("left", "A", None, 1) == []
        assert driver.pipe("right", None, None, 1) == []
        assert driver.drops == {"null value": 1, "null key": 1}


def test_what_has_no_key_is_dropped_and_counted_by_an_inner_side() -> None:
    with JoinDriver(lambda builder: _two_streams(builder, "left_join", WIDE, added)) as driver:
        assert driver.pipe("left", None, "l", 1) == [(None, "l+null", 1)]
        assert driver.pipe("right", None, "r", 1) == []
        assert driver.drops == {"null key": 1}


def test_a_record_without_key_advances_the_time_of_both_sides() -> None:
    windows = JoinWindows.of_time_difference_with_no_grace(10)
    with JoinDriver(lambda builder: _two_streams(builder, "left_join", windows, added)) as driver:
        assert driver.pipe("left", "A", "l", 0) == []
        assert driver.pipe("right", None, "r", 50) == []
        assert driver.pipe("left", "B", "m", 5) == [("B", "m+null", 5)]


def test_joiner_with_key_takes_the_key_first_and_the_left_value_before_the_right() -> None:
    joiner = with_key(lambda key, left, right: f"{key}:{text(left)}:{text(right)}")
    windows = JoinWindows.of_time_difference_with_no_grace(10)
    with JoinDriver(lambda builder: _two_streams(builder, "outer_join", windows, joiner)) as driver:
        driver.pipe("left", "A", "l", 0)
        assert driver.pipe("right", "A", "r", 0) == [("A", "A:l:r", 0)]
        driver.pipe("right", "B", "s", 0)
        assert driver.pipe("left", "A", "m", 50) == [("B", "B:null:s", 0)]


def test_results_have_the_headers_of_the_record_that_led_to_them() -> None:
    windows = JoinWindows.of_time_difference_and_grace(100, 10)
    with JoinDriver(lambda builder: _two_streams(builder, "outer_join", windows, added)) as driver:
        driver.pipe("left", "0", "A0", 0, [("h", b"\x01")])
        driver.pipe("right", "1", "10", 0, [("h", b"\x02")])
        driver.inputs["right"].pipe_input("3", "100", 211, [("h", b"\x03")])
        assert [(each.value, each.headers) for each in driver.records()] == [
            ("null+10", [("h", b"\x03")]),
            ("A0+null", [("h", b"\x03")]),
        ]
        driver.pipe("left", "2", "A2", 200, [("h", b"\x04")])
        driver.inputs["right"].pipe_input("2", "12", 200, [("h", b"\x05")])
        assert [(each.value, each.headers) for each in driver.records()] == [
            ("A2+12", [("h", b"\x05")])
        ]


def test_results_of_closed_windows_are_looked_for_once_in_an_interval_of_the_clock() -> None:
    windows = JoinWindows.of_time_difference_with_no_grace(1000)
    config = {"__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": 1000}

    def define(builder: Any) -> Any:
        return _two_streams(builder, "outer_join", windows, added)

    with JoinDriver(define, config) as driver:
        driver.driver.advance_wall_clock_time(1000)
        assert driver.pipe("right", "key1", "value1", 10000) == []
        driver.driver.advance_wall_clock_time(1100)
        assert driver.pipe("right", "key2", "value2", 13000) == [("key1", "null+value1", 10000)]
        driver.driver.advance_wall_clock_time(400)
        assert driver.pipe("right", "key3", "value3", 15000) == []
        driver.driver.advance_wall_clock_time(1500)
        assert driver.pipe("right", "key4", "value4", 17000) == [
            ("key2", "null+value2", 13000),
            ("key3", "null+value3", 15000),
        ]


def test_equal_records_are_all_joined() -> None:
    windows = JoinWindows.of_time_difference_with_no_grace(10)
    with JoinDriver(lambda builder: _two_streams(builder, "left_join", windows, added)) as driver:
        driver.pipe("left", "A", "l", 0)
        driver.pipe("left", "A", "l", 0)
        assert driver.pipe("left", "B", "m", 30) == [("A", "l+null", 0), ("A", "l+null", 0)]
        driver.pipe("left", "A", "n", 30)
        driver.pipe("left", "A", "n", 30)
        assert driver.pipe("right", "A", "r", 31) == [("A", "n+r", 31), ("A", "n+r", 31)]


def test_looking_for_closed_windows_stops_at_the_second_of_equal_records() -> None:
    # As in Kafka Streams: where it stops is taken for the earliest time from then on.
    windows = JoinWindows(10, 0, 100)
    with JoinDriver(lambda builder: _two_streams(builder, "outer_join", windows, added)) as driver:
        for topic, key, value, timestamp in [
            ("right", "C", "r0", 3),
            ("left", "B", "l1", 5),
            ("right", "A", "r3", 9),
            ("right", "A", "r4", 9),
            ("left", "C", "l5", 10),
            ("left", "C", "l7", 36),
            ("left", "D", "l8", 104),
        ]:
            driver.pipe(topic, key, value, timestamp)
        assert driver.pipe("left", "E", "l44", 113) == [("B", "l1+null", 5)]


@pytest.mark.parametrize("after_ms", [0, 5])
def test_what_waits_already_at_the_start_waits_for_its_window_to_close(after_ms: int) -> None:
    windows = JoinWindows(10, after_ms, 0)
    others = stores.window_store_builder(
        stores.in_memory_window_store("right", 15, 15, retain_duplicates=True),
        serdes.string,
        serdes.string,
    )
    waiting = outer_join_store_builder("outer", False, serdes.string, serdes.string, serdes.string)

    def supplier() -> KStreamKStreamJoinSupplier:
        trackers = TimeTrackerSupplier()
        return KStreamKStreamJoinSupplier(True, "right", windows, added, True, "outer", trackers)

    harness = Harness(supplier(), others, waiting)
    assert harness.pipe("A", "l", 5) == []
    harness.start(supplier())
    assert harness.pipe("A", "m", 5 + after_ms) == []
    assert [record.value for record in harness.pipe("A", "n", 20)] == ["l+null", "m+null"]


@pytest.mark.parametrize("left_is_given", [True, False])
@pytest.mark.parametrize("right_is_given", [True, False])
def test_stores_may_be_given(left_is_given: bool, right_is_given: bool) -> None:
    windows = JoinWindows.of_time_difference_with_no_grace(100)

    def supplier(name: str) -> Any:
        return stores.in_memory_window_store(name, 200, 200, retain_duplicates=True)

    def define(builder: Any) -> Any:
        return _two_streams(
            builder,
            "outer_join",
            windows,
            added,
            this_store_supplier=supplier("this") if left_is_given else None,
            other_store_supplier=supplier("other") if right_is_given else None,
        )

    with JoinDriver(define) as driver:
        assert driver.pipe("left", "A", "l", 0) == []
        assert driver.pipe("right", "A", "r", 100) == [("A", "l+r", 100)]
        names = set(driver.driver.get_all_state_stores())
        assert ("this" in names, "other" in names) == (left_is_given, right_is_given)
        assert KEY not in names
