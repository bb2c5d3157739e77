from libc.stdint cimport int64_t

from pylog.streams.serde cimport Serde
from pylog.streams.state.bytes_store cimport BytesKeyValueStore
from pylog.streams.state.store cimport Store, StoreIterator


cdef class OuterJoinStore(Store):
    cdef BytesKeyValueStore inner
    cdef readonly Serde right_value_serde

    cdef bytes stored_key(self, object key, int64_t timestamp, bint is_left)


cdef class OuterJoinEntry:
    cdef OuterJoinStore store
    cdef bytes stored_key
    cdef bytes stored_value
    cdef readonly int64_t timestamp      # ms
    cdef readonly bint is_left

    cdef int count(self) noexcept


cdef class OuterJoinIterator(StoreIterator):
    pass
