"""WindowStore and TimestampedWindowStore, maps from keys and windows, as a program sees them."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from pylog.streams.record cimport Change, Record
from pylog.streams.state.bytes_store cimport BytesWindowStore
from pylog.streams.state.formats cimport cut, int64_at
from pylog.streams.state.store cimport Store, StoreIterator
from pylog.streams.window cimport Windowed


cdef class WindowStore(Store):
    """A map from keys and window starts to values, kept for the retention of the store.

    All times are ms since 1970, and both ends of a range of times or keys are inclusive.
    """

    def __init__(self, BytesWindowStore layers not None, int64_t window_size_ms,
                 int64_t retention_ms, key_serde=None, value_serde=None,
                 bint is_timestamped=False):
        Store.__init__(self, layers, key_serde, value_serde, is_timestamped)
        self.inner = layers
        self.window_size_ms = window_size_ms
        self.retention_ms = retention_ms

    def put(self, key, value, int64_t window_start_ms):
        """Set the value of a key in the window that begins then; None deletes it.

        A window that the retention has passed is not written: the record is counted as "expired".
        """
        self.inner.put(self.encode_key(key), self.encode_value(value), window_start_ms)

    def fetch_at(self, key, int64_t time_ms):
        """Return the value of a key in the window that begins at this time, None for none."""
        return self.decode_value(self.inner.get(self.encode_key(key), time_ms))

    def fetch(self, key, int64_t time_from, int64_t time_to):
        """Go through (start, value) of a key's windows that begin in this time, oldest first."""
        return self._of_key(key, time_from, time_to, False)

    def backward_fetch(self, key, int64_t time_from, int64_t time_to):
        """Go through (start, value) of a key's windows that begin in this time, newest first."""
        return self._of_key(key, time_from, time_to, True)

    def fetch_range(self, key_from, key_to, int64_t time_from, int64_t time_to):
        """Go through (Windowed, value) of a range of keys, by time and then by key.

        Args:
            key_from: None is the beginning.
            key_to: None is the end.
            time_from: the first window start.
            time_to: the last window start.
        """
        return self._of_range(key_from, key_to, time_from, time_to, False)

    def backward_fetch_range(self, key_from, key_to, int64_t time_from, int64_t time_to):
        """Go through (Windowed, value) of a range of keys, the last one first."""
        return self._of_range(key_from, key_to, time_from, time_to, True)

    def fetch_all(self, int64_t time_from, int64_t time_to):
        """Go through (Windowed, value) of all windows that begin in this time."""
        return self._of_range(None, None, time_from, time_to, False)

    def backward_fetch_all(self, int64_t time_from, int64_t time_to):
        """Go through (Windowed, value) of all windows that begin in this time, last one first."""
        return self._of_range(None, None, time_from, time_to, True)

    def all(self):
        """Go through (Windowed, value) of all windows."""
        return self._of_range(None, None, INT64_MIN, INT64_MAX, False)

    def backward_all(self):
        """Go through (Windowed, value) of all windows, the last one first."""
        return self._of_range(None, None, INT64_MIN, INT64_MAX, True)

    def __iter__(self):
        for key, _ in self.all():
            yield key

    def flush_listener(self, listener):
        """What the cache calls: makes a Record of a Change and hands it to `listener`."""
        def on_flush(bytes key, new, old, int64_t timestamp, headers):
            change = Change(self.decode_value(new), self.decode_value(old))
            decoded = self.key_serde.decode(self.serde_topic, cut(key, 12))
            windowed = Windowed(decoded, self.window_at(int64_at(key, 12)))
            listener(Record(windowed, change, timestamp, headers))
        return on_flush

    def _of_key(self, key, int64_t time_from, int64_t time_to, bint is_reverse):
        cdef WindowStoreIterator entries = WindowStoreIterator.__new__(WindowStoreIterator)
        entries.store = self
        entries.cursor = self.inner.fetch(self.encode_key(key), time_from, time_to, is_reverse)
        return entries

    def _of_range(self, key_from, key_to, int64_t time_from, int64_t time_to, bint is_reverse):
        cdef WindowedIterator entries = WindowedIterator.__new__(WindowedIterator)
        entries.store = self
        entries.cursor = self.inner.scan(self.encode_bound(key_from), self.encode_bound(key_to),
                                         time_from, time_to, is_reverse)
        return entries


cdef class TimestampedWindowStore(WindowStore):
    """A map from keys and window starts to ValueAndTimestamp."""

    def __init__(self, BytesWindowStore layers not None, int64_t window_size_ms,
                 int64_t retention_ms, key_serde=None, value_serde=None):
        WindowStore.__init__(self, layers, window_size_ms, retention_ms, key_serde, value_serde,
                             True)


cdef class WindowStoreIterator(StoreIterator):
    """Goes through (window start, value) of one key."""

    cdef object entry(self):
        return self.cursor.start_ms, self.store.decode_value(self.cursor.value)

    cdef object entry_key(self):
        return self.cursor.start_ms


cdef class WindowedIterator(StoreIterator):
    """Goes through (Windowed, value) of many keys."""

    cdef object entry(self):
        return self.entry_key(), self.store.decode_value(self.cursor.value)

    cdef object entry_key(self):
        cdef WindowStore store = self.store
        key = store.key_serde.decode(store.serde_topic, self.cursor.key)
        return Windowed(key, store.window_at(self.cursor.start_ms))
