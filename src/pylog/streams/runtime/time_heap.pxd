from libc.stdint cimport int64_t


cdef class TimeHeap:
    cdef list items                      # as long as it ever was; None behind `count`
    cdef int64_t *times
    cdef readonly Py_ssize_t count

    cdef int offer(self, int64_t time, object item) except -1
    cdef object poll(self)
