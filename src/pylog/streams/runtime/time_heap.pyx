"""TimeHeap: the earliest first. Of equal times, the one that Java's PriorityQueue takes.

Which of two equals comes first decides the order of output, and with it what Kafka Streams writes.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc


@cython.final
cdef class TimeHeap:
    """A binary heap of things, each with a time."""

    def __cinit__(self):
        self.items = []

    def __dealloc__(self):
        free(self.times)

    def __len__(self):
        return self.count

    @property
    def first_time(self):
        """The earliest time.

        Raises:
            IndexError: it is empty.
        """
        if self.count == 0:
            raise IndexError("empty")
        return self.times[0]

    def push(self, int64_t time, item):
        """Put a thing in."""
        self.offer(time, item)

    def pop(self):
        """Take out the thing with the earliest time.

        Raises:
            IndexError: it is empty.
        """
        if self.count == 0:
            raise IndexError("empty")
        return self.poll()

    def keep(self, wanted):
        """Take out those for which `wanted(item)` is false."""
        cdef Py_ssize_t index, count = self.count
        entries = [(self.times[index], self.items[index]) for index in range(count)]
        self.items = []
        self.count = 0
        for time, item in entries:
            if wanted(item):
                self.offer(time, item)

    @cython.boundscheck(False)
    @cython.wraparound(False)
    cdef int offer(self, int64_t time, object item) except -1:
        cdef Py_ssize_t place = self.count, parent
        cdef int64_t *times
        if place == len(self.items):
            times = <int64_t *>realloc(self.times, (place + 1) * sizeof(int64_t))
            if times == NULL:
                raise MemoryError
            self.times = times
            self.items.append(None)
        self.count += 1
        while place > 0:
            parent = (place - 1) >> 1
            if time >= self.times[parent]:
                break
            self.items[place] = self.items[parent]
            self.times[place] = self.times[parent]
            place = parent
        self.items[place] = item
        self.times[place] = time
        return 0

    @cython.boundscheck(False)
    @cython.wraparound(False)
    cdef object poll(self):
        """The first; there is one."""
        cdef Py_ssize_t place = 0, child, count = self.count - 1
        cdef int64_t time = self.times[count]
        first = self.items[0]
        item = self.items[count]
        self.items[count] = None
        self.count = count
        if count == 0:
            return first
        while place < count >> 1:
            child = 2 * place + 1
            if child + 1 < count and self.times[child] > self.times[child + 1]:
                child += 1
            if time <= self.times[child]:
                break
            self.items[place] = self.items[child]
            self.times[place] = self.times[child]
            place = child
        self.items[place] = item
        self.times[place] = time
        return first
