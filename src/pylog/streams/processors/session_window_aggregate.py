"""Aggregates of a stream in sessions.

A record joins the sessions that are within the gap of it, and makes them one. The store has the
aggregate of each session; those that were merged are deleted, and said to be, before the new one
is there.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.old_values import intact
from pylog.streams.processors.tuple_forwarder import SessionTupleForwarder
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.processors.window_close import WindowCloseEmitter
from pylog.streams.processors.window_value_getters import (
    SessionStoreValueGetter,
    WindowValueGetterSupplier,
)
from pylog.streams.record import Change, Record
from pylog.streams.window import SessionWindow, Windowed
from pylog.streams.windows import EmitStrategy, SessionWindows


class KStreamSessionWindowAggregateSupplier:
    """Makes processors that keep an aggregate per key and session.

    Args:
        windows: their gap and grace.
        store_name: of the sessions.
        emit_strategy: on each update or when a session closes.
        initializer: () -> the aggregate of no records.
        aggregator: (key, value, aggregate) -> the aggregate with the record.
        merger: (key, aggregate, aggregate) -> the aggregate of both; the first is what was merged
            so far, which begins with an initial one.
    """

    def __init__(
        self,
        windows: SessionWindows,
        store_name: str,
        emit_strategy: EmitStrategy,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
        merger: Callable[[Any, Any, Any], Any],
    ):
        self.windows = windows
        self.store_name = store_name
        self.emit_strategy = emit_strategy
        self.initializer = initializer
        self.aggregator = aggregator
        self.merger = merger
        self.sends_old_values = False

    def __call__(self) -> "KStreamSessionWindowAggregateProcessor":
        """A new processor."""
        return KStreamSessionWindowAggregateProcessor(self)

    def enable_sending_old_values(self, force_materialization: bool = True) -> bool:
        """Send old values from now on; an aggregate is always materialized."""
        self.sends_old_values = True
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Reads the sessions' aggregates."""
        return WindowValueGetterSupplier(self.store_name, SessionStoreValueGetter)


class KStreamSessionWindowAggregateProcessor:
    """Puts each record into its session."""

    def __init__(self, supplier: KStreamSessionWindowAggregateSupplier):
        self._gap_ms = supplier.windows.inactivity_gap_ms
        self._grace_ms = supplier.windows.grace_ms
        self._store_name = supplier.store_name
        self._initializer = supplier.initializer
        self._aggregator = supplier.aggregator
        self._merger = supplier.merger
        self._sends_old_values = supplier.sends_old_values
        self._emits_on_close = supplier.emit_strategy.emits_on_window_close
        self._stream_time = -1

    def init(self, context: ProcessorContext) -> None:
        """Find the store."""
        self._context = context
        self._store: Any = context.get_state_store(self._store_name)
        followed = None if self._emits_on_close else self._store
        self._forwarder = SessionTupleForwarder(context, followed, self._sends_old_values)
        if self._emits_on_close:
            self._emitter = WindowCloseEmitter(context.task, self._store_name)

    def functions(self) -> tuple[Any, ...]:
        """Initializer, aggregator and merger."""
        return (self._initializer, self._aggregator, self._merger)

    def process(self, record: Record) -> None:
        """Merge the sessions around the record and add it; drop it if the result is closed."""
        if record.key is None:
            self._context.drop("null key")
            return
        self._stream_time = max(self._stream_time, record.timestamp)
        close_time_ms = self._stream_time - self._grace_ms - self._gap_ms
        self._add(record, close_time_ms)
        if self._emits_on_close and self._emitter.is_due(close_time_ms):
            self._emit_closed(record, close_time_ms)

    def _add(self, record: Record, close_time_ms: int) -> None:
        key, time = record.key, record.timestamp
        start_ms = end_ms = time
        aggregate = self._initializer()
        merged: list[tuple[Windowed, Any]] = []
        earliest_end_ms, latest_start_ms = time - self._gap_ms, time + self._gap_ms
        with closing(self._store.find_sessions(key, earliest_end_ms, latest_start_ms)) as found:
            for session, value in found:
                merged.append((session, intact(value) if self._sends_old_values else None))
                aggregate = self._merger(key, aggregate, value)
                start_ms = min(start_ms, session.window.start_ms)
                end_ms = max(end_ms, session.window.end_ms)

        if end_ms < close_time_ms:
            self._context.drop("late")
            return
        if start_ms < end_ms:
            for session, old in merged:
                self._store.remove(session)
                self._forward(session, None, old)
        aggregate = self._aggregator(key, record.value, aggregate)
        session = Windowed(key, SessionWindow(start_ms, end_ms))
        self._store.put(session, aggregate)
        self._forward(session, aggregate, None)

    def _forward(self, session: Windowed, new: Any, old: Any) -> None:
        if not self._emits_on_close:
            self._forwarder.forward(Record(session, Change(new, old), session.window.end_ms))

    def _emit_closed(self, record: Record, close_time_ms: int) -> None:
        last_end_ms = close_time_ms - 1
        first_end_ms = max(0, self._emitter.last_close_time_ms)
        if last_end_ms < first_end_ms:
            return
        with closing(self._store.find_sessions_by_end(first_end_ms, last_end_ms)) as closed:
            for session, value in closed:
                update = record.with_key(session).with_value(Change(value, None))
                self._forwarder.forward(update.with_timestamp(session.window.end_ms))
        self._emitter.emitted(close_time_ms)
