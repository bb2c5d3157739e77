from libc.stdint cimport int64_t

from pylog.streams.record cimport Record
from pylog.streams.runtime.record_queue cimport RecordQueue
from pylog.streams.runtime.time_heap cimport TimeHeap


cdef class PartitionGroup:
    cdef readonly dict queues            # by (topic, partition)
    cdef tuple all_queues
    cdef TimeHeap waiting                # queues that have a record
    cdef readonly int64_t max_task_idle_ms
    cdef public object lag_of            # (topic, partition) -> records behind, or None: unknown
    cdef readonly int64_t stream_time    # ms, -1 before the first
    cdef readonly bint was_enforced      # the last is_ready gave up waiting for a partition

    cdef int add(self, RecordQueue queue, list messages) except -1
    cdef int add_raw(self, RecordQueue queue, object key, object value, int64_t timestamp,
                     object headers, int64_t offset) except -1
    cdef bint ready(self, int64_t now_ms) except -1
    cdef RecordQueue choose(self)
    cdef Record take(self, RecordQueue queue)
    cdef int settle(self, RecordQueue queue) except -1
