from pylog.streams.node cimport TaskContext
from pylog.streams.serde cimport Serde
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.cursor cimport Cursor


cdef class Store:
    cdef readonly str name
    cdef readonly bint is_persistent
    cdef public str changelog_topic      # set before init; None is a store that is not logged
    cdef public int changelog_partition
    cdef readonly Serde key_serde
    cdef readonly Serde value_serde      # of the value without its timestamp
    cdef readonly str serde_topic        # what serdes are told
    cdef BytesStore layers               # the outermost
    cdef TaskContext context
    cdef bint is_timestamped
    cdef bint is_open_now

    cdef int check_open(self) except -1
    cdef bytes encode_key(self, object key)
    cdef bytes encode_bound(self, object key)
    cdef object encode_value(self, object value)
    cdef object decode_value(self, object raw)


cdef class StoreIterator:
    cdef Cursor cursor
    cdef Store store
    cdef bint has_next
    cdef bint is_closed

    cdef object entry(self)
    cdef object entry_key(self)
