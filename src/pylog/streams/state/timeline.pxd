from libc.stdint cimport int64_t


cdef class Timeline:
    cdef list times
    cdef Py_ssize_t first                # what is before was dropped

    cdef int add(self, object time) except -1
    cdef int remove(self, object time) except -1
    cdef list drop_before(self, int64_t time)
    cdef list slice(self, int64_t time_from, int64_t time_to)
    cdef Py_ssize_t count(self, int64_t time_from, int64_t time_to) except -1
