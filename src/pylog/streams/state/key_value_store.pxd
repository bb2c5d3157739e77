from libc.stdint cimport int64_t

from pylog.streams.state.bytes_store cimport BytesKeyValueStore
from pylog.streams.state.store cimport Store


cdef class KeyValueStore(Store):
    cdef BytesKeyValueStore inner

    # The fast path: keys and values are bytes already. Of a timestamped store the value is
    # 8 bytes of timestamp (big-endian) and the value's own; `formats` takes them apart. The
    # caller has checked that the store is open.
    cdef inline object get_raw(self, bytes key):
        return self.inner.get(key)

    cdef inline int put_raw(self, bytes key, object value) except -1:
        return self.inner.put(key, value)


cdef class TimestampedKeyValueStore(KeyValueStore):
    pass
