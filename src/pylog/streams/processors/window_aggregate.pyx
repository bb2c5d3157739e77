"""Aggregates of a stream in time windows: tumbling, hopping, unlimited.

Records without a key are dropped. A record is added to each of its windows that has not closed,
that is, ends after stream time less the grace period; stream time is the highest time of the
records that this node has seen. Results go on at each update, or once when a window closes.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.node cimport Node, ProcessorContext
from pylog.streams.processors.aggregation cimport Aggregation
from pylog.streams.processors.flushed_update cimport record_of_flush
from pylog.streams.record cimport Change, Record, ValueAndTimestamp
from pylog.streams.state.window_store cimport TimestampedWindowStore
from pylog.streams.window cimport Window, Windowed

from pylog.streams.processors.aggregation import Aggregating, Counting
from pylog.streams.processors.window_close import WindowCloseEmitter
from pylog.streams.processors.window_value_getters import WindowValueGetterSupplier
from pylog.streams.windows import TimeWindows


class _WindowAggregateSupplier:
    """Makes nodes that keep an aggregate per key and window.

    Attributes:
        windows: TimeWindows or UnlimitedWindows.
        store_name: of the windows.
        emit_strategy: on each update or when a window closes.
        sends_old_values: whether updates carry the value before.

    Raises:
        ValueError: results on close are asked of windows that never close.
    """

    def __init__(self, windows, store_name, emit_strategy):
        if emit_strategy.emits_on_window_close and not isinstance(windows, TimeWindows):
            raise ValueError(
                "EmitStrategy.on_window_close() is for windows that close: TimeWindows, "
                f"SlidingWindows and SessionWindows, not {type(windows).__name__}"
            )
        self.windows = windows
        self.store_name = store_name
        self.emit_strategy = emit_strategy
        self.sends_old_values = False

    def enable_sending_old_values(self, force_materialization=True):
        """Send old values from now on; an aggregate is always materialized."""
        self.sends_old_values = True
        return True

    def view(self):
        """Reads the windows' aggregates."""
        return WindowValueGetterSupplier(self.store_name)

    def aggregation(self):
        """How a new node aggregates."""
        raise NotImplementedError

    def __call__(self):
        return KStreamWindowAggregateNode(self.windows, self.store_name, self.emit_strategy,
                                          self.aggregation(), self.sends_old_values)


class KStreamWindowAggregateSupplier(_WindowAggregateSupplier):
    """Aggregates with functions of the program.

    Args:
        windows: TimeWindows or UnlimitedWindows.
        store_name: of the windows.
        emit_strategy: on each update or when a window closes.
        initializer: () -> the aggregate of no records.
        aggregator: (key, value, aggregate) -> the aggregate with the record.
    """

    def __init__(self, windows, store_name, emit_strategy, initializer, aggregator):
        _WindowAggregateSupplier.__init__(self, windows, store_name, emit_strategy)
        self.initializer = initializer
        self.aggregator = aggregator

    def aggregation(self):
        """With the two functions."""
        return Aggregating(self.initializer, self.aggregator)


class KStreamWindowCountSupplier(_WindowAggregateSupplier):
    """Counts the records of each key and window.

    Args:
        windows: TimeWindows or UnlimitedWindows.
        store_name: of the windows.
        emit_strategy: on each update or when a window closes.
    """

    def aggregation(self):
        """By counting."""
        return Counting()


@cython.final
cdef class KStreamWindowAggregateNode(Node):
    """Adds each record to the windows that it is in."""

    cdef object windows
    cdef bint is_of_time                 # TimeWindows, of which the numbers are here
    cdef int64_t size_ms
    cdef int64_t advance_ms
    cdef int64_t grace_ms
    cdef str store_name
    cdef Aggregation aggregation
    cdef bint sends_old_values
    cdef bint emits_on_close
    cdef object emitter                  # WindowCloseEmitter, where results go on on close
    cdef bint is_cached
    cdef TimestampedWindowStore store
    cdef int64_t observed_stream_time
    cdef Window last_window              # the one that was made last; the next is often the same

    def __init__(self, windows, str store_name not None, emit_strategy,
                 Aggregation aggregation not None, bint sends_old_values):
        self.windows = windows
        self.is_of_time = isinstance(windows, TimeWindows)
        if self.is_of_time:
            self.size_ms = windows.size_ms
            self.advance_ms = windows.advance_ms
        self.grace_ms = windows.grace_ms
        self.store_name = store_name
        self.emits_on_close = emit_strategy.emits_on_window_close
        self.aggregation = aggregation
        self.sends_old_values = sends_old_values
        self.observed_stream_time = -1

    def open(self):
        """Find the store."""
        self.store = ProcessorContext(self).get_state_store(self.store_name)
        self.aggregation.bind(self.store, self.sends_old_values)
        if self.emits_on_close:
            self.emitter = WindowCloseEmitter(self.task, self.store_name)
        else:
            self.is_cached = self.store.set_flush_listener(
                self.forward_flushed, self.sends_old_values
            )

    def functions(self):
        """Those of the aggregation."""
        return self.aggregation.functions()

    def forward_flushed(self, Record record not None):
        """Forward an update that the store's cache wrote through."""
        self.forward(record_of_flush(record))

    cdef int process(self, Record record) except -1:
        cdef int64_t close_time_ms, start_ms
        cdef Window window
        cdef bytes key
        if record.key is None:
            self.task.drop(self.name, "null key")
            return 0
        if record.timestamp > self.observed_stream_time:
            self.observed_stream_time = record.timestamp
        close_time_ms = self.observed_stream_time - self.grace_ms
        key = self.store.encode_key(record.key)
        if self.is_of_time:
            start_ms = self.first_start(record.timestamp)
            while start_ms <= record.timestamp:
                self.update(record, key, self.window_at(start_ms), close_time_ms)
                if start_ms > INT64_MAX - self.advance_ms:
                    break
                start_ms += self.advance_ms
        else:
            for window in self.windows.windows_for(record.timestamp).values():
                self.update(record, key, window, close_time_ms)
        if self.emits_on_close and self.emitter.is_due(close_time_ms):
            self.emit_closed(record, close_time_ms)
        return 0

    cdef int64_t first_start(self, int64_t timestamp) noexcept:
        """Start of the first window that a time is in."""
        if timestamp < self.size_ms:
            return 0
        return (timestamp - self.size_ms + self.advance_ms) // self.advance_ms * self.advance_ms

    cdef Window window_at(self, int64_t start_ms):
        """The window of this start."""
        cdef Window window = self.last_window
        if window is None or window.start_ms != start_ms:
            window = Window.__new__(Window)
            window.start_ms = start_ms
            # For times near the end of Java's.
            window.end_ms = start_ms + self.size_ms
            if start_ms > INT64_MAX - self.size_ms:
                window.end_ms = INT64_MAX
            self.last_window = window
        return window

    cdef int update(self, Record record, bytes key, Window window,
                    int64_t close_time_ms) except -1:
        """Add a record to one window and forward the Change; drop it if the window is closed."""
        cdef Aggregation aggregation = self.aggregation
        cdef Change change
        cdef Windowed windowed
        cdef Record changed
        if window.end_ms <= close_time_ms:
            self.task.drop(self.name, "late")
            return 0
        raw = self.store.get_raw(key, window.start_ms)
        self.store.put_raw(key, aggregation.apply(record, raw), window.start_ms)
        if self.emits_on_close or self.is_cached:
            return 0
        change = Change.__new__(Change)
        change.new_value = aggregation.new_value
        change.old_value = aggregation.old_value if self.sends_old_values else None
        change.is_latest = True
        windowed = Windowed.__new__(Windowed)
        windowed.key = record.key
        windowed.window = window
        changed = record.derive(windowed, change)
        changed.timestamp = aggregation.timestamp
        return self.forward(changed)

    cdef int emit_closed(self, Record record, int64_t close_time_ms) except -1:
        """Forward the final results of the windows that have closed since the last time."""
        cdef int64_t last_close_time_ms = self.emitter.last_close_time_ms
        cdef int64_t first_start_ms = 0
        cdef int64_t last_start_ms = close_time_ms - self.size_ms
        cdef ValueAndTimestamp found
        cdef Record final
        if last_start_ms < 0:
            return 0
        if last_close_time_ms != -1:
            first_start_ms = max(0, last_close_time_ms - self.size_ms) + 1
            if self.are_in_same_windows(first_start_ms - 1, last_start_ms):
                return 0
        with self.store.fetch_all(first_start_ms, last_start_ms) as closed:
            for key, value in closed:
                found = value
                final = record.derive(key, Change(found.value, None))
                final.timestamp = found.timestamp
                self.forward(final)
        self.emitter.emitted(close_time_ms)
        return 0

    cdef bint are_in_same_windows(self, int64_t one, int64_t other) noexcept:
        """Whether all windows that one time is in have the other in them too."""
        return (self.first_start(one) == self.first_start(other)
                and one // self.advance_ms == other // self.advance_ms)
