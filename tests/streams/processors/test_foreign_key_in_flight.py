"""Joins by foreign key whose answers come late: rows change again before.

Messages between the two sides are kept in queues here, and delivered by hand or by chance.
"""

import random
from collections import deque
from typing import Any

import pytest
from tests.streams.processors.harness import Harness
from tests.streams.processors.join_driver import in_parentheses
from tests.streams.processors.test_foreign_key_processors import SCHEMA, Rows, _subscriptions

from pylog.streams import serdes
from pylog.streams.processors.foreign_key import (
    ForeignTableJoinSupplier,
    ResponseJoinSupplier,
    SubscriptionJoinSupplier,
    SubscriptionReceiveSupplier,
    SubscriptionSendSupplier,
    SubscriptionsInFlightSupplier,
)
from pylog.streams.processors.foreign_key.in_flight import (
    MOST_WITHOUT_ANSWER,
    SubscriptionsInFlight,
)
from pylog.streams.record import Change, Record, ValueAndTimestamp


def _foreign_key(value: str) -> str | None:
    """A left value is "<foreign key>.<rest>"; one that begins with a dot has no foreign key."""
    return value.split(".")[0] or None


class RightPartition:
    """One task of the right side, with what is on the way to it and from it."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.subscriptions: deque[Record] = deque()
        self.answers: deque[Record] = deque()
        self._receive = Harness(SubscriptionReceiveSupplier("store", SCHEMA), _subscriptions())
        self._join = Harness(SubscriptionJoinSupplier(self.rows))
        self._table = Harness(ForeignTableJoinSupplier("store", SCHEMA), _subscriptions())
        # Both are of one task.
        self._table.task.stores["store"] = self._receive.store("store")
        self._table.start(ForeignTableJoinSupplier("store", SCHEMA))

    def put(self, key: str, value: str | None) -> None:
        """Change a row."""
        old = self.rows.rows.pop(key, None)
        if value is not None:
            self.rows.rows[key] = ValueAndTimestamp(value, 0)
        change = Change(value, None if old is None else old.value)
        self.answers += self._table.pipe(key, change, 0)

    def read_subscription(self) -> None:
        """Take the next one in."""
        record = self.subscriptions.popleft()
        for stored in self._receive.pipe(record.key, record.value, 0):
            self.answers += self._join.pipe(stored.key, stored.value, 0)


class SlowJoin:
    """A join of one left partition with several right ones."""

    def __init__(self, is_left: bool = False, partition_count: int = 1):
        self.is_left = is_left
        self.rows = Rows()
        self.rights = [RightPartition() for _ in range(partition_count)]
        self.results: dict[Any, str] = {}
        in_flight = SubscriptionsInFlightSupplier()
        serde, topic = serdes.string, "topic-vh"
        self._send = Harness(
            SubscriptionSendSupplier(
                _foreign_key, "topic-fk", topic, serde, serde, is_left, in_flight
            )
        )
        self._resolve = Harness(
            ResponseJoinSupplier(self.rows, serde, topic, in_parentheses, is_left, in_flight)
        )

    def right_of(self, foreign_key: str | None) -> RightPartition:
        """Where a foreign key belongs to."""
        return self.rights[sum((foreign_key or "").encode()) % len(self.rights)]

    def put(self, key: str, value: str | None) -> None:
        """Change a left row."""
        old = self.rows.rows.pop(key, None)
        if value is not None:
            self.rows.rows[key] = ValueAndTimestamp(value, 0)
        change = Change(value, None if old is None else old.value)
        for record in self._send.pipe(key, change, 0):
            self.right_of(record.key).subscriptions.append(record)

    def read_answer(self, right: RightPartition) -> None:
        """Take the next one in."""
        answer = right.answers.popleft()
        for record in self._resolve.pipe(answer.key, answer.value, 0):
            self.results.pop(record.key, None)
            if record.value is not None:
                self.results[record.key] = record.value

    def settle(self) -> None:
        """Deliver all that is on the way."""
        for right in self.rights:
            while right.subscriptions:
                right.read_subscription()
        for right in self.rights:
            while right.answers:
                self.read_answer(right)

    def expected(self) -> dict[Any, str]:
        """What the result is to be in the end."""
        expected = {}
        for key, row in self.rows.rows.items():
            foreign_key = _foreign_key(row.value)
            found = None
            if foreign_key is not None:
                found = self.right_of(foreign_key).rows.get(foreign_key)
            if found is not None or self.is_left:
                expected[key] = in_parentheses(row.value, found and found.value)
        return expected


def test_a_row_that_moves_to_no_row_and_changes_at_once_has_no_result() -> None:
    join = SlowJoin()
    join.rights[0].put("a", "right")
    join.put("row", "a.1")
    join.settle()
    assert join.results == {"row": "(a.1,right)"}
    # The answer of the first is stale when it comes, so there must be one of the second.
    join.put("row", "b.2")
    join.put("row", "b.3")
    join.settle()
    assert join.results == {}


def test_a_row_that_changes_while_the_right_row_goes_has_no_result() -> None:
    join = SlowJoin()
    join.rights[0].put("a", "right")
    join.put("row", "a.1")
    join.settle()
    join.put("row", "a.2")
    join.rights[0].put("a", None)
    join.settle()
    assert join.results == {}


def test_a_row_that_is_deleted_and_put_again_has_no_result_of_before() -> None:
    join = SlowJoin()
    join.rights[0].put("a", "right")
    join.put("row", "a.1")
    join.settle()
    join.put("row", None)
    join.put("row", "b.2")
    join.settle()
    assert join.results == {}


def test_a_row_that_loses_its_key_twice_has_no_result() -> None:
    join = SlowJoin()
    join.rights[0].put("a", "right")
    join.put("row", "a.1")
    join.settle()
    join.put("row", ".2")
    join.put("row", ".3")
    join.settle()
    assert join.results == {}


@pytest.mark.parametrize("is_left", [False, True], ids=["inner", "left"])
@pytest.mark.parametrize("seed", range(60))
def test_the_result_is_right_in_the_end_however_slow_answers_are(seed: int, is_left: bool) -> None:
    randomness = random.Random(seed)
    join = SlowJoin(is_left, partition_count=3)
    for number in range(300):
        right = randomness.choice(join.rights)
        choice = randomness.randrange(10)
        if choice < 3:
            value = f"{randomness.choice(['', 'a', 'b', 'c', 'd'])}.{number}"
            join.put(f"row{randomness.randrange(3)}", randomness.choice([value, value, None]))
        elif choice < 5:
            foreign_key = randomness.choice("abcd")
            row = randomness.choice([f"right{number}", None])
            join.right_of(foreign_key).put(foreign_key, row)
        elif choice < 7 and right.subscriptions:
            right.read_subscription()
        elif right.answers:
            join.read_answer(right)
        if number % 100 == 99:
            join.settle()
            assert join.results == join.expected(), number


def test_rows_without_answer_are_forgotten_when_there_are_too_many() -> None:
    in_flight = SubscriptionsInFlight()
    for number in range(MOST_WITHOUT_ANSWER + 1):
        in_flight.ask_if_there(number)
    assert not in_flight.deletes_when_stale(0)
    assert in_flight.deletes_when_stale(1)
    assert in_flight.deletes_when_stale(MOST_WITHOUT_ANSWER)


def test_a_row_asked_for_again_is_of_the_latest() -> None:
    in_flight = SubscriptionsInFlight()
    in_flight.ask_if_there("row")
    for number in range(MOST_WITHOUT_ANSWER - 1):
        in_flight.ask_if_there(number)
    in_flight.ask_if_there("row")
    in_flight.ask_if_there("another")
    assert in_flight.deletes_when_stale("row")
    assert not in_flight.deletes_when_stale(0)


def test_keys_need_not_be_hashable() -> None:
    in_flight = SubscriptionsInFlight()
    in_flight.ask(["a", 1])
    assert in_flight.is_unanswered(["a", 1])
    in_flight.answer(["a", 1])
    assert not in_flight.is_unanswered(["a", 1])


def test_each_task_has_what_is_in_flight_of_its_own() -> None:
    supplier = SubscriptionsInFlightSupplier()
    supplier.get("0_0").ask("row")
    assert supplier.get("0_0").is_unanswered("row")
    assert not supplier.get("0_1").is_unanswered("row")
    supplier.remove("0_0")
    assert not supplier.get("0_0").is_unanswered("row")
