"""Suppression of a table's updates: they wait in a buffer until stream time lets them go.

Stream time here is the highest time of the updates that came, so that nothing leaves before another
record comes.
"""

from typing import Any

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.value_getters import KTableValueGetter, KTableValueGetterSupplier
from pylog.streams.record import Record, ValueAndTimestamp
from pylog.streams.state.suppress_buffer import Eviction, InMemoryTimeOrderedKeyValueChangeBuffer
from pylog.streams.state.suppress_format import RecordContext
from pylog.streams.suppressed import Suppressed


class KTableSuppressSupplier:
    """Makes processors that hold the updates of a table back.

    Args:
        suppressed: for how long and in how much memory; its wait_ms is known.
        store_name: of the buffer.
        parent: the KTable.
    """

    def __init__(self, suppressed: Suppressed, store_name: str, parent: Any):
        self.suppressed = suppressed
        self.store_name = store_name
        self.parent = parent
        # What those downstream know of a key is the old value of the first change held back.
        parent.enable_sending_old_values(True)

    def __call__(self) -> "KTableSuppressProcessor":
        """A new processor."""
        return KTableSuppressProcessor(self.suppressed, self.store_name)

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Pass the wish on to the parent."""
        enabled: bool = self.parent.enable_sending_old_values(force_materialization)
        return enabled

    def view(self) -> KTableValueGetterSupplier:
        """Reads the table as those downstream know it."""
        return _SuppressedValueGetterSupplier(self.store_name, self.parent.value_getter_supplier())


class KTableSuppressProcessor:
    """Buffers each update and lets go of those that have waited long enough."""

    def __init__(self, suppressed: Suppressed, store_name: str):
        if suppressed.wait_ms is None:
            raise StreamsError(f"{store_name}: how long updates wait is not known")
        self._wait_ms = suppressed.wait_ms
        self._bounds = suppressed.buffer
        self._is_final = suppressed.is_final
        self._store_name = store_name
        self._stream_time = -1

    def init(self, context: ProcessorContext) -> None:
        """Find the buffer."""
        self._context = context
        self._buffer: InMemoryTimeOrderedKeyValueChangeBuffer = context.get_state_store(
            self._store_name
        )

    def functions(self) -> tuple[Any, ...]:
        """None of the program's."""
        return ()

    def process(self, record: Record) -> None:
        """Hold one update back, let go of others.

        Raises:
            StreamsError: the buffer is full, and was told to shut down then.
        """
        self._stream_time = max(self._stream_time, record.timestamp)
        task = self._context.task
        context = RecordContext(
            record.timestamp, task.offset, task.partition, task.topic, record.headers
        )
        time = record.key.window.end_ms if self._is_final else record.timestamp
        self._buffer.put(time, record, context)
        self._buffer.evict_while(self._is_due, self._emit)
        if self._is_over_capacity():
            if not self._bounds.emits_early_when_full:
                raise StreamsError(
                    f"{self._context.node_name}: the buffer is full, with {len(self._buffer)} of "
                    f"{self._bounds.max_records} records and {self._buffer.memory_bytes} of "
                    f"{self._bounds.max_bytes} bytes, and is set to shut down then: give it more, "
                    "or emit_early_when_full()"
                )
            self._buffer.evict_while(self._is_over_capacity, self._emit)

    def _is_due(self) -> bool:
        return self._buffer.min_timestamp <= self._stream_time - self._wait_ms

    def _is_over_capacity(self) -> bool:
        bounds, buffer = self._bounds, self._buffer
        return len(buffer) > bounds.max_records or buffer.memory_bytes > bounds.max_bytes

    def _emit(self, eviction: Eviction) -> None:
        """Forward, while the task is at the record that the update came from."""
        if eviction.change.new_value is None and self._is_final:
            return
        task = self._context.task
        now = (task.topic, task.partition, task.offset, task.record_timestamp, task.headers)
        held = eviction.context
        task.set_record(held.topic, held.partition, held.offset, held.timestamp, held.headers)
        try:
            self._context.forward(eviction.record)
        finally:
            task.set_record(*now)


class _SuppressedValueGetterSupplier:
    def __init__(self, store_name: str, parent: KTableValueGetterSupplier):
        self._store_name = store_name
        self._parent = parent

    @property
    def store_names(self) -> tuple[str, ...]:
        """The buffer, and what the parent's values are read from."""
        return (self._store_name, *self._parent.store_names)

    def __call__(self) -> KTableValueGetter:
        """A new getter."""
        return _SuppressedValueGetter(self._store_name, self._parent())


class _SuppressedValueGetter:
    """The prior value of a key in the buffer; of others, what the parent has."""

    is_versioned = False

    def __init__(self, store_name: str, parent: KTableValueGetter):
        self._store_name = store_name
        self._parent = parent

    def init(self, context: ProcessorContext) -> None:
        self._parent.init(context)
        self._buffer: InMemoryTimeOrderedKeyValueChangeBuffer = context.get_state_store(
            self._store_name
        )

    def get(self, key: Any) -> ValueAndTimestamp | None:
        is_buffered, prior = self._buffer.prior_value_for_buffered(key)
        return prior if is_buffered else self._parent.get(key)

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        raise NotImplementedError("a suppressed table has no versions")

    def close(self) -> None:
        self._parent.close()
