from libc.stdint cimport int64_t

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.retention cimport Retention

cdef enum:
    # In which order a store goes through its entries.
    OF_KEY_BY_START                      # of one key
    BY_SEGMENT_AND_WINDOW_KEY
    BY_START_AND_KEY
    BY_SEGMENT_AND_SESSION_KEY
    BY_END_AND_START


cdef Cursor merged(list cached, Cursor stored, int order, Retention retention, bint is_reverse)
