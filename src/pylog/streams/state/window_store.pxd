from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.state.bytes_store cimport BytesWindowStore
from pylog.streams.state.store cimport Store, StoreIterator
from pylog.streams.window cimport Window


cdef class WindowStore(Store):
    cdef BytesWindowStore inner
    cdef readonly int64_t window_size_ms
    cdef readonly int64_t retention_ms

    # The fast path, as in key_value_store.pxd.
    cdef inline object get_raw(self, bytes key, int64_t start_ms):
        return self.inner.get(key, start_ms)

    cdef inline int put_raw(self, bytes key, object value, int64_t start_ms) except -1:
        return self.inner.put(key, value, start_ms)

    cdef inline Window window_at(self, int64_t start_ms):
        """The window that begins then; its end is cut at the highest time."""
        if start_ms > INT64_MAX - self.window_size_ms:
            return Window(start_ms, INT64_MAX)
        return Window(start_ms, start_ms + self.window_size_ms)


cdef class TimestampedWindowStore(WindowStore):
    pass


cdef class WindowStoreIterator(StoreIterator):
    pass


cdef class WindowedIterator(StoreIterator):
    pass
