from libc.stdint cimport int64_t


cdef class Record:
    cdef readonly object key
    cdef readonly object value
    cdef readonly int64_t timestamp      # ms since 1970, never negative
    cdef object _headers                 # list of (str, bytes or None), or None for none

    cdef inline Record derive(self, object key, object value):
        """A record with another key and value; timestamp and headers are shared."""
        cdef Record other = Record.__new__(Record)
        other.key = key
        other.value = value
        other.timestamp = self.timestamp
        other._headers = self._headers
        return other


cdef class Change:
    cdef readonly object new_value
    cdef readonly object old_value
    cdef readonly bint is_latest


cdef class ValueAndTimestamp:
    cdef readonly object value
    cdef readonly int64_t timestamp      # ms since 1970
