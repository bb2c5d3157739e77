from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.cursor cimport Cursor


cdef class Position:
    cdef dict components                 # by topic: a dict, partition to offset
    cdef str last_topic                  # of the component that is still in the three fields
    cdef int last_partition
    cdef int64_t last_offset

    cdef inline int track(self, TaskContext context) except -1:
        """The record that the task is at is in the store."""
        if context.topic is self.last_topic and context.partition == self.last_partition:
            if context.offset > self.last_offset:
                self.last_offset = context.offset
            return 0
        return self.switch_to(context.topic, context.partition, context.offset)

    cdef int switch_to(self, str topic, int partition, int64_t offset) except -1
    cdef int merge(self, dict components) except -1


cdef class BytesStore:
    cdef readonly str name
    cdef readonly bint is_open
    cdef readonly bint is_persistent
    cdef readonly BytesStore below       # the layer that this one wraps, None for the last
    cdef TaskContext context
    cdef Position position

    cdef int restore(self, list records, bint with_timestamps) except -1
    cdef int check_open(self) except -1
    cdef int drop_expired(self) except -1
    # For a caching layer: the cache.CacheEntry goes to the layer below.
    cdef int write_through(self, object entry) except -1


cdef class BytesKeyValueStore(BytesStore):
    cdef object get(self, bytes key)
    cdef int put(self, bytes key, object value) except -1
    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse)


cdef class BytesWindowStore(BytesStore):
    cdef object get(self, bytes key, int64_t start_ms)
    cdef int put(self, bytes key, object value, int64_t start_ms) except -1
    # By time, then by key; None is no bound, bounds are inclusive.
    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse)
    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse)


cdef class BytesSessionStore(BytesStore):
    cdef object get(self, bytes key, int64_t start_ms, int64_t end_ms)
    cdef int put(self, bytes key, object value, int64_t start_ms, int64_t end_ms) except -1
    # Sessions that end at or after earliest_end and start at or before latest_start.
    cdef Cursor find(self, bytes key, int64_t earliest_end, int64_t latest_start,
                     bint is_reverse)
    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_start, bint is_reverse)
    cdef Cursor find_by_end(self, int64_t earliest_end, int64_t latest_end)


cdef class BytesVersionedStore(BytesStore):
    cdef int64_t put(self, bytes key, object value, int64_t timestamp) except? -2
    # (value, valid_from, valid_to) or None; valid_to is -1 for the newest version.
    cdef tuple get(self, bytes key)
    cdef tuple get_as_of(self, bytes key, int64_t timestamp)
    cdef tuple delete(self, bytes key, int64_t timestamp)
    cdef list get_range(self, bytes key, int64_t time_from, int64_t time_to)
