"""CachingWindowStore, the layer that merges updates of a window until the next commit."""

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesWindowStore
from pylog.streams.state.cache cimport CacheEntry, NamedCache
from pylog.streams.state.caching cimport CachingLayer
from pylog.streams.state.caching_merge cimport (
    BY_SEGMENT_AND_WINDOW_KEY,
    BY_START_AND_KEY,
    OF_KEY_BY_START,
    merged,
)
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport cut, int64_at, window_key
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.segments cimport upper_bound


@cython.final
cdef class CachingWindowStore(BytesWindowStore):
    """Reads through the cache and writes into it; entries are named by their changelog key."""

    cdef BytesWindowStore inner
    cdef Retention retention
    cdef CachingLayer caching
    cdef NamedCache cache

    def __init__(self, BytesWindowStore inner not None, Retention retention not None):
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
        BytesWindowStore.open(self, context, changelog_topic, changelog_partition)

    def flush(self):
        """Write through."""
        self.cache.flush_entries(None)
        self.inner.flush()

    def close(self):
        """Forget what the cache holds; `flush` comes before, if it is wanted."""
        self.cache.close()
        BytesWindowStore.close(self)

    cdef object get(self, bytes key, int64_t start_ms):
        cdef CacheEntry entry = self.cache.get(window_key(key, start_ms, 0))
        if entry is None:
            return self.inner.get(key, start_ms)
        if PyThread_get_thread_ident() == self.caching.thread:
            self.cache.touch(entry)
        return entry.value

    cdef int put(self, bytes key, object value, int64_t start_ms) except -1:
        self.caching.thread = PyThread_get_thread_ident()
        self.position.track(self.context)
        return self.cache.put(window_key(key, start_ms, 0), value, self.context)

    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse):
        cdef Cursor stored = self.inner.fetch(key, time_from, time_to, is_reverse)
        cdef list cached
        if time_to < time_from:
            return stored
        cached = self.cached(key, key, time_from, time_to)
        return merged(cached, stored, OF_KEY_BY_START, self.retention, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse):
        cdef Cursor stored = self.inner.scan(from_key, to_key, time_from, time_to, is_reverse)
        cdef list cached
        cdef int order = BY_SEGMENT_AND_WINDOW_KEY
        if self.retention.is_time_ordered:
            order = BY_START_AND_KEY
        if time_to < time_from or from_key is not None and to_key is not None and from_key > to_key:
            return stored
        cached = self.cached(from_key, to_key, time_from, time_to)
        return merged(cached, stored, order, self.retention, is_reverse)

    cdef list cached(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to):
        cdef CacheEntry entry
        cdef bytes key, first = None, last = None
        cdef int64_t start_ms
        cdef bint is_one_key = from_key is not None and from_key == to_key
        cdef list found = []
        if not self.cache.entries:
            return found
        if from_key is not None:
            first = window_key(from_key, max(time_from, 0), 0) if is_one_key else from_key
        if to_key is not None:
            last = window_key(b"", max(time_to, 0), -1)
            last = to_key + last if is_one_key else upper_bound(to_key, last)
        for entry in self.cache.range(first, last, True):
            start_ms = int64_at(entry.key, 12)
            if start_ms < time_from or start_ms > time_to:
                continue
            key = cut(entry.key, 12)
            if from_key is not None and key < from_key or to_key is not None and key > to_key:
                continue
            found.append((key, entry.value, start_ms, 0))
        return found

    cdef int write_through(self, object entry) except -1:
        cdef CacheEntry dirty = entry
        cdef bytes key = cut(dirty.key, 12)
        cdef int64_t start_ms = int64_at(dirty.key, 12)
        cdef object old = None
        if self.caching.listener is not None:
            if dirty.value is None or self.caching.send_old_values:
                old = self.inner.get(key, start_ms)
                if dirty.value is None and old is None:
                    return 0  # it came and went between two commits
        self.caching.enter(dirty)
        try:
            self.inner.put(key, dirty.value, start_ms)
            self.caching.tell(dirty, dirty.key, old)
        finally:
            self.caching.leave()
        return 0
