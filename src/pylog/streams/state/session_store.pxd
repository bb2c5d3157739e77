from libc.stdint cimport int64_t

from pylog.streams.state.bytes_store cimport BytesSessionStore
from pylog.streams.state.store cimport Store, StoreIterator


cdef class SessionStore(Store):
    cdef BytesSessionStore inner
    cdef readonly int64_t retention_ms

    # The fast path, as in key_value_store.pxd.
    cdef inline object get_raw(self, bytes key, int64_t start_ms, int64_t end_ms):
        return self.inner.get(key, start_ms, end_ms)

    cdef inline int put_raw(self, bytes key, object value, int64_t start_ms,
                            int64_t end_ms) except -1:
        return self.inner.put(key, value, start_ms, end_ms)


cdef class SessionIterator(StoreIterator):
    pass
