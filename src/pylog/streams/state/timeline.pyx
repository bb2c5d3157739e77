"""Timeline, the distinct times of something in order: mostly added at the end, dropped in front."""

cimport cython
from libc.stdint cimport int64_t

from bisect import bisect_left, bisect_right

cdef enum:
    DROPPED_AT_LEAST = 1024              # times, before the list is cut


@cython.final
cdef class Timeline:
    """Times in order, without duplicates."""

    def __cinit__(self):
        self.times = []

    cdef int add(self, object time) except -1:
        """Put in a time that may be there already."""
        cdef list times = self.times
        cdef Py_ssize_t size = len(times), index
        if size == self.first or times[size - 1] < time:
            times.append(time)
            return 0
        index = bisect_left(times, time, self.first)
        if times[index] != time:
            times.insert(index, time)
        return 0

    cdef int remove(self, object time) except -1:
        """Take out a time that may be there."""
        cdef Py_ssize_t index = bisect_left(self.times, time, self.first)
        if index < len(self.times) and self.times[index] == time:
            del self.times[index]
        return 0

    cdef list drop_before(self, int64_t time):
        """Take out the times before this one; they are returned."""
        cdef Py_ssize_t end
        cdef list dropped
        if self.first == len(self.times) or <int64_t>self.times[self.first] >= time:
            return []
        end = bisect_left(self.times, time, self.first)
        dropped = self.times[self.first:end]
        self.first = end
        if end > DROPPED_AT_LEAST and 2 * end > len(self.times) or end == len(self.times):
            del self.times[:end]
            self.first = 0
        return dropped

    cdef list slice(self, int64_t time_from, int64_t time_to):
        """Return the times from one to another, both inclusive."""
        cdef Py_ssize_t start = bisect_left(self.times, time_from, self.first)
        return self.times[start:bisect_right(self.times, time_to, start)]

    cdef Py_ssize_t count(self, int64_t time_from, int64_t time_to) except -1:
        """How many times `slice` would return."""
        cdef Py_ssize_t start = bisect_left(self.times, time_from, self.first)
        return <Py_ssize_t>bisect_right(self.times, time_to, start) - start
