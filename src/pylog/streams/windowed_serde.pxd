from libc.stdint cimport int64_t

from pylog.streams.serde cimport NativeSerde, Serde


cdef class WindowedSerde(NativeSerde):
    cdef readonly Serde inner

    cdef bytes _encode_key(self, str topic, object data)
    cdef int _check_inner(self) except -1
    cdef bytes _prefix(self, str topic, object data, Py_ssize_t suffix_size)


cdef class TimeWindowedSerde(WindowedSerde):
    cdef readonly int64_t window_size_ms
    cdef readonly bint reads_changelog


cdef class SessionWindowedSerde(WindowedSerde):
    pass
