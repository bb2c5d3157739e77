"""CachingKeyValueStore, the layer that merges updates of a key until the next commit."""

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesKeyValueStore
from pylog.streams.state.cache cimport CacheEntry, NamedCache
from pylog.streams.state.caching cimport CachingLayer, EntriesCursor
from pylog.streams.state.cursor cimport Cursor


@cython.final
cdef class CachingKeyValueStore(BytesKeyValueStore):
    """Reads through the cache and writes into it."""

    cdef BytesKeyValueStore inner
    cdef CachingLayer caching
    cdef NamedCache cache

    def __init__(self, BytesKeyValueStore inner not None):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner
        self.caching = CachingLayer()

    def set_flush_listener(self, listener, bint send_old_values):
        """Have `listener(key, new, old, timestamp, headers)` called for what is written through."""
        self.caching.set_flush_listener(listener, send_old_values)

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the layers below and take a part of the thread's cache."""
        self.cache = self.caching.open(context, self)
        BytesKeyValueStore.open(self, context, changelog_topic, changelog_partition)

    def flush(self):
        """Write through."""
        self.cache.flush_entries(None)
        self.inner.flush()

    def close(self):
        """Forget what the cache holds; `flush` comes before, if it is wanted."""
        self.cache.close()
        BytesKeyValueStore.close(self)

    cdef object get(self, bytes key):
        cdef CacheEntry entry = self.cache.get(key)
        cdef bint is_owner = PyThread_get_thread_ident() == self.caching.thread
        if entry is not None:
            if is_owner:
                self.cache.touch(entry)
            return entry.value
        value = self.inner.get(key)
        # A query from another thread must not make the cache write through.
        if value is not None and is_owner:
            self.cache.put_clean(key, value)
        return value

    cdef int put(self, bytes key, object value) except -1:
        self.caching.thread = PyThread_get_thread_ident()
        self.position.track(self.context)
        return self.cache.put(key, value, self.context)

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        cdef MergedCursor cursor = MergedCursor.__new__(MergedCursor)
        cursor.cached = EntriesCursor(self.cache.range(from_key, to_key, to_inclusive), is_reverse)
        cursor.stored = self.inner.scan(from_key, to_key, to_inclusive, is_reverse)
        cursor.is_reverse = is_reverse
        cursor.has_cached = cursor.cached.advance()
        cursor.has_stored = cursor.stored.advance()
        return cursor

    cdef int write_through(self, object entry) except -1:
        cdef CacheEntry dirty = entry
        cdef object old = None
        if self.caching.listener is not None:
            if dirty.value is None or self.caching.send_old_values:
                old = self.inner.get(dirty.key)
                if dirty.value is None and old is None:
                    return 0  # it came and went between two commits
        self.caching.enter(dirty)
        try:
            self.inner.put(dirty.key, dirty.value)
            self.caching.tell(dirty, dirty.key, old)
        finally:
            self.caching.leave()
        return 0


@cython.final
cdef class MergedCursor(Cursor):
    """Entries of the cache and of the store below; the cache is right."""

    cdef Cursor cached
    cdef Cursor stored
    cdef bint has_cached
    cdef bint has_stored
    cdef bint is_reverse

    cdef bint advance(self) except -1:
        while self.has_cached or self.has_stored:
            if not self.has_cached or self.has_stored and self.comes_first(self.stored.key,
                                                                           self.cached.key):
                self.key = self.stored.key
                self.value = self.stored.value
                self.has_stored = self.stored.advance()
                return True
            if self.has_stored and self.stored.key == self.cached.key:
                self.has_stored = self.stored.advance()
            self.key = self.cached.key
            self.value = self.cached.value
            self.has_cached = self.cached.advance()
            if self.value is not None:
                return True
        return False

    cdef bint comes_first(self, bytes one, bytes other) except -1:
        return one > other if self.is_reverse else one < other
