"""Joins of tables where a left row names the key of a right one.

Cases of Kafka Streams' KTableKTableForeignKeyJoinIntegrationTest, ...ScenarioTest and
...MaterializationIntegrationTest.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.streams.processors.join_driver import JoinDriver, in_parentheses, text

from pylog.streams import serdes
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.keyed_function import with_key
from pylog.streams.serde import Serde
from pylog.streams.state import stores


def _foreign_key(value: str) -> str | None:
    key = value.split("|")[1]
    return None if key == "returnNull" else key


def _table(builder: Any, topic: str, is_versioned: bool) -> Any:
    materialized = None
    if is_versioned:
        materialized = Materialized.as_(stores.persistent_versioned_key_value_store(topic, "5m"))
    return builder.table(topic, materialized=materialized)


class Case:
    """A join in one of the ways that it can be put up."""

    def __init__(
        self,
        is_left: bool,
        *,
        is_optimized: bool = False,
        is_materialized: bool = False,
        rejoins: bool = False,
        versioned: tuple[str, ...] = (),
        extractor: Any = _foreign_key,
    ):
        self.is_left = is_left
        self.is_materialized = is_materialized
        self.versioned = versioned
        kind = "left_join" if is_left else "join"

        def define(builder: Any) -> Any:
            left, right = (_table(builder, name, name in versioned) for name in ("left", "right"))
            materialized = Materialized.as_("store") if is_materialized else None
            joined = getattr(left, kind)(
                right,
                in_parentheses,
                foreign_key_extractor=extractor,
                materialized=materialized,
            )
            if rejoins:
                # What is joined by foreign key can be joined again.
                rejoined = getattr(joined, kind)(
                    left, lambda this, other: f"rejoin({text(this)},{text(other)})"
                )
                rejoined.to_stream().to("rejoined")
            return joined.to_stream()

        config = {"topology.optimization": "all" if is_optimized else "none"}
        self.driver = JoinDriver(define, config)
        self.rejoined = self.driver.driver.create_output_topic("rejoined") if rejoins else None

    def __enter__(self) -> "Case":
        return self

    def __exit__(self, *_: Any) -> None:
        self.driver.__exit__()

    def left(self, key: str, value: str | None, timestamp: int) -> dict[str, str | None]:
        """Put a left row in; what has changed by then."""
        self.driver.inputs["left"].pipe_input(key, value, timestamp)
        return self.changed()

    def right(self, key: str, value: str | None, timestamp: int) -> dict[str, str | None]:
        """Put a right row in; what has changed by then."""
        self.driver.inputs["right"].pipe_input(key, value, timestamp)
        return self.changed()

    def changed(self) -> dict[str, str | None]:
        """What has come out, the last of each key."""
        return {key: value for key, value, _ in self.driver.read()}

    def check_store(self, expected: dict[str, str | None]) -> None:
        """Compare what is kept with rows; without those that are None."""
        if self.is_materialized:
            rows = {key: value for key, value in expected.items() if value is not None}
            assert dict(self.driver.driver.get_key_value_store("store").all()) == rows


def _cases() -> Iterator[Any]:
    for is_left in (True, False):
        for is_materialized in (True, False):
            for is_optimized in (True, False):
                for rejoins in (True, False):
                    yield (
                        is_left,
                        {
                            "is_materialized": is_materialized,
                            "is_optimized": is_optimized,
                            "rejoins": rejoins,
                        },
                    )
            for versioned in (("left",), ("right",), ("left", "right")):
                yield is_left, {"is_materialized": is_materialized, "versioned": versioned}


def _name(case: tuple[bool, dict[str, Any]]) -> str:
    is_left, options = case
    words = ["left" if is_left else "inner"]
    words += [name for name, value in options.items() if value is True]
    words += [f"{name} versioned" for name in options.get("versioned", ())]
    return " ".join(words)


@pytest.fixture(params=_cases(), ids=_name)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    is_left, options = request.param
    with Case(is_left, **options) as made:
        yield made


def test_left_rows_come_and_go(case: Case) -> None:
    for number in (1, 2, 3):
        assert case.right(f"rhs{number}", f"rhsValue{number}", number) == {}
    first = {"lhs1": "(lhsValue1|rhs1,rhsValue1)"}
    second = {"lhs2": "(lhsValue2|rhs2,rhsValue2)"}
    third = {"lhs3": "(lhsValue3|rhs1,rhsValue1)"}
    assert case.left("lhs1", "lhsValue1|rhs1", 3) == first
    assert case.left("lhs2", "lhsValue2|rhs2", 4) == second
    if case.rejoined is not None:
        assert case.rejoined.read_key_values_to_map() == {
            "lhs1": "rejoin((lhsValue1|rhs1,rhsValue1),lhsValue1|rhs1)",
            "lhs2": "rejoin((lhsValue2|rhs2,rhsValue2),lhsValue2|rhs2)",
        }
    case.check_store({**first, **second})
    assert case.left("lhs3", "lhsValue3|rhs1", 5) == third
    case.check_store({**first, **second, **third})
    assert case.left("lhs1", None, 6) == {"lhs1": None}
    case.check_store({**second, **third})
    if case.rejoined is not None:
        assert case.rejoined.read_key_values_to_map()["lhs1"] is None


def test_right_rows_come_and_go(case: Case) -> None:
    rows: dict[str, str | None] = {}
    if case.is_left:
        rows = {f"lhs{number}": f"(lhsValue{number}|{key},null)"
                for number, key in ((1, "rhs1"), (2, "rhs2"), (3, "rhs1"))}  # fmt: skip
    changes = case.left("lhs1", "lhsValue1|rhs1", 0)
    changes |= case.left("lhs2", "lhsValue2|rhs2", 1)
    changes |= case.left("lhs3", "lhsValue3|rhs1", 2)
    assert changes == rows
    case.check_store(rows)
    found = {"lhs1": "(lhsValue1|rhs1,rhsValue1)", "lhs3": "(lhsValue3|rhs1,rhsValue1)"}
    assert case.right("rhs1", "rhsValue1", 3) == found
    rows |= found
    case.check_store(rows)
    assert case.right("rhs2", "rhsValue2", 4) == {"lhs2": "(lhsValue2|rhs2,rhsValue2)"}
    rows |= {"lhs2": "(lhsValue2|rhs2,rhsValue2)"}
    assert case.right("rhs3", "rhsValue3", 5) == {}
    case.check_store(rows)
    gone = {
        key: f"(lhsValue{key[-1]}|rhs1,null)" if case.is_left else None for key in ("lhs1", "lhs3")
    }
    assert case.right("rhs1", None, 6) == gone
    case.check_store(rows | gone)


def test_a_left_row_that_joined_nothing_is_deleted_with_a_tombstone_once(case: Case) -> None:
    joined = {"lhs1": "(lhsValue1|rhs1,null)"} if case.is_left else {}
    assert case.left("lhs1", "lhsValue1|rhs1", 0) == joined
    case.check_store(joined)
    assert case.left("lhs1", None, 1) == {"lhs1": None}
    case.check_store({})
    assert case.left("lhs1", None, 2) == {}


def test_a_row_that_never_was_is_deleted_without_a_tombstone(case: Case) -> None:
    assert case.left("lhs1", None, 0) == {}
    case.check_store({})


def test_a_left_row_moves_from_one_missing_row_to_another(case: Case) -> None:
    def joined(key: str, otherwise: Any) -> dict[str, str | None]:
        return {"lhs1": f"(lhsValue1|{key},null)"} if case.is_left else otherwise

    assert case.left("lhs1", "lhsValue1|rhs1", 0) == joined("rhs1", {})
    # Nobody knows whether the row that was named before was there.
    assert case.left("lhs1", "lhsValue1|rhs2", 1) == joined("rhs2", {"lhs1": None})
    assert case.left("lhs1", "lhsValue1|rhs3", 2) == joined("rhs3", {"lhs1": None})
    case.check_store(joined("rhs3", {}))
    assert case.right("rhs1", "rhsValue1", 3) == {}
    assert case.left("lhs1", "lhsValue1|rhs1", 4) == {"lhs1": "(lhsValue1|rhs1,rhsValue1)"}
    case.check_store({"lhs1": "(lhsValue1|rhs1,rhsValue1)"})
    assert case.left("lhs1", "lhsValue1|rhs2", 5) == joined("rhs2", {"lhs1": None})
    case.check_store(joined("rhs2", {}))


def test_a_left_row_that_names_another_row_hears_no_more_of_the_first(case: Case) -> None:
    case.right("rhs1", "rhsValue1", 0)
    case.right("rhs2", "rhsValue2", 1)
    assert case.left("lhs1", "lhsValue1|rhs1", 2) == {"lhs1": "(lhsValue1|rhs1,rhsValue1)"}
    assert case.left("lhs1", "lhsValue1|rhs2", 3) == {"lhs1": "(lhsValue1|rhs2,rhsValue2)"}
    assert case.right("rhs1", "rhsValue1Delta", 4) == {}
    case.check_store({"lhs1": "(lhsValue1|rhs2,rhsValue2)"})


def test_records_that_are_old_are_left_out_of_versioned_tables_only(case: Case) -> None:
    assert case.right("rhs1", "rhsValue1", 4) == {}
    first = {"lhs1": "(lhsValue1|rhs1,rhsValue1)"}
    assert case.left("lhs1", "lhsValue1|rhs1", 3) == first
    assert case.left("lhs2", "lhsValue2|rhs1", 5) == {"lhs2": "(lhsValue2|rhs1,rhsValue1)"}
    assert case.left("lhs2", None, 6) == {"lhs2": None}
    case.check_store(first)
    changes = case.left("lhs1", "lhsValue1_ooo|rhs1", 2)
    changes |= case.left("lhs2", "lhsValue2_ooo|rhs1", 2)
    old = {"lhs1": "(lhsValue1_ooo|rhs1,rhsValue1)", "lhs2": "(lhsValue2_ooo|rhs1,rhsValue1)"}
    assert changes == ({} if "left" in case.versioned else old)
    case.check_store(first if "left" in case.versioned else old)
    gone = {} if "left" in case.versioned else {"lhs1": None}
    assert case.left("lhs1", None, 2) == gone
    case.check_store(first if "left" in case.versioned else old | gone)
    changes = case.left("lhs1", "lhsValue1_new|rhs1", 8)
    changes |= case.left("lhs2", "lhsValue2_new|rhs1", 8)

    def both(right: str | None) -> dict[str, str | None]:
        return {f"lhs{number}": f"(lhsValue{number}_new|rhs1,{text(right)})" for number in (1, 2)}

    assert changes == both("rhsValue1")
    case.check_store(both("rhsValue1"))
    is_versioned = "right" in case.versioned
    assert case.right("rhs1", "rhsValue1_ooo", 1) == ({} if is_versioned else both("rhsValue1_ooo"))
    changes = both(None) if case.is_left else {"lhs1": None, "lhs2": None}
    assert case.right("rhs1", None, 1) == ({} if is_versioned else changes)
    case.check_store(both("rhsValue1") if is_versioned else changes)
    assert case.right("rhs1", "rhsValue1_new", 6) == both("rhsValue1_new")
    case.check_store(both("rhsValue1_new"))


@pytest.mark.parametrize("versioned", [(), ("left",), ("right",), ("left", "right")])
def test_a_left_row_that_names_no_key_is_a_result_of_a_left_join(
    versioned: tuple[str, ...],
) -> None:
    with Case(True, versioned=versioned, extractor=lambda value: None) as case:
        assert case.left("lhs1", "lhsValue1|rhs1", 0) == {"lhs1": "(lhsValue1|rhs1,null)"}
        assert case.driver.drops == {}


def test_a_left_row_that_names_no_key_is_dropped_and_counted_by_an_inner_join() -> None:
    with Case(False) as case:
        assert case.left("lhs1", "lhsValue1|returnNull", 0) == {}
        assert case.driver.drops == {"null foreign key": 1}


@pytest.mark.parametrize("is_left", [False, True])
def test_a_left_row_that_names_no_key_any_more_leaves_the_right_side(is_left: bool) -> None:
    with Case(is_left) as case:
        (name,) = (
            name
            for name in case.driver.driver.get_all_state_stores()
            if "SUBSCRIPTION-STATE-STORE" in name
        )
        subscriptions = case.driver.driver.get_all_state_stores()[name]
        key = b"\x00\x00\x00\x04rhs1lhs1"
        case.left("lhs1", "lhsValue1|rhs1", 0)
        assert subscriptions.get(key) is not None
        expected = "(lhsValue1|returnNull,null)" if is_left else None
        assert case.left("lhs1", "lhsValue1|returnNull", 0) == {"lhs1": expected}
        assert subscriptions.get(key) is None
        assert case.right("rhs1", "rhsValue1", 1) == {}


def test_an_update_that_names_the_same_missing_row_is_no_result_of_an_inner_join() -> None:
    with Case(False) as case:
        assert case.left("lhs1", "lhsValue1|rhs1", 0) == {}
        assert case.left("lhs1", "lhsValue2|rhs1", 1) == {}


@pytest.mark.parametrize("is_left", [False, True])
def test_the_time_of_a_result_is_the_later_of_the_rows_that_are_known_to_each_other(
    is_left: bool,
) -> None:
    with Case(is_left) as case:
        case.right("rhs1", "r", 7)
        assert case.driver.pipe("left", "lhs1", "l|rhs1", 3) == [("lhs1", "(l|rhs1,r)", 7)]
        assert case.driver.pipe("left", "lhs2", "m|rhs1", 9) == [("lhs2", "(m|rhs1,r)", 9)]
        # A change of the right row does not know when the left ones were.
        assert case.driver.pipe("right", "rhs1", "s", 4) == [
            ("lhs1", "(l|rhs1,s)", 4),
            ("lhs2", "(m|rhs1,s)", 4),
        ]


@pytest.mark.parametrize("key", ["k", "", "kk"])
def test_a_foreign_key_that_begins_like_another_is_another(key: str) -> None:
    with Case(False) as case:
        for foreign_key in ("", "k", "kk", "kkk"):
            case.left(f"of {foreign_key}", f"l|{foreign_key}", 0)
        assert list(case.right(key, "r", 1)) == [f"of {key}"]


def test_extractor_and_joiner_may_want_the_key() -> None:
    def define(builder: Any) -> Any:
        return (
            builder.table("left")
            .left_join(
                builder.table("right"),
                with_key(lambda key, left, right: f"{key}:{left}:{text(right)}"),
                foreign_key_extractor=with_key(lambda key, value: f"{key}{value}"),
            )
            .to_stream()
        )

    with JoinDriver(define) as driver:
        driver.pipe("right", "kl", "r", 0)
        assert driver.pipe("left", "k", "l", 0) == [("k", "k:l:r", 0)]
        assert driver.pipe("left", "k", "m", 0) == [("k", "k:m:null", 0)]


def test_a_join_of_a_join_by_foreign_key() -> None:
    def define(builder: Any) -> Any:
        first, second, third = (builder.table(topic) for topic in ("left", "right", "third"))
        joined = first.join(
            second, in_parentheses, foreign_key_extractor=lambda value: value.split(",")[0]
        )
        return joined.join(
            third,
            in_parentheses,
            foreign_key_extractor=lambda value: value.strip("()").split(",")[1],
        ).to_stream()

    with JoinDriver(define, topics=("left", "right", "third")) as driver:
        driver.pipe("left", "a", "x,y", 0)
        driver.pipe("right", "x", "r", 1)
        assert driver.pipe("third", "y", "t", 2) == [("a", "((x,y,r),t)", 2)]
        assert driver.pipe("right", "x", None, 3) == [("a", None, 3)]


SERDES = {
    "of the configuration": ({}, {}),
    "of a source": ({"key_serde": serdes.int, "value_serde": serdes.string}, {}),
    "of the result": ({}, {"key_serde": serdes.int, "value_serde": serdes.string}),
}


@pytest.mark.parametrize(("of_source", "of_result"), SERDES.values(), ids=SERDES)
def test_serdes_that_are_not_said_are_those(
    of_source: dict[str, Serde], of_result: dict[str, Serde]
) -> None:
    def define(builder: Any) -> Any:
        first = builder.table("left", **of_source)
        joined = first.join(
            builder.table("right"),
            in_parentheses,
            foreign_key_extractor=lambda value: int(value.split("-")[0]),
            materialized=Materialized("asdf", **of_result),
        )
        return first.join(joined, in_parentheses).to_stream()

    with JoinDriver(define, {"default.key.serde": serdes.int}) as driver:
        driver.pipe("left", 1, "999-alpha", 0)  # type: ignore[arg-type]
        assert driver.pipe("right", 999, "beta", 0) == [  # type: ignore[arg-type]
            (1, "(999-alpha,(999-alpha,beta))", 0)
        ]


class Told(Serde):
    """Remembers for which topics it was used."""

    def __init__(self, inner: Serde, kind: str, topics: set[str]):
        self._inner = inner
        self._kind = kind
        self._topics = topics

    def serialize(self, topic: str | None, data: Any) -> bytes | None:
        self._topics.add(f"{topic}--{self._kind}")
        return self._inner.serialize(topic, data)

    def deserialize(self, topic: str | None, data: Any) -> Any:
        self._topics.add(f"{topic}--{self._kind}")
        return self._inner.deserialize(topic, data)


def test_serdes_are_told_the_topics_of_kafka_streams() -> None:
    topics: set[str] = set()
    key_serde = Told(serdes.int, "key", topics)
    value_serde = Told(serdes.string, "value", topics)

    def define(builder: Any) -> Any:
        left, right = (
            builder.table(topic, key_serde=key_serde, value_serde=value_serde)
            for topic in ("left_table", "right_table")
        )
        return left.join(
            right,
            in_parentheses,
            foreign_key_extractor=lambda value: int(value.split("|")[1]),
            materialized=Materialized(value_serde=value_serde),
        ).to_stream()

    config = {"application.id": "app", "default.key.serde": serdes.int}
    with JoinDriver(define, config, ("left_table", "right_table")) as driver:
        driver.pipe("left_table", 2, "lhsValue1|1", 0)  # type: ignore[arg-type]
        driver.pipe("right_table", 1, "rhsValue1", 0)  # type: ignore[arg-type]
    registration = "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic"
    response = "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000014-topic"
    assert topics == {
        f"{registration}-fk--key",
        f"{registration}-pk--key",
        f"{registration}-vh--value",
        f"{registration}--key",
        f"{response}--key",
        f"{response}--value",
        "app-left_table-STATE-STORE-0000000000-changelog--key",
        "app-left_table-STATE-STORE-0000000000-changelog--value",
        "app-right_table-STATE-STORE-0000000003-changelog--key",
        "app-right_table-STATE-STORE-0000000003-changelog--value",
        "left_table--key",
        "left_table--value",
        "right_table--key",
        "right_table--value",
        "out--key",
        "out--value",
    }
