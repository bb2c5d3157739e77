"""The processors of a foreign-key join, one by one.

Cases of Kafka Streams' SubscriptionSendProcessorSupplierTest (as of 4.3),
SubscriptionReceiveProcessorSupplierTest, SubscriptionJoinProcessorSupplierTest,
ForeignTableJoinProcessorSupplierTests and ResponseJoinProcessorSupplierTest.
"""

from typing import Any

import pytest
from tests.streams.processors.harness import Harness
from tests.streams.processors.join_driver import in_parentheses

from pylog.streams import serdes
from pylog.streams.errors import StreamsError
from pylog.streams.processors.foreign_key import (
    CombinedKey,
    CombinedKeySchema,
    ForeignTableJoinSupplier,
    Instruction,
    ResponseJoinSupplier,
    SubscriptionJoinSupplier,
    SubscriptionReceiveSupplier,
    SubscriptionResponseWrapper,
    SubscriptionSendSupplier,
    SubscriptionsInFlightSupplier,
    SubscriptionWrapper,
    SubscriptionWrapperSerde,
)
from pylog.streams.processors.foreign_key.value_hash import hash_value
from pylog.streams.record import Change, ValueAndTimestamp
from pylog.streams.state import stores

NO_ANSWER = Instruction.DELETE_KEY_NO_PROPAGATE
DELETE = Instruction.DELETE_KEY_AND_PROPAGATE
ALWAYS = Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE
IF_THERE = Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE
HASH = bytes(range(16))
# A left value is its foreign key; "none" has none.
LEFT_CASES = {
    "inserted": (("fk1", None), [("fk1", ALWAYS)]),
    "inserted without key": (("none", None), [(None, ALWAYS)]),
    "another key": (("fk2", "fk1"), [("fk1", NO_ANSWER), ("fk2", ALWAYS)]),
    "the same key": (("fk1", "fk1"), [("fk1", ALWAYS)]),
    "no key any more": (("none", "fk1"), [("fk1", NO_ANSWER), (None, ALWAYS)]),
    "a key at last": (("fk1", "none"), [("fk1", ALWAYS)]),
    "still no key": (("none", "none"), [(None, ALWAYS)]),
    "deleted": ((None, "fk1"), [("fk1", NO_ANSWER), (None, ALWAYS)]),
    "deleted without key": ((None, "none"), [(None, ALWAYS)]),
    "deleted before": ((None, None), []),
}
INNER_CASES = {
    "inserted": (("fk1", None), [("fk1", IF_THERE)], 0),
    "inserted without key": (("none", None), [], 1),
    "another key": (("fk2", "fk1"), [("fk1", NO_ANSWER), ("fk2", ALWAYS)], 0),
    "the same key": (("fk1", "fk1"), [("fk1", IF_THERE)], 0),
    "no key any more": (("none", "fk1"), [("fk1", DELETE)], 1),
    "a key at last": (("fk1", "none"), [("fk1", IF_THERE)], 0),
    "still no key": (("none", "none"), [], 1),
    "deleted": ((None, "fk1"), [("fk1", DELETE)], 0),
    "deleted without key": ((None, "none"), [], 0),
    "deleted before": ((None, None), [], 0),
}


def _sender(is_left: bool) -> SubscriptionSendSupplier:
    return SubscriptionSendSupplier(
        lambda value: None if value == "none" else value,
        "topic-fk",
        "topic-vh",
        serdes.string,
        serdes.string,
        is_left,
        SubscriptionsInFlightSupplier(),
    )


def _sent(is_left: bool, change: tuple[Any, Any]) -> tuple[list[Any], dict[str, int]]:
    harness = Harness(_sender(is_left))
    records = harness.pipe("pk", Change(*change), 0)
    value_hash = None if change[0] is None else hash_value(change[0].encode())
    for record in records:
        expected = SubscriptionWrapper(value_hash, record.value.instruction, "pk", 0)
        assert (record.value, record.timestamp) == (expected, 0)
    return [(record.key, record.value.instruction) for record in records], harness.drops


@pytest.mark.parametrize(("change", "expected"), LEFT_CASES.values(), ids=LEFT_CASES)
def test_what_the_left_side_of_a_left_join_asks(
    change: tuple[Any, Any], expected: list[Any]
) -> None:
    assert _sent(True, change) == (expected, {})


@pytest.mark.parametrize(("change", "expected", "dropped"), INNER_CASES.values(), ids=INNER_CASES)
def test_what_the_left_side_of_an_inner_join_asks(
    change: tuple[Any, Any], expected: list[Any], dropped: int
) -> None:
    drops = {"null foreign key": 1} if dropped else {}
    assert _sent(False, change) == (expected, drops)


@pytest.mark.parametrize("is_left", [False, True])
def test_records_that_a_versioned_table_says_are_old_are_not_asked_for(is_left: bool) -> None:
    supplier = _sender(is_left)
    supplier.set_use_versioned_semantics(True)
    harness = Harness(supplier)
    assert harness.pipe("pk", Change("fk1", None, is_latest=False), 0) == []
    assert harness.drops == {"out of order": 1}


SCHEMA = CombinedKeySchema("topic-fk", serdes.string, "topic-pk", serdes.string)


def _subscriptions() -> Any:
    supplier = stores.in_memory_key_value_store("store")
    serde = SubscriptionWrapperSerde("topic-pk", serdes.string)
    return stores.timestamped_key_value_store_builder(supplier, serdes.bytes, serde)


def _key(foreign_key: str, primary_key: str) -> bytes:
    return len(foreign_key).to_bytes(4, "big") + f"{foreign_key}{primary_key}".encode()


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("value_hash", [HASH, None])
@pytest.mark.parametrize("instruction", list(Instruction))
def test_subscriptions_are_kept_until_they_end(
    instruction: Instruction, value_hash: bytes | None, version: int
) -> None:
    harness = Harness(SubscriptionReceiveSupplier("store", SCHEMA), _subscriptions())
    store = harness.task.stores["store"]
    old = SubscriptionWrapper(HASH, IF_THERE, "pk2", 12, version=1)
    store.put(_key("fk1", "pk1"), ValueAndTimestamp(old, 0))
    partition = None if version == 0 else 1
    wrapper = SubscriptionWrapper(value_hash, instruction, "pk1", partition, version)
    (record,) = harness.pipe("fk1", wrapper, 1)
    assert (record.key, record.value) == (CombinedKey("fk1", "pk1"), wrapper)
    kept = store.get(_key("fk1", "pk1"))
    ends = instruction in (NO_ANSWER, DELETE)
    assert kept == (None if ends else ValueAndTimestamp(wrapper, 1))


def test_a_subscription_to_no_key_is_answered_and_not_kept() -> None:
    harness = Harness(SubscriptionReceiveSupplier("store", SCHEMA), _subscriptions())
    wrapper = SubscriptionWrapper(HASH, ALWAYS, "pk1", 1)
    (record,) = harness.pipe(None, wrapper, 1)
    assert record.key == CombinedKey(None, "pk1")
    assert list(harness.task.stores["store"].all()) == []


@pytest.mark.parametrize("instruction", [NO_ANSWER, DELETE, IF_THERE])
def test_another_subscription_to_no_key_is_dropped_and_counted(instruction: Instruction) -> None:
    harness = Harness(SubscriptionReceiveSupplier("store", SCHEMA), _subscriptions())
    assert harness.pipe(None, SubscriptionWrapper(HASH, instruction, "pk1", 1), 1) == []
    assert harness.drops == {"null foreign key": 1}


class Rows:
    """A table whose rows are given: what a value getter supplier is to a processor."""

    def __init__(self, **rows: ValueAndTimestamp):
        self.rows = rows
        self.is_versioned = False
        self.store_names = ()

    def __call__(self) -> "Rows":
        return self

    def init(self, context: Any) -> None:
        pass

    def get(self, key: str) -> ValueAndTimestamp | None:
        return self.rows.get(key)

    def close(self) -> None:
        pass


ROW = ValueAndTimestamp("foo", 1)
ANSWERS = {
    ("found", NO_ANSWER): [],
    ("found", DELETE): [(None, 1)],
    ("found", ALWAYS): [("foo", 1)],
    ("found", IF_THERE): [("foo", 1)],
    ("later", ALWAYS): [("foo", 7)],
    ("later", DELETE): [(None, 7)],
    ("missing", NO_ANSWER): [],
    ("missing", DELETE): [(None, 1)],
    ("missing", ALWAYS): [(None, 1)],
    ("missing", IF_THERE): [],
}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(("row", "instruction"), ANSWERS)
def test_what_a_new_subscription_is_answered(
    row: str, instruction: Instruction, version: int
) -> None:
    rows = Rows(found=ROW, later=ValueAndTimestamp("foo", 7))
    partition = None if version == 0 else 12
    wrapper = SubscriptionWrapper(HASH, instruction, "pk1", partition, version)
    harness = Harness(SubscriptionJoinSupplier(rows))
    records = harness.pipe(CombinedKey(row, "pk1"), wrapper, 1)
    assert [(record.key, record.value, record.timestamp) for record in records] == [
        ("pk1", SubscriptionResponseWrapper(HASH, value, partition), timestamp)
        for value, timestamp in ANSWERS[row, instruction]
    ]


def test_a_subscription_to_no_key_is_answered_with_nothing() -> None:
    harness = Harness(SubscriptionJoinSupplier(Rows()))
    (record,) = harness.pipe(
        CombinedKey(None, "pk1"), SubscriptionWrapper(HASH, ALWAYS, "pk1", 2), 1
    )
    assert record.value == SubscriptionResponseWrapper(HASH, None, 2)


def _foreign_table(*keys: tuple[str, str]) -> Harness:
    harness = Harness(ForeignTableJoinSupplier("store", SCHEMA), _subscriptions())
    for foreign_key, primary_key in keys:
        wrapper = SubscriptionWrapper(HASH, IF_THERE, primary_key, None, version=0)
        stored = ValueAndTimestamp(wrapper, 0)
        harness.task.stores["store"].put(_key(foreign_key, primary_key), stored)
    return harness


@pytest.mark.parametrize("value", ["new value", None])
def test_a_changed_right_row_is_told_to_all_who_have_subscribed(value: str | None) -> None:
    harness = _foreign_table(("fk1", "pk1"), ("fk1", "pk2"))
    records = harness.pipe("fk1", Change(value, None), 0)
    answer = SubscriptionResponseWrapper(HASH, value, None)
    assert [(record.key, record.value) for record in records] == [("pk1", answer), ("pk2", answer)]


def test_a_changed_right_row_is_told_to_nobody_else() -> None:
    harness = _foreign_table(("fk1", "pk1"), ("fk", "pk2"))
    assert [record.key for record in harness.pipe("fk", Change("new", None), 0)] == ["pk2"]
    assert harness.pipe("fk2", Change("new", None), 0) == []


def test_a_right_row_without_key_is_dropped_and_counted() -> None:
    harness = _foreign_table(("fk1", "pk1"))
    assert harness.pipe(None, Change("new", None), 0) == []
    assert harness.drops == {"null key": 1}


def test_right_rows_that_a_versioned_table_says_are_old_are_told_to_nobody() -> None:
    supplier = ForeignTableJoinSupplier("store", SCHEMA)
    supplier.set_use_versioned_semantics(True)
    harness = Harness(supplier, _subscriptions())
    assert harness.pipe("fk1", Change("new", None, is_latest=False), 0) == []
    assert harness.drops == {"out of order": 1}


def _resolver(rows: Any, is_left: bool) -> ResponseJoinSupplier:
    return ResponseJoinSupplier(
        rows, serdes.string, "topic-vh", in_parentheses, is_left, SubscriptionsInFlightSupplier()
    )


def _resolve(
    left_value: str | None, value_hash: bytes | None, right_value: str | None, is_left: bool
) -> Harness:
    rows = Rows() if left_value is None else Rows(lhs1=ValueAndTimestamp(left_value, 0))
    harness = Harness(_resolver(rows, is_left))
    harness.pipe("lhs1", SubscriptionResponseWrapper(value_hash, right_value, 0), 0)
    return harness


LEFT_HASH = hash_value(b"lhsValue")
RESULTS = {
    "inner": (("lhsValue", LEFT_HASH, "rhsValue", False), "(lhsValue,rhsValue)"),
    "left": (("lhsValue", LEFT_HASH, "rhsValue", True), "(lhsValue,rhsValue)"),
    "inner, no right row": (("lhsValue", LEFT_HASH, None, False), None),
    "left, no right row": (("lhsValue", LEFT_HASH, None, True), "(lhsValue,null)"),
    "inner, no row": ((None, None, None, False), None),
    "left, no row": ((None, None, None, True), None),
}


@pytest.mark.parametrize(("answer", "result"), RESULTS.values(), ids=RESULTS)
def test_an_answer_becomes_a_result(answer: Any, result: str | None) -> None:
    (record,) = _resolve(*answer).output.records
    assert (record.key, record.value, record.timestamp) == ("lhs1", result, 0)


@pytest.mark.parametrize(
    ("left_value", "value_hash"),
    [("newValue", LEFT_HASH), (None, LEFT_HASH), ("lhsValue", None)],
    ids=["changed", "deleted", "inserted"],
)
@pytest.mark.parametrize("is_left", [False, True])
def test_a_stale_answer_is_dropped_and_counted(
    left_value: str | None, value_hash: bytes | None, is_left: bool
) -> None:
    harness = _resolve(left_value, value_hash, "rhsValue", is_left)
    assert harness.output.records == []
    assert harness.drops == {"stale response": 1}


def test_what_a_later_release_says_is_refused() -> None:
    wrapper = SubscriptionWrapper(HASH, IF_THERE, "pk1", 1, version=2)
    harness = Harness(SubscriptionReceiveSupplier("store", SCHEMA), _subscriptions())
    with pytest.raises(StreamsError, match="version 2"):
        harness.pipe("fk1", wrapper, 0)
    harness = Harness(_resolver(Rows(), False))
    with pytest.raises(StreamsError, match="version 1"):
        harness.pipe("lhs1", SubscriptionResponseWrapper(None, None, 0, version=1), 0)
