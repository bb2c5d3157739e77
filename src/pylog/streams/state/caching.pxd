from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.cache cimport CacheEntry, NamedCache
from pylog.streams.state.cursor cimport Cursor


cdef class CachingLayer:
    cdef TaskContext context
    cdef object listener                 # (key, new, old, timestamp, headers) -> None
    cdef bint send_old_values
    cdef unsigned long thread            # that writes, and so owns the cache
    cdef list suspended                  # the records that the task is at, while it writes through

    cdef NamedCache open(self, TaskContext context, BytesStore store)
    cdef int set_flush_listener(self, object listener, bint send_old_values) except -1
    cdef int enter(self, CacheEntry entry) except -1
    cdef int tell(self, CacheEntry entry, bytes key, object old) except -1
    cdef int leave(self) except -1


cdef class EntriesCursor(Cursor):
    cdef list entries                    # CacheEntry
    cdef Py_ssize_t index
    cdef bint is_reverse
