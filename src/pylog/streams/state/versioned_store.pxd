from libc.stdint cimport int64_t

from pylog.streams.state.bytes_store cimport BytesVersionedStore
from pylog.streams.state.store cimport Store


cdef class VersionedRecord:
    cdef readonly object value
    cdef readonly int64_t timestamp
    cdef readonly object valid_to


cdef class VersionedKeyValueStore(Store):
    cdef BytesVersionedStore inner
    cdef readonly int64_t history_retention_ms

    cdef VersionedRecord decode(self, tuple version)
