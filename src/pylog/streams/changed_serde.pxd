from pylog.streams.serde cimport NativeSerde, Serde


cdef class ChangedSerde(NativeSerde):
    cdef readonly Serde inner

    cdef Py_ssize_t _read_size(
        self, str topic, bytes encoded, Py_ssize_t end, Py_ssize_t *position
    ) except -1
