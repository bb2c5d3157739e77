from libc.stdint cimport int64_t

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.sorted_keys cimport SortedKeys


cdef class Table:
    cdef object get(self, bytes key)
    cdef int put(self, bytes key, object value) except -1
    # From from_key on, in the order of bytes; None is no bound.
    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse)


cdef class MemoryTable(Table):
    cdef dict map
    cdef SortedKeys sorted_keys          # None until a range was asked for
    cdef int64_t size                    # bytes of keys and values
    cdef bytes last_key                  # that was looked up; it is often put next
    cdef object last_value


cdef class MapCursor(Cursor):
    cdef dict map
    cdef SortedKeys sorted_keys
    cdef bytes first                     # where the next chunk begins, or ends when in reverse
    cdef bytes last                      # the other end, None for none
    cdef bint first_is_inclusive
    cdef bint last_is_inclusive
    cdef bint is_reverse
    cdef bint is_at_end
    cdef list chunk
    cdef Py_ssize_t index

    cdef bint is_beyond(self, bytes key) except -1
    cdef bint next_chunk(self) except -1
