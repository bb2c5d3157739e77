"""Punctuations: functions that processors want called as time goes on.

    PunctuationType   stream time, which records move, or wall-clock time
    Schedule          one function and when it is due next; `cancel()` ends it
    PunctuationQueue  those of a task and a type, the one due first in front

A function is called once when it is due, however many intervals have passed; its next time stays on
the grid of its first one.

Source: Kafka PunctuationQueue, PunctuationSchedule.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pylog.streams.runtime.time_heap import TimeHeap

NEVER = 2**63 - 1


class PunctuationType(StrEnum):
    """What moves the time of a punctuation."""

    STREAM_TIME = "stream_time"
    WALL_CLOCK_TIME = "wall_clock_time"


class Schedule:
    """A function to be called.

    Attributes:
        node: of the processor that asked for it.
        call: with the time, ms since 1970.
        interval_ms: between calls.
        next_ms: when it is due.
        is_cancelled: it will not be called again.
    """

    def __init__(self, node: Any, call: Callable[[int], object], interval_ms: int, next_ms: int):
        self.node = node
        self.call = call
        self.interval_ms = interval_ms
        self.next_ms = next_ms
        self.is_cancelled = False

    def cancel(self) -> None:
        """End it; also from within the call."""
        self.is_cancelled = True

    def move_past(self, now_ms: int) -> None:
        """The next time on the grid that is after now."""
        missed = max(0, (now_ms - self.next_ms) // self.interval_ms)
        self.next_ms += (missed + 1) * self.interval_ms


class PunctuationQueue:
    """The schedules of one type. `next_ms` is when the first is due, NEVER without any."""

    def __init__(self) -> None:
        self._heap = TimeHeap()
        self.next_ms = NEVER

    def add(self, schedule: Schedule) -> None:
        """One more."""
        self._heap.push(schedule.next_ms, schedule)
        self.next_ms = self._heap.first_time

    def punctuate(self, now_ms: int, call: Callable[[Schedule, int], None]) -> bool:
        """Call all that are due.

        Args:
            now_ms: ms since 1970.
            call: does it, given the schedule and now.

        Returns:
            Whether any was.
        """
        has_called = False
        try:
            while self._heap and self._heap.first_time <= now_ms:
                schedule = self._heap.pop()
                if not schedule.is_cancelled:
                    call(schedule, now_ms)
                    if not schedule.is_cancelled:
                        schedule.move_past(now_ms)
                        self._heap.push(schedule.next_ms, schedule)
                    has_called = True
        finally:
            self.next_ms = self._heap.first_time if self._heap else NEVER
        return has_called

    def clear(self) -> None:
        """Forget all."""
        self._heap = TimeHeap()
        self.next_ms = NEVER
