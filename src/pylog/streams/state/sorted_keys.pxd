cdef class SortedKeys:
    cdef list blocks                     # lists of keys in order, none empty
    cdef list lasts                      # the last key of each block
    cdef list added                      # keys that are in no block yet
    cdef set removed                     # keys that are above, but not in the map
    cdef Py_ssize_t count                # in blocks

    cdef int add(self, object key) except -1
    cdef int discard(self, object key) except -1
    cdef list chunk(self, object first, bint is_inclusive)
    cdef list chunk_backwards(self, object last, bint is_inclusive)
    cdef int settle(self) except -1
    cdef int rebuild(self) except -1
