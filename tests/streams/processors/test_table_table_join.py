"""Joins of two tables of the same key.

Cases of Kafka Streams' TableTableJoinIntegrationTest and KTableKTable{Inner,Left,Outer}JoinTest
(tests/streams/cases).
"""

import random
from typing import Any

import pytest
from tests.streams.processors.join_driver import (
    IN_ORDER,
    INPUT,
    KEY,
    Changes,
    JoinDriver,
    added,
    check_case,
    dashed,
    read_cases,
    text,
)

from pylog.streams.dsl.materialized import Materialized
from pylog.streams.keyed_function import with_key
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.state import stores

STEPS = {
    "join": "- - - A-a@4 B-a@5 B-b@6 null@7 - - C-c@10 null@11 - - - D-d@7 null@7 - - E-e@15 "
    "null@14 - - F-f@4",
    "left_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null@7 - C-null@9 C-c@10 C-null@11 null@12 - - "
    "D-d@7 null@7 - - E-e@15 null@14 - F-null@4 F-f@4",
    "outer_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null-b@7 null@8 C-null@9 C-c@10 C-null@11 "
    "null@12 - null-d@7 D-d@7 null-d@7 null@3 null-e@14 E-e@15 null-e@14 null@9 F-null@4 F-f@4",
}
VERSIONED = {
    "join": "- - - A-a@4 B-a@5 B-b@6 null@7 - - C-c@10 null@11 - - - - - - - E-e@15 - - - -",
    "left_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null@7 - C-null@9 C-c@10 C-null@11 null@12 - - - "
    "- - - E-e@15 - - - -",
    "outer_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null-b@7 null@8 C-null@9 C-c@10 C-null@11 "
    "null@12 - - - - - null-e@14 E-e@15 - - - -",
}
LEFT_VERSIONED = {
    "join": "- - - A-a@4 B-a@5 B-b@6 null@7 - - C-c@10 null@11 - - - - - - - E-e@15 - null@15 - "
    "E-f@15",
    "left_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null@7 - C-null@9 C-c@10 C-null@11 null@12 - - - "
    "- - - E-e@15 - E-null@15 - E-f@15",
    "outer_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null-b@7 null@8 C-null@9 C-c@10 C-null@11 "
    "null@12 - null-d@7 - - null@3 null-e@14 E-e@15 - E-null@15 - E-f@15",
}
RIGHT_VERSIONED = {
    "join": "- - - A-a@4 B-a@5 B-b@6 null@7 - - C-c@10 null@11 - - - - - - - E-e@15 null@14 - "
    "F-e@14 -",
    "left_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null@7 - C-null@9 C-c@10 C-null@11 null@12 - - "
    "D-null@6 null@2 - - E-e@15 null@14 - F-e@14 -",
    "outer_join": "- - A-null@3 A-a@4 B-a@5 B-b@6 null-b@7 null@8 C-null@9 C-c@10 C-null@11 "
    "null@12 - - D-null@6 null@2 - null-e@14 E-e@15 null-e@14 - F-e@14 -",
}
MULTI = {
    ("join", "join"): "- - - A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null@7 - - "
    "C-c-c@10,C-c-c@10 - - - - D-d-d@15 - -",
    ("join", "left_join"): "- - - A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null@7 - - "
    "C-c-c@10,C-c-c@10 null@11 - - - D-d-d@15 - -",
    ("join", "outer_join"): "- - - A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null-b@7 null@8 - "
    "C-c-c@10,C-c-c@10 null@11,null@11 - - null-d@14 D-d-d@15 - -",
    ("left_join", "join"): "- - - A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null@7 - - "
    "C-c-c@10,C-c-c@10 null@11 - - - D-d-d@15 - -",
    ("left_join", "left_join"): "- - A-null-null@3 A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null@7 "
    "- C-null-null@9 C-c-c@10,C-c-c@10 C-null-null@11,C-null-null@11 null@12 - - D-d-d@15 - -",
    ("left_join", "outer_join"): "- - A-null-null@3 A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 "
    "null-b@7 null@8 C-null-null@9 C-c-c@10,C-c-c@10 C-null-null@11,C-null-null@11 null@12 - "
    "null-d@14 D-d-d@15 - -",
    ("outer_join", "join"): "- - - A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 null-b-b@7 - - "
    "C-c-c@10,C-c-c@10 null@11 - - null-d-d@14,null-d-d@14 D-d-d@15 - -",
    ("outer_join", "left_join"): "- - A-null-null@3 A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 "
    "null-b-b@7 null@8 C-null-null@9 C-c-c@10,C-c-c@10 C-null-null@11,C-null-null@11 null@12 - "
    "null-d-d@14,null-d-d@14 D-d-d@15 - -",
    ("outer_join", "outer_join"): "- - A-null-null@3 A-a-a@4,A-a-a@4 B-a-a@5 B-b-b@6,B-b-b@6 "
    "null-b-b@7 null@8,null@8 C-null-null@9 C-c-c@10,C-c-c@10 C-null-null@11,C-null-null@11 "
    "null@12 - null-d-d@14,null-d-d@14 D-d-d@15 - -",
}


def _table(builder: Any, topic: str, is_versioned: bool) -> Any:
    if is_versioned:
        supplier = stores.persistent_versioned_key_value_store(topic, "5m")
        return builder.table(topic, materialized=Materialized.as_(supplier))
    return builder.table(topic, materialized=Materialized.as_(topic))


def _check_store(driver: JoinDriver, expected: str) -> None:
    last = [each for each in expected.split() if each != "-"][-1].split(",")[-1]
    value, timestamp = last.rsplit("@", 1)
    found = list(driver.driver.get_timestamped_key_value_store("joined").all())
    entry = (KEY, ValueAndTimestamp(value, int(timestamp)))
    assert found == ([] if value == "null" else [entry])


@pytest.mark.parametrize(
    ("versioned", "steps"),
    [
        ((), STEPS),
        (("left", "right"), VERSIONED),
        (("left",), LEFT_VERSIONED),
        (("right",), RIGHT_VERSIONED),
    ],
    ids=["not versioned", "versioned", "left versioned", "right versioned"],
)
@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join"])
def test_shared_input_of_kafka_streams(
    kind: str, versioned: tuple[str, ...], steps: dict[str, str]
) -> None:
    def define(builder: Any) -> Any:
        left, right = (_table(builder, topic, topic in versioned) for topic in ("left", "right"))
        result = getattr(left, kind)(right, dashed, materialized=Materialized.as_("joined"))
        return result.to_stream()

    with JoinDriver(define) as driver:
        driver.check_steps(INPUT, steps[kind])
        _check_store(driver, steps[kind])


@pytest.mark.parametrize("versioned", [(), ("left",), ("right",), ("left", "right")])
@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join"])
def test_with_a_cache_the_last_result_is_the_same(kind: str, versioned: tuple[str, ...]) -> None:
    outputs = []
    for cache_bytes in (0, 1_000_000):

        def define(builder: Any) -> Any:
            left, right = (
                _table(builder, topic, topic in versioned) for topic in ("left", "right")
            )
            result = getattr(left, kind)(right, dashed, materialized=Materialized.as_("joined"))
            return result.to_stream()

        with JoinDriver(define, {"statestore.cache.max.bytes": cache_bytes}) as driver:
            records = [record for step in INPUT for record in driver.pipe(*step)]
            kept = list(driver.driver.get_timestamped_key_value_store("joined").all())
            outputs.append((records[-1], kept))
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("kinds", MULTI, ids=" then ".join)
def test_join_of_a_join(kinds: tuple[str, str]) -> None:
    def define(builder: Any) -> Any:
        left, right = builder.table("left"), builder.table("right")
        joined = getattr(left, kinds[0])(right, dashed)
        return getattr(joined, kinds[1])(right, dashed).to_stream()

    with JoinDriver(define) as driver:
        driver.check_steps(IN_ORDER, MULTI[kinds])


@pytest.mark.parametrize("is_materialized", [False, True])
@pytest.mark.parametrize(
    ("head", "lines"),
    [
        pytest.param(head, lines, id=title)
        for title, head, lines in read_cases("table-table-joins.txt")
    ],
)
def test_steps_of_kafka_streams(head: str, lines: list[list[str]], is_materialized: bool) -> None:
    kind, form, *with_old_values = head.split()
    materialized = Materialized() if is_materialized else None
    changes, tables = Changes(), []

    def define(builder: Any) -> Any:
        table = getattr(builder.table("left"), kind)(
            builder.table("right"), added, materialized=materialized
        )
        if with_old_values:
            table.enable_sending_old_values(True)
        tables.append(table)
        return table.to_stream() if form == "records" else None

    def extend(topology: Any) -> None:
        if form == "changes":
            topology.add_processor("changes", changes, tables[0].name)

    with JoinDriver(define, extend=extend) as driver:

        def pipe(topic: str, key: str, value: str, timestamp: int) -> list[list[str]]:
            records = driver.pipe(topic, key, value, timestamp)
            outputs = records if form == "records" else changes.take()
            return [list(map(text, each)) for each in outputs]

        check_case(lines, pipe)
        assert driver.drops == {"null key": 2}


@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join"])
def test_records_that_a_versioned_table_says_are_old_are_counted(kind: str) -> None:
    def define(builder: Any) -> Any:
        left, right = (_table(builder, topic, True) for topic in ("left", "right"))
        return getattr(left, kind)(right, dashed).to_stream()

    with JoinDriver(define) as driver:
        driver.pipe("left", KEY, "A", 10)
        driver.pipe("right", KEY, "a", 10)
        assert driver.pipe("left", KEY, "B", 9) == []
        assert driver.pipe("right", KEY, "b", 9) == []
        assert driver.drops == {"out of order": 2}


def test_joiner_with_key_takes_the_key_first() -> None:
    joiner = with_key(lambda key, left, right: f"{key}:{text(left)}:{text(right)}")

    def define(builder: Any) -> Any:
        joined = builder.table("left").outer_join(builder.table("right"), joiner)
        return joined.join(builder.table("third"), with_key(lambda key, this, other: key + this))

    def define_stream(builder: Any) -> Any:
        return define(builder).to_stream()

    with JoinDriver(define_stream, topics=("left", "right", "third")) as driver:
        driver.pipe("third", "A", "t", 0)
        assert driver.pipe("left", "A", "l", 0) == [("A", "AA:l:null", 0)]
        assert driver.pipe("right", "A", "r", 0) == [("A", "AA:l:r", 0)]
        assert driver.pipe("third", "A", "u", 0) == [("A", "AA:l:r", 0)]


@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join"])
def test_what_is_kept_is_what_would_be_computed(kind: str) -> None:
    randomness = random.Random(4711)

    def define(builder: Any) -> Any:
        left, right = builder.table("left"), builder.table("right")
        kept = getattr(left, kind)(right, dashed, materialized=Materialized.as_("kept"))
        computed = getattr(left, kind)(right, dashed)
        return (
            builder.stream("ask")
            .left_join(kept, lambda ask, value: text(value))
            .left_join(computed, lambda kept, value: f"{kept} {text(value)}")
        )

    with JoinDriver(define, topics=("left", "right", "ask")) as driver:
        for _ in range(300):
            topic, key = randomness.choice(["left", "right"]), randomness.choice("ABC")
            value = randomness.choice([None, "x", "y"])
            driver.pipe(topic, key, value, randomness.randrange(50))
            ((_, answer, _),) = driver.pipe("ask", key, "", 0)
            kept, computed = answer.split()
            assert kept == computed
