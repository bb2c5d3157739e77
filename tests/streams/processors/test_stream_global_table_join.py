"""Joins of a stream with a global table.

Cases of Kafka Streams' KStreamGlobalKTable{,Left}JoinTest and GlobalKTableJoinsTest (4.3: a left
join gives a result where the mapper gives no key).
"""

from typing import Any

import pytest
from tests.streams.processors.join_driver import JoinDriver, added

from pylog.streams.keyed_function import with_key


def _key_in(key: str | None, value: str) -> str | None:
    """The second of two fields, the table's key."""
    fields = value.split(",")
    return fields[1] if len(fields) > 1 else None


def _driver(kind: str, joiner: Any = added) -> JoinDriver:
    def define(builder: Any) -> Any:
        table = builder.global_table("right")
        return getattr(builder.stream("left"), kind)(table, joiner, key_selector=_key_in)

    return JoinDriver(define)


def _to_stream(
    driver: JoinDriver, count: int, prefix: str, *, start: int = 0, null_key: bool = False
) -> list[tuple[Any, Any, int]]:
    outputs = []
    for number in range(count):
        key = None if null_key and number == 0 else str(number)
        value = f"{prefix}{number},FKey{number}"
        outputs += driver.pipe("left", key, value, start + number)
    return outputs


def _to_table(driver: JoinDriver, count: int, prefix: str | None, start: int = 0) -> None:
    for number in range(count):
        value = None if prefix is None else f"{prefix}{number}"
        assert driver.pipe("right", f"FKey{number}", value, start + number) == []


def test_nothing_is_joined_when_the_table_changes() -> None:
    with _driver("join") as driver:
        assert _to_stream(driver, 2, "X") == []
        _to_table(driver, 2, "Y")
        assert _to_stream(driver, 4, "X", start=2) == [
            ("0", "X0,FKey0+Y0", 2),
            ("1", "X1,FKey1+Y1", 3),
        ]
        _to_table(driver, 4, "YY")
        assert _to_stream(driver, 4, "X", start=6) == [
            (str(number), f"X{number},FKey{number}+YY{number}", 6 + number) for number in range(4)
        ]


def test_a_left_join_has_a_result_for_every_record() -> None:
    with _driver("left_join") as driver:
        assert _to_stream(driver, 2, "X") == [
            ("0", "X0,FKey0+null", 0),
            ("1", "X1,FKey1+null", 1),
        ]
        _to_table(driver, 2, "Y")
        assert _to_stream(driver, 3, "X", start=2) == [
            ("0", "X0,FKey0+Y0", 2),
            ("1", "X1,FKey1+Y1", 3),
            ("2", "X2,FKey2+null", 4),
        ]


def test_a_row_that_was_deleted_joins_no_more() -> None:
    with _driver("join") as driver:
        _to_table(driver, 4, "Y")
        _to_table(driver, 2, None)
        assert _to_stream(driver, 4, "XX", start=4) == [
            ("2", "XX2,FKey2+Y2", 6),
            ("3", "XX3,FKey3+Y3", 7),
        ]


@pytest.mark.parametrize("kind", ["join", "left_join"])
def test_a_record_without_key_is_joined_by_the_key_of_the_mapper(kind: str) -> None:
    with _driver(kind) as driver:
        _to_table(driver, 2, "Y")
        assert _to_stream(driver, 2, "X", null_key=True) == [
            (None, "X0,FKey0+Y0", 0),
            ("1", "X1,FKey1+Y1", 1),
        ]


def test_a_record_that_the_mapper_gives_no_key_is_dropped_and_counted_by_an_inner_join() -> None:
    with _driver("join") as driver:
        _to_table(driver, 4, "Y")
        assert driver.pipe("left", "0", "XXX0", 0) == []
        assert driver.drops == {"null join key": 1}


def test_a_record_that_the_mapper_gives_no_key_is_joined_with_nothing_by_a_left_join() -> None:
    with _driver("left_join") as driver:
        _to_table(driver, 4, "Y")
        assert driver.pipe("left", "0", "XXX0", 0) == [("0", "XXX0+null", 0)]


@pytest.mark.parametrize("kind", ["join", "left_join"])
def test_a_record_without_value_is_dropped_and_the_mapper_not_asked(kind: str) -> None:
    with _driver(kind) as driver:
        assert driver.pipe("left", "0", None, 0) == []
        assert driver.drops == {"null value": 1}


def test_joiner_with_key_takes_the_streams_key() -> None:
    with _driver("join", joiner=with_key(lambda key, left, right: f"{key}:{right}")) as driver:
        _to_table(driver, 1, "Y")
        assert _to_stream(driver, 1, "X") == [("0", "0:Y0", 0)]
