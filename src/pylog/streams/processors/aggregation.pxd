from libc.stdint cimport int64_t

from pylog.streams.record cimport Record
from pylog.streams.serde cimport Serde
from pylog.streams.state.store cimport Store


cdef class Aggregation:
    cdef Serde value_serde
    cdef str serde_topic
    cdef bint keeps_old_value
    # What the last call came to.
    cdef object new_value
    cdef object old_value                # only if keeps_old_value
    cdef int64_t timestamp               # of the new value, ms

    cdef int bind(self, Store store, bint keeps_old_value) except -1
    cdef object apply(self, Record record, object raw)
    cdef int compute(self, Record record, object old, int64_t old_timestamp) except -1
