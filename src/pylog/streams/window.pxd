from libc.stdint cimport int64_t


cdef class Window:
    cdef readonly int64_t start_ms
    cdef readonly int64_t end_ms


cdef class SessionWindow(Window):
    pass


cdef class Windowed:
    cdef readonly object key
    cdef readonly Window window
