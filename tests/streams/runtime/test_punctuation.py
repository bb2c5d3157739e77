"""When functions are called as time goes on. Scenarios of Kafka's PunctuationQueueTest."""

from typing import Any

import pytest

from pylog.streams.runtime.punctuation import NEVER, PunctuationQueue, Schedule
from pylog.streams.runtime.time_heap import TimeHeap


class Calls:
    """A queue, and when its functions were called."""

    def __init__(self) -> None:
        self.queue = PunctuationQueue()
        self.times: list[int] = []

    def add(self, first_ms: int, interval_ms: int) -> Schedule:
        schedule = Schedule(None, self.times.append, interval_ms, first_ms)
        self.queue.add(schedule)
        return schedule

    def punctuate(self, now_ms: int, after: Any = None) -> bool:
        def call(schedule: Schedule, now_ms: int) -> None:
            schedule.call(now_ms)
            if after is not None:
                after()

        return self.queue.punctuate(now_ms, call)


@pytest.mark.parametrize("first_ms", [100, 50])
def test_a_function_is_called_once_when_it_is_due_and_stays_on_its_grid(first_ms: int) -> None:
    calls = Calls()
    calls.add(first_ms, 100)
    for now, count, due in (
        (0, 0, first_ms),
        (first_ms - 1, 0, first_ms),
        (first_ms, 1, first_ms + 100),
        (first_ms + 99, 1, first_ms + 100),
        (first_ms + 100, 2, first_ms + 200),
        (first_ms + 901, 3, first_ms + 1000),  # once, though seven times have passed
        (first_ms + 902, 3, first_ms + 1000),
        (first_ms + 1000, 4, first_ms + 1100),
    ):
        has_called = calls.punctuate(now)
        assert (len(calls.times), calls.queue.next_ms) == (count, due)
        assert has_called == (count > 0 and calls.times[-1] == now)


def test_a_cancelled_function_is_not_called_again() -> None:
    calls = Calls()
    schedule = calls.add(100, 100)
    calls.punctuate(100)
    schedule.cancel()
    assert not calls.punctuate(1000)
    assert calls.times == [100]
    assert calls.queue.next_ms == NEVER


def test_a_function_can_be_cancelled_from_within_its_call() -> None:
    calls = Calls()
    schedule = calls.add(100, 100)
    assert calls.punctuate(100, after=schedule.cancel)
    assert calls.queue.next_ms == NEVER
    assert not calls.punctuate(200)
    assert calls.times == [100]


def test_a_function_added_within_a_call_is_called_in_the_same_round_if_it_is_due() -> None:
    calls = Calls()
    calls.add(100, 100)
    added = []

    def add_once() -> None:
        if not added:
            added.append(calls.add(50, 1000))

    calls.punctuate(100, after=add_once)
    assert calls.times == [100, 100]
    assert calls.queue.next_ms == 200


def test_the_one_due_first_is_called_first() -> None:
    queue = PunctuationQueue()
    order: list[str] = []
    for name, first_ms in (("late", 30), ("early", 10), ("middle", 20)):
        queue.add(Schedule(None, lambda now, name=name: order.append(name), 100, first_ms))
    queue.punctuate(50, lambda schedule, now: schedule.call(now))  # type: ignore[arg-type,return-value]
    assert order == ["early", "middle", "late"]


def test_after_a_call_that_raises_the_others_are_still_due() -> None:
    queue = PunctuationQueue()
    queue.add(Schedule(None, lambda now: 1 // 0, 100, 10))
    queue.add(Schedule(None, lambda now: None, 100, 20))
    with pytest.raises(ZeroDivisionError):
        queue.punctuate(50, lambda schedule, now: schedule.call(now))  # type: ignore[arg-type,return-value]
    assert queue.next_ms == 20


# What java.util.PriorityQueue did: +time puts the next number in, -number is what came out.
JAVA = """
    +2 +0 +1 +1 +1 -1 +3 +1 +3 -4 +3 -3 -2 +0 +3 +1 -13 -15 +3 +3 +1 +0 -21 +1 -7 +0 -25 -20 +2 +1
    -23 +2 +1 +0 +2 -33 +0 -36 -32 +0 -39 -29 +0 -42 +3 +3 +3 +3 -31 +1 +2 +3 +1 -49 -52 +3 -28 -0
    -34 +3 -50 -59 -46 -45 -44 -14 -8 -6 -55 -10 -47 -19 -18 -51
"""


def test_heap_gives_the_earliest_and_of_equals_the_one_that_javas_queue_gives() -> None:
    heap = TimeHeap()
    for number, step in enumerate(JAVA.split()):
        if step[0] == "+":
            heap.push(int(step), number)
        else:
            assert heap.pop() == -int(step), number
    assert len(heap) == 0
    with pytest.raises(IndexError):
        heap.pop()
    with pytest.raises(IndexError):
        heap.first_time  # noqa: B018


def test_heap_keeps_what_is_wanted() -> None:
    heap = TimeHeap()
    for time in (4, 2, 8, 6):
        heap.push(time, time)
    heap.keep(lambda item: item > 4)
    assert [heap.pop() for _ in range(2)] == [6, 8]
