from libc.stdint cimport int64_t

from pylog.message cimport Message
from pylog.streams.node cimport TaskContext
from pylog.streams.record cimport Record
from pylog.streams.source_node cimport SourceNode


cdef class ConsumerRecord:
    cdef readonly object key
    cdef readonly object value
    cdef readonly int64_t timestamp
    cdef readonly object topic
    cdef readonly int partition
    cdef readonly int64_t offset
    cdef object _headers


cdef class RecordQueue:
    cdef readonly str topic
    cdef readonly int partition
    cdef readonly SourceNode source
    cdef TaskContext task
    cdef object extract                  # None: the record's own timestamp, checked
    cdef object on_invalid_timestamp
    cdef list messages                   # those from `position` on wait
    cdef Py_ssize_t position
    # The first, decoded; or, when it was dropped and nothing stands behind it, just its offset, so
    # that it is committed.
    cdef bint has_head
    cdef bint head_is_corrupted
    cdef Record head
    cdef int64_t head_offset
    cdef object raw_key                  # of the head, as it was read
    cdef object raw_value
    cdef readonly int64_t partition_time  # ms, -1 before the first
    cdef readonly int64_t next_offset    # after what was taken from the queue or dropped, -1 before
    cdef readonly bint has_progress      # since the last commit
    cdef bint has_failed                 # what was taken last was not processed
    cdef int64_t fetched_lag             # -1 unknown
    cdef int64_t idle_deadline           # ms, -1 for none

    cdef int add(self, list messages) except -1
    cdef int update_head(self) except -1
    cdef int read_head(self, object key, object value, int64_t timestamp, object headers,
                       int64_t offset) except -1
    cdef int set_corrupted(self, int64_t offset) except -1
    cdef int64_t _extracted(self, key, value, int64_t timestamp, headers,
                            int64_t offset) except? -2
    cdef Record take(self)
    cdef inline Py_ssize_t size(self):
        return len(self.messages) - self.position + self.has_head
    cdef inline int64_t head_time(self):
        return -1 if self.head is None else self.head.timestamp
