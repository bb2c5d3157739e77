"""Aggregates of a stream in sliding windows.

For a record at t of a key, with difference d, two windows matter: the left one, [t - d, t], and the
right one, [t + 1, t + 1 + d], which exists as soon as a record is in it. The store has of each
window the aggregate and, as its timestamp, the time of the newest record in it; from these alone
follows which windows a new record creates and what they begin with.

    existing windows that contain t            take the record
    the right window of the record before      is made if t is in it, and begins with the record
    the left window of t                       is made of the one that ended before, if it overlaps
    the right window of t                      is made of what is in it already

Records before d would have left windows that begin before 0; they share the window [0, d].
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.old_values import intact
from pylog.streams.processors.tuple_forwarder import TupleForwarder
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.processors.window_close import WindowCloseEmitter
from pylog.streams.processors.window_value_getters import WindowValueGetterSupplier
from pylog.streams.record import Change, Record, ValueAndTimestamp
from pylog.streams.window import Window, Windowed
from pylog.streams.windows import EmitStrategy, SlidingWindows

_Found = tuple[int, ValueAndTimestamp]


class KStreamSlidingWindowAggregateSupplier:
    """Makes processors that keep an aggregate per key and sliding window.

    Args:
        windows: their difference and grace.
        store_name: of the windows.
        emit_strategy: on each update or when a window closes.
        initializer: () -> the aggregate of no records.
        aggregator: (key, value, aggregate) -> the aggregate with the record.
    """

    def __init__(
        self,
        windows: SlidingWindows,
        store_name: str,
        emit_strategy: EmitStrategy,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
    ):
        self.windows = windows
        self.store_name = store_name
        self.emit_strategy = emit_strategy
        self.initializer = initializer
        self.aggregator = aggregator
        self.sends_old_values = False

    def __call__(self) -> "KStreamSlidingWindowAggregateProcessor":
        """A new processor."""
        return KStreamSlidingWindowAggregateProcessor(self)

    def enable_sending_old_values(self, force_materialization: bool = True) -> bool:
        """Send old values from now on; an aggregate is always materialized."""
        self.sends_old_values = True
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Reads the windows' aggregates."""
        return WindowValueGetterSupplier(self.store_name)


class KStreamSlidingWindowAggregateProcessor:
    """Puts each record into the windows that it is in, and makes those that it calls for."""

    def __init__(self, supplier: KStreamSlidingWindowAggregateSupplier):
        self._difference_ms = supplier.windows.time_difference_ms
        self._grace_ms = supplier.windows.grace_ms
        self._store_name = supplier.store_name
        self._initializer = supplier.initializer
        self._aggregator = supplier.aggregator
        self._sends_old_values = supplier.sends_old_values
        self._emits_on_close = supplier.emit_strategy.emits_on_window_close
        self._stream_time = -1

    def init(self, context: ProcessorContext) -> None:
        """Find the store."""
        self._context = context
        self._store: Any = context.get_state_store(self._store_name)
        followed = None if self._emits_on_close else self._store
        self._forwarder = TupleForwarder(context, followed, self._sends_old_values)
        if self._emits_on_close:
            self._emitter = WindowCloseEmitter(context.task, self._store_name)

    def functions(self) -> tuple[Any, ...]:
        """Initializer and aggregator."""
        return (self._initializer, self._aggregator)

    def process(self, record: Record) -> None:
        """Update and make windows; drop a record that is late for all of them."""
        if record.key is None or record.value is None:
            self._context.drop("null key" if record.key is None else "null value")
            return
        self._stream_time = max(self._stream_time, record.timestamp)
        close_time_ms = self._stream_time - self._grace_ms
        if record.timestamp + self._difference_ms < close_time_ms:
            self._context.drop("late")
        elif record.timestamp < self._difference_ms:
            self._process_early(record, close_time_ms)
        else:
            self._process(record, close_time_ms)
            if self._emits_on_close and self._emitter.is_due(close_time_ms):
                self._emit_closed(record, close_time_ms)

    def _process(self, record: Record, close_time_ms: int) -> None:
        time = record.timestamp
        left: ValueAndTimestamp | None = None  # newest window that ended before the record
        right: ValueAndTimestamp | None = None  # newest window around it
        left_exists = right_exists = False
        previous_time: int | None = None  # of the newest record before this one, where it matters
        starts = set()
        for start_ms, found in self._newest_first(record):
            starts.add(start_ms)
            end_ms = start_ms + self._difference_ms
            if start_ms == time + 1:
                right_exists = True
            elif end_ms > time:
                if right is None:
                    right = _kept(found, time)
                self._update(record, start_ms, found, close_time_ms)
            elif end_ms == time:
                left_exists = True
                self._update(record, start_ms, found, close_time_ms)
                if found.timestamp >= time:
                    # Another record of the same time has made all windows already.
                    return
                previous_time = found.timestamp
            else:
                left = found
                previous_time = found.timestamp

        if previous_time is not None:
            start_ms = previous_time + 1
            if start_ms not in starts and start_ms + self._difference_ms >= time:
                self._make(record, start_ms, self._initializer(), close_time_ms)
        if not left_exists:
            start_ms = time - self._difference_ms
            if previous_time is not None and left is not None and start_ms <= previous_time:
                self._make(record, start_ms, left.value, close_time_ms)
            else:
                self._make(record, start_ms, self._initializer(), close_time_ms)
        if not right_exists and right is not None and right.timestamp > time:
            self._make_right_window(record, right)

    def _newest_first(self, record: Record) -> list[_Found]:
        """The windows around the record, down to the first that ended before it.

        They are read before the first is updated, so that no cursor is open on a store that
        changes.
        """
        time = record.timestamp
        earliest = max(0, time - 2 * self._difference_ms)
        windows: list[_Found] = []
        with closing(self._store.backward_fetch(record.key, earliest, time + 1)) as found:
            for start_ms, value in found:
                windows.append((start_ms, value))
                if start_ms + self._difference_ms < time:
                    break
        return windows

    def _process_early(self, record: Record, close_time_ms: int) -> None:
        time = record.timestamp
        combined: ValueAndTimestamp | None = None  # [0, difference]
        right: ValueAndTimestamp | None = None
        right_exists = False
        previous_time: int | None = None
        starts = set()
        with closing(self._store.fetch(record.key, 0, time + 1)) as found:
            windows: Iterable[_Found] = list(found)
        for start_ms, value in windows:
            starts.add(start_ms)
            if start_ms == 0:
                combined = value
                if value.timestamp < time:
                    previous_time = value.timestamp
            elif start_ms <= time:
                right = _kept(value, time)
                self._update(record, start_ms, value, close_time_ms)
            else:
                right_exists = True

        # Without a window that begins between, what is newer in the first window is to the right.
        if right is None and combined is not None and combined.timestamp > time:
            right = _kept(combined, time)
        if not right_exists and right is not None and right.timestamp > time:
            self._make_right_window(record, right)
        if previous_time is not None and previous_time + 1 not in starts:
            self._make(record, previous_time + 1, self._initializer(), close_time_ms)
        if combined is None:
            self._make(record, 0, self._initializer(), close_time_ms)
        else:
            self._update(record, 0, combined, close_time_ms)

    def _make(self, record: Record, start_ms: int, initial: Any, close_time_ms: int) -> None:
        """A window that begins with an aggregate and this record."""
        begun = None if initial is None else ValueAndTimestamp(initial, record.timestamp)
        self._update(record, start_ms, begun, close_time_ms)

    def _make_right_window(self, record: Record, right: ValueAndTimestamp) -> None:
        """The window that begins after the record, of newer records only."""
        start_ms = record.timestamp + 1
        self._store.put(record.key, right, start_ms)
        self._forward(record, start_ms, right, None)

    def _update(
        self, record: Record, start_ms: int, found: ValueAndTimestamp | None, close_time_ms: int
    ) -> None:
        """Put the record into a window, unless that is closed."""
        if start_ms + self._difference_ms < close_time_ms:
            self._context.drop("late")
            return
        old = None if found is None else found.value
        before = intact(old) if self._sends_old_values else None
        new = self._aggregator(record.key, record.value, old)
        timestamp = record.timestamp if found is None else max(record.timestamp, found.timestamp)
        updated = ValueAndTimestamp(new, timestamp)
        self._store.put(record.key, None if new is None else updated, start_ms)
        self._forward(record, start_ms, updated, before)

    def _forward(self, record: Record, start_ms: int, new: ValueAndTimestamp, old: Any) -> None:
        if self._emits_on_close:
            return
        window = Window(start_ms, start_ms + self._difference_ms)
        update = record.with_key(Windowed(record.key, window))
        self._forwarder.forward(
            update.with_value(Change(new.value, old)).with_timestamp(new.timestamp)
        )

    def _emit_closed(self, record: Record, close_time_ms: int) -> None:
        last_start_ms = close_time_ms - self._difference_ms - 1
        if last_start_ms < 0:
            return
        first_start_ms = max(0, self._emitter.last_close_time_ms - self._difference_ms)
        with closing(self._store.fetch_all(first_start_ms, last_start_ms)) as closed:
            for key, found in closed:
                update = record.with_key(key).with_value(Change(found.value, None))
                self._forwarder.forward(update.with_timestamp(found.timestamp))
        self._emitter.emitted(close_time_ms)


def _kept(found: ValueAndTimestamp, time: int) -> ValueAndTimestamp:
    """An aggregate as it is now; its right window may begin with it, if newer records are in it."""
    if found.timestamp <= time:
        return found
    return ValueAndTimestamp(intact(found.value), found.timestamp)
