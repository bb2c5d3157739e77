"""SessionStore, a map from keys and sessions, as a program sees it."""

from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.record cimport Change, Record
from pylog.streams.state.bytes_store cimport BytesSessionStore
from pylog.streams.state.formats cimport cut, int64_at
from pylog.streams.state.store cimport Store, StoreIterator
from pylog.streams.window cimport SessionWindow, Windowed


cdef class SessionStore(Store):
    """A map from keys and sessions to aggregates, kept for the retention of the store.

    Keys are Windowed, whose window is a session: both its ends are inclusive, ms since 1970.
    """

    def __init__(self, BytesSessionStore layers not None, int64_t retention_ms, key_serde=None,
                 value_serde=None):
        Store.__init__(self, layers, key_serde, value_serde, False)
        self.inner = layers
        self.retention_ms = retention_ms

    def put(self, Windowed session_key not None, aggregate):
        """Set the aggregate of a session; None deletes it."""
        cdef bytes key = self.encode_key(session_key.key)
        self.inner.put(key, self.encode_value(aggregate), session_key.window.start_ms,
                       session_key.window.end_ms)

    def remove(self, Windowed session_key not None):
        """Take a session out."""
        self.put(session_key, None)

    def fetch_session(self, key, int64_t start_ms, int64_t end_ms):
        """Return the aggregate of just this session, None for none."""
        return self.decode_value(self.inner.get(self.encode_key(key), start_ms, end_ms))

    def find_sessions(self, key, int64_t earliest_session_end_time,
                      int64_t latest_session_start_time):
        """Go through (Windowed, aggregate) of a key's sessions, those that end first come first.

        Args:
            key: not None.
            earliest_session_end_time: they end then or later.
            latest_session_start_time: they start then or earlier.
        """
        return self._of_key(key, earliest_session_end_time, latest_session_start_time, False)

    def backward_find_sessions(self, key, int64_t earliest_session_end_time,
                               int64_t latest_session_start_time):
        """Go through (Windowed, aggregate) of a key's sessions, the last one first."""
        return self._of_key(key, earliest_session_end_time, latest_session_start_time, True)

    def find_sessions_range(self, key_from, key_to, int64_t earliest_session_end_time,
                            int64_t latest_session_start_time):
        """Go through (Windowed, aggregate) of a range of keys.

        Args:
            key_from: the first key, None is the beginning.
            key_to: the last key, None is the end.
            earliest_session_end_time: sessions end then or later.
            latest_session_start_time: sessions start then or earlier.
        """
        return self._of_range(key_from, key_to, earliest_session_end_time,
                              latest_session_start_time, False)

    def backward_find_sessions_range(self, key_from, key_to, int64_t earliest_session_end_time,
                                     int64_t latest_session_start_time):
        """Go through (Windowed, aggregate) of a range of keys, the last one first."""
        return self._of_range(key_from, key_to, earliest_session_end_time,
                              latest_session_start_time, True)

    def find_sessions_by_end(self, int64_t earliest_session_end_time,
                             int64_t latest_session_end_time):
        """Go through (Windowed, aggregate) of all sessions that end in this time, by their ends."""
        cdef SessionIterator entries = SessionIterator.__new__(SessionIterator)
        self.check_open()
        entries.store = self
        entries.cursor = self.inner.find_by_end(earliest_session_end_time,
                                                latest_session_end_time)
        return entries

    def fetch(self, key):
        """Go through (Windowed, aggregate) of all sessions of a key."""
        return self._of_key(key, 0, INT64_MAX, False)

    def backward_fetch(self, key):
        """Go through (Windowed, aggregate) of all sessions of a key, the last one first."""
        return self._of_key(key, 0, INT64_MAX, True)

    def fetch_range(self, key_from, key_to):
        """Go through (Windowed, aggregate) of all sessions of a range of keys."""
        return self._of_range(key_from, key_to, 0, INT64_MAX, False)

    def backward_fetch_range(self, key_from, key_to):
        """Go through (Windowed, aggregate) of all sessions of a range, the last one first."""
        return self._of_range(key_from, key_to, 0, INT64_MAX, True)

    def all(self):
        """Go through (Windowed, aggregate) of all sessions."""
        return self._of_range(None, None, 0, INT64_MAX, False)

    def __iter__(self):
        for key, _ in self.all():
            yield key

    def flush_listener(self, listener):
        """What the cache calls: makes a Record of a Change and hands it to `listener`."""
        def on_flush(bytes key, new, old, int64_t timestamp, headers):
            change = Change(self.decode_value(new), self.decode_value(old))
            decoded = self.key_serde.decode(self.serde_topic, cut(key, 16))
            window = SessionWindow(int64_at(key, 8), int64_at(key, 16))
            listener(Record(Windowed(decoded, window), change, timestamp, headers))
        return on_flush

    def _of_key(self, key, int64_t earliest_end, int64_t latest_start, bint is_reverse):
        cdef SessionIterator entries = SessionIterator.__new__(SessionIterator)
        entries.store = self
        entries.cursor = self.inner.find(self.encode_key(key), earliest_end, latest_start,
                                         is_reverse)
        return entries

    def _of_range(self, key_from, key_to, int64_t earliest_end, int64_t latest_start,
                  bint is_reverse):
        cdef SessionIterator entries = SessionIterator.__new__(SessionIterator)
        entries.store = self
        entries.cursor = self.inner.scan(self.encode_bound(key_from), self.encode_bound(key_to),
                                         earliest_end, latest_start, is_reverse)
        return entries


cdef class SessionIterator(StoreIterator):
    """Goes through (Windowed, aggregate)."""

    cdef object entry(self):
        return self.entry_key(), self.store.decode_value(self.cursor.value)

    cdef object entry_key(self):
        cdef Store store = self.store
        key = store.key_serde.decode(store.serde_topic, self.cursor.key)
        return Windowed(key, SessionWindow(self.cursor.start_ms, self.cursor.end_ms))
