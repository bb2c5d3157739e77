"""A join of a stream with itself: one processor and one window store do for both sides.

The results are those of an inner join, in another order: those of the record with the others
first, then those of the others with the record, and where its time comes, or at the end, that of
the record with itself.

Source: Kafka Streams' KStreamKStreamSelfJoin, KIP-862.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.joiners import Joiner, joiner_with_key, user_function
from pylog.streams.record import Record
from pylog.streams.windows import JoinWindows


class KStreamKStreamSelfJoinSupplier:
    """Makes the processors of a self join.

    Args:
        window_store_name: where the stream's records are.
        windows: how far apart two records may be.
        joiner: takes the value of the one record, then the other's.
    """

    def __init__(self, window_store_name: str, windows: JoinWindows, joiner: Joiner):
        self.window_store_name = window_store_name
        self.windows = windows
        self.joiner = joiner

    def __call__(self) -> "_SelfJoinProcessor":
        """Make a processor."""
        return _SelfJoinProcessor(self)


class _SelfJoinProcessor:
    def __init__(self, supplier: KStreamKStreamSelfJoinSupplier):
        self._supplier = supplier
        windows = supplier.windows
        self._before_ms, self._after_ms = windows.before_ms, windows.after_ms
        self._retention_ms = windows.before_ms + windows.after_ms + windows.grace_ms
        self._joiner = joiner_with_key(supplier.joiner)
        self._stream_time = -1

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._store: Any = context.get_state_store(self._supplier.window_store_name)

    def process(self, record: Record) -> None:
        key, value, timestamp = record.key, record.value, record.timestamp
        if key is None or value is None:
            self._context.drop("null key" if key is None else "null value")
            return
        joiner, forward, fetch = self._joiner, self._context.forward, self._store.fetch
        self._stream_time = max(self._stream_time, timestamp)
        joins_itself = timestamp > self._stream_time - self._retention_ms + 1
        own_result = record.with_value(joiner(key, value, value))

        begin, end = max(0, timestamp - self._before_ms), max(0, timestamp + self._after_ms)
        for other_timestamp, other_value in fetch(key, begin, end):
            result = record.with_value(joiner(key, value, other_value))
            forward(result.with_timestamp(max(timestamp, other_timestamp)))

        begin, end = max(0, timestamp - self._after_ms), max(0, timestamp + self._before_ms)
        for other_timestamp, other_value in fetch(key, begin, end):
            if joins_itself and other_timestamp > timestamp:
                joins_itself = False
                forward(own_result)
            result = record.with_value(joiner(key, other_value, value))
            forward(result.with_timestamp(max(timestamp, other_timestamp)))
        if joins_itself:
            forward(own_result)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner, for errors."""
        return (user_function(self._supplier.joiner),)
