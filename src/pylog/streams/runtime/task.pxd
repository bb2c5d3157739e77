from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.runtime.partition_group cimport PartitionGroup
from pylog.streams.runtime.record_queue cimport RecordQueue


cdef class StreamTask:
    cdef readonly object id              # TaskId
    cdef readonly TaskContext context
    cdef readonly object topology        # ProcessorTopology
    cdef readonly object config
    cdef readonly PartitionGroup group
    cdef readonly bint is_open           # nodes are
    cdef readonly object clock           # () -> ms
    cdef object stream_punctuations
    cdef object wall_punctuations
    cdef readonly int64_t next_stream_punctuation_ms
    cdef list flushed_stores
    cdef object raw_key                  # of the record that the task is at, as it was read
    cdef object raw_value
    cdef bint has_new_punctuation

    cdef int step(self, int64_t now_ms) except -1
    cdef int punctuate_stream_time(self) except -1
