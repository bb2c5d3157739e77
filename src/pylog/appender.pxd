from libc.stdint cimport int32_t, int64_t

from logcore.batch cimport BatchBuilder
from logcore.log cimport Log


cdef class Appender:
    cdef readonly str topic_name
    cdef list logs                   # Log by partition number
    cdef int32_t partition_count
    cdef int acks                    # -1 all, else the page cache
    cdef int codec
    cdef int partitioner_kind
    cdef list builders               # free BatchBuilders, taken with the GIL held

    cdef BatchBuilder take_builder(self)
    cdef int64_t append_batch(self, Log log, BatchBuilder builder,
                              int64_t expected_offset) except -1
    cdef int32_t choose(self, object key, object partition) except -1


cdef bytes as_bytes(object data, str what)
