"""What the caching layers of all kinds of stores share."""

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.cache cimport CacheEntry, NamedCache, ThreadCache
from pylog.streams.state.cursor cimport Cursor


@cython.final
cdef class CachingLayer:
    """Whom a caching layer tells, and the record that it is at while it writes through."""

    def __cinit__(self):
        self.suspended = []

    cdef NamedCache open(self, TaskContext context, BytesStore store):
        cdef ThreadCache cache = context.cache
        if cache is None:  # each update is written through
            cache = ThreadCache(0)
        self.context = context
        self.thread = PyThread_get_thread_ident()
        return cache.named_cache(f"{context.task_id}-{store.name}", store)

    cdef int set_flush_listener(self, object listener, bint send_old_values) except -1:
        self.listener = listener
        self.send_old_values = send_old_values
        return 0

    cdef int enter(self, CacheEntry entry) except -1:
        """The task is at the record that the entry came with."""
        cdef TaskContext context = self.context
        self.suspended.append((context.topic, context.partition, context.offset,
                               context.record_timestamp, context.headers))
        context.topic = entry.topic
        context.partition = entry.partition
        context.offset = entry.offset
        context.record_timestamp = entry.timestamp
        context.headers = entry.headers
        return 0

    cdef int tell(self, CacheEntry entry, bytes key, object old) except -1:
        if self.listener is not None:
            self.listener(key, entry.value, old if self.send_old_values else None,
                          entry.timestamp, entry.headers)
        return 0

    cdef int leave(self) except -1:
        """The task is at the record again that it was at before."""
        cdef TaskContext context = self.context
        (context.topic, context.partition, context.offset, context.record_timestamp,
         context.headers) = self.suspended.pop()
        return 0


@cython.final
cdef class EntriesCursor(Cursor):
    """Entries of a cache; the value of one that is deleted is None."""

    def __init__(self, list entries not None, bint is_reverse):
        self.entries = entries
        self.is_reverse = is_reverse

    cdef bint advance(self) except -1:
        cdef CacheEntry entry
        if self.index == len(self.entries):
            return False
        if self.is_reverse:
            entry = self.entries[len(self.entries) - 1 - self.index]
        else:
            entry = self.entries[self.index]
        self.index += 1
        self.key = entry.key
        self.value = entry.value
        return True
