"""CachingSessionStore, the layer that merges updates of a session until the next commit."""

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesSessionStore
from pylog.streams.state.cache cimport CacheEntry, NamedCache
from pylog.streams.state.caching cimport CachingLayer
from pylog.streams.state.caching_merge cimport (
    BY_END_AND_START,
    BY_SEGMENT_AND_SESSION_KEY,
    merged,
)
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport cut, int64_at, session_key
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.segments cimport upper_bound


@cython.final
cdef class CachingSessionStore(BytesSessionStore):
    """Reads through the cache and writes into it; entries are named by their changelog key."""

    cdef BytesSessionStore inner
    cdef Retention retention
    cdef CachingLayer caching
    cdef NamedCache cache

    def __init__(self, BytesSessionStore inner not None, Retention retention not None):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner
        self.retention = retention
        self.caching = CachingLayer()

    def set_flush_listener(self, listener, bint send_old_values):
        """Have `listener(key, new, old, timestamp, headers)` called for what is written through."""
        self.caching.set_flush_listener(listener, send_old_values)

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the layers below and take a part of the thread's cache."""
        self.cache = self.caching.open(context, self)
        BytesSessionStore.open(self, context, changelog_topic, changelog_partition)

    def flush(self):
        """Write through."""
        self.cache.flush_entries(None)
        self.inner.flush()

    def close(self):
        """Forget what the cache holds; `flush` comes before, if it is wanted."""
        self.cache.close()
        BytesSessionStore.close(self)

    cdef object get(self, bytes key, int64_t start_ms, int64_t end_ms):
        cdef CacheEntry entry = self.cache.get(session_key(key, start_ms, end_ms))
        if entry is None:
            return self.inner.get(key, start_ms, end_ms)
        if PyThread_get_thread_ident() == self.caching.thread:
            self.cache.touch(entry)
        return entry.value

    cdef int put(self, bytes key, object value, int64_t start_ms, int64_t end_ms) except -1:
        self.caching.thread = PyThread_get_thread_ident()
        self.position.track(self.context)
        return self.cache.put(session_key(key, start_ms, end_ms), value, self.context)

    cdef Cursor find(self, bytes key, int64_t earliest_end, int64_t latest_start,
                     bint is_reverse):
        return self.scan(key, key, earliest_end, latest_start, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_start, bint is_reverse):
        cdef Cursor stored
        cdef list cached
        if from_key is not None and from_key == to_key:
            stored = self.inner.find(from_key, earliest_end, latest_start, is_reverse)
        else:
            stored = self.inner.scan(from_key, to_key, earliest_end, latest_start, is_reverse)
        if from_key is not None and to_key is not None and from_key > to_key:
            return stored
        cached = self.cached(from_key, to_key, earliest_end, INT64_MAX, latest_start)
        return merged(cached, stored, BY_SEGMENT_AND_SESSION_KEY, self.retention, is_reverse)

    cdef Cursor find_by_end(self, int64_t earliest_end, int64_t latest_end):
        cdef Cursor stored = self.inner.find_by_end(earliest_end, latest_end)
        cdef list cached = self.cached(None, None, earliest_end, latest_end, INT64_MAX)
        return merged(cached, stored, BY_END_AND_START, self.retention, False)

    cdef list cached(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_end, int64_t latest_start):
        cdef CacheEntry entry
        cdef bytes key, first = None, last = None
        cdef int64_t start_ms, end_ms
        cdef list found = []
        if not self.cache.entries:
            return found
        if from_key is not None:
            first = from_key
            if from_key == to_key:
                first = session_key(from_key, 0, max(earliest_end, 0))
        if to_key is not None:
            last = upper_bound(to_key, session_key(b"", INT64_MAX, max(latest_end, 0)))
        for entry in self.cache.range(first, last, True):
            start_ms = int64_at(entry.key, 8)
            end_ms = int64_at(entry.key, 16)
            if end_ms < earliest_end or end_ms > latest_end or start_ms > latest_start:
                continue
            key = cut(entry.key, 16)
            if from_key is not None and key < from_key or to_key is not None and key > to_key:
                continue
            found.append((key, entry.value, start_ms, end_ms))
        return found

    cdef int write_through(self, object entry) except -1:
        cdef CacheEntry dirty = entry
        cdef bytes key = cut(dirty.key, 16)
        cdef int64_t start_ms = int64_at(dirty.key, 8)
        cdef int64_t end_ms = int64_at(dirty.key, 16)
        cdef object old = None
        if self.caching.listener is not None:
            if dirty.value is None or self.caching.send_old_values:
                old = self.inner.get(key, start_ms, end_ms)
                if dirty.value is None and old is None:
                    return 0  # it came and went between two commits
        self.caching.enter(dirty)
        try:
            self.inner.put(key, dirty.value, start_ms, end_ms)
            self.caching.tell(dirty, dirty.key, old)
        finally:
            self.caching.leave()
        return 0
