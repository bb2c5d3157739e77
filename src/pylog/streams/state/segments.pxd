from libc.stdint cimport int64_t

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.table cimport Table


cdef class SegmentedTable:
    cdef Table rows
    cdef Table times                     # None unless the store is time-ordered
    cdef Retention retention
    cdef int tail_size                   # of a row's key: 4 for windows, 8 for sessions
    cdef int64_t stream_time             # the highest time so far, ms; -1 before the first
    cdef int64_t expired_to              # what was before is going
    cdef Cursor expired_rows             # that are to go, None for none
    cdef Cursor expired_times

    cdef bytes row_key(self, bytes key, int64_t time, int64_t tail)
    cdef object get(self, bytes key, int64_t time, int64_t tail)
    cdef bint advance_time(self, int64_t time) except -1
    cdef int put(self, bytes key, object value, int64_t time, int64_t tail) except -1
    cdef int expire(self) except -1
    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     int64_t latest_start, bint is_reverse)
    cdef Cursor scan_by_time(self, bytes from_key, bytes to_key, int64_t time_from,
                             int64_t time_to, bint is_reverse)


cdef bytes upper_bound(bytes to_key, bytes suffix)
