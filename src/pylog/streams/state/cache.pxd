from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.sorted_keys cimport SortedKeys


cdef class CacheEntry:
    cdef bytes key
    cdef object value                    # bytes, None for a key that is deleted
    cdef bint is_dirty
    # The record that it came with.
    cdef str topic
    cdef int partition
    cdef int64_t offset
    cdef int64_t timestamp
    cdef object headers
    cdef int64_t size
    cdef CacheEntry newer                # towards the entry that was used last
    cdef CacheEntry older

    cdef int measure(self) except -1


cdef class ThreadCache:
    cdef readonly int64_t max_bytes
    cdef readonly int64_t size_bytes
    cdef readonly int64_t eviction_count
    cdef dict caches                     # NamedCache by task and store

    cpdef NamedCache named_cache(self, str name, BytesStore store)


cdef class NamedCache:
    cdef readonly str name
    cdef readonly int64_t size_bytes
    cdef readonly int64_t hit_count
    cdef readonly int64_t miss_count
    cdef ThreadCache owner
    cdef BytesStore store                # that writes through
    cdef dict entries
    cdef dict dirty                      # keys, in the order of their last puts
    cdef SortedKeys sorted_keys          # None until a range was asked for
    cdef CacheEntry newest
    cdef CacheEntry oldest

    cdef CacheEntry get(self, bytes key)
    cdef int put(self, bytes key, object value, TaskContext context) except -1
    cdef int put_clean(self, bytes key, object value) except -1
    cdef int flush_entries(self, CacheEntry evicted) except -1
    cdef list range(self, bytes from_key, bytes to_key, bint to_inclusive)
    cdef int insert(self, CacheEntry entry) except -1
    cdef int remove(self, CacheEntry entry) except -1
    cdef int touch(self, CacheEntry entry) except -1
    cdef int unlink(self, CacheEntry entry) except -1
    cdef int evict(self) except -1
    cdef int make_room(self) except -1
