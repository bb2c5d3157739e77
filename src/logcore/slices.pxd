from libc.stdint cimport int64_t, uint8_t

from logcore.log cimport Log
from logcore.segment cimport SegmentMap


cdef class Slice:
    cdef SegmentMap segment
    cdef const uint8_t *data
    cdef Py_ssize_t size
    cdef readonly int64_t base_offset
    cdef readonly int64_t next_offset
    cdef readonly bint has_transactional
    cdef readonly int64_t segment_list_generation


cdef class Place:
    cdef SegmentMap segment
    cdef int64_t position


cdef Slice find_slice(Log log, int64_t offset, int64_t max_bytes, int64_t end_offset,
                      bint at_least_one)
