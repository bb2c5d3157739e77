"""TupleForwarder, which hands on a table's updates: at once, or when the store's cache lets go."""

from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.flushed_update import record_of_flush
from pylog.streams.record import Change, Record


def value_of(entry: Any) -> Any:
    """The value of a ValueAndTimestamp, None of None."""
    return None if entry is None else entry.value


class TupleForwarder:
    """Forwards updates of a store to the children of a node.

    A store that caches tells of its updates when it writes them through; then `forward` does
    nothing and the children see what the cache tells.

    Args:
        context: of the processor.
        store: None where results do not follow the store's updates (emit on window close).
        sends_old_values: whether updates carry the value before.
    """

    def __init__(self, context: ProcessorContext, store: Any, sends_old_values: bool):
        self._context = context
        self._sends_old_values = sends_old_values
        self._is_cached = False
        if store is not None:
            self._is_cached = store.set_flush_listener(self._flushed, sends_old_values)

    def forward(self, record: Record) -> None:
        """Forward a Change, unless the store's cache does."""
        if self._is_cached:
            return
        change = record.value
        if not self._sends_old_values and change.old_value is not None:
            record = record.with_value(Change(change.new_value, None, change.is_latest))
        self._context.forward(record)

    def _flushed(self, record: Record) -> None:
        self._context.forward(record_of_flush(record))


class SessionTupleForwarder(TupleForwarder):
    """A TupleForwarder over a session store, whose values have no timestamp of their own."""

    def _flushed(self, record: Record) -> None:
        self._context.forward(record.with_timestamp(record.key.window.end_ms))
