from libc.stdint cimport int64_t


cdef class Cursor:
    # The entry that the cursor is at; which fields mean something depends on the store.
    cdef bytes key
    cdef object value                    # bytes
    cdef int64_t start_ms
    cdef int64_t end_ms

    cdef bint advance(self) except -1


cdef class ListCursor(Cursor):
    cdef list entries                    # (key, value, start_ms, end_ms)
    cdef Py_ssize_t index
