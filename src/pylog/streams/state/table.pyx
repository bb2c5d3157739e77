"""Table, a sorted map of bytes that stores are made of, and the one in memory."""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.dict cimport PyDict_DelItem, PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.sorted_keys cimport SortedKeys

cdef enum:
    ENTRY_BYTES = 200                    # of memory, of a dict's entry and two bytes objects


cdef class Table:
    """A sorted map from bytes to bytes. Putting None deletes."""

    def open(self):
        """Get ready; what was committed is there."""

    def close(self):
        """Let go; what was not committed is dropped."""

    def approximate_num_entries(self):
        """How many entries there are, about."""
        raise NotImplementedError

    @property
    def memory_bytes(self):
        """About how much memory it takes."""
        return 0

    cdef object get(self, bytes key):
        raise NotImplementedError

    cdef int put(self, bytes key, object value) except -1:
        raise NotImplementedError

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        raise NotImplementedError


@cython.final
cdef class MemoryTable(Table):
    """A dict; its keys are brought into order once a range is asked for."""

    def __cinit__(self):
        self.map = {}

    def close(self):
        """Forget everything."""
        self.map = {}
        self.sorted_keys = None
        self.size = 0
        self.last_key = self.last_value = None

    def approximate_num_entries(self):
        """How many entries there are."""
        return len(self.map)

    @property
    def memory_bytes(self):
        """About how much memory it takes."""
        return self.size + ENTRY_BYTES * len(self.map)

    cdef object get(self, bytes key):
        cdef PyObject *found = PyDict_GetItem(self.map, key)
        value = None if found is NULL else <object>found
        self.last_key = key
        self.last_value = value
        return value

    cdef int put(self, bytes key, object value) except -1:
        old = self.last_value if key is self.last_key else self.get(key)
        self.last_key = self.last_value = None
        if value is None:
            if old is None:
                return 0
            self.size -= PyBytes_GET_SIZE(key) + PyBytes_GET_SIZE(old)
            PyDict_DelItem(self.map, key)
            if self.sorted_keys is not None:
                self.sorted_keys.discard(key)
            return 0
        if old is not None:
            self.size += PyBytes_GET_SIZE(value) - PyBytes_GET_SIZE(old)
        else:
            self.size += PyBytes_GET_SIZE(value) + PyBytes_GET_SIZE(key)
            if self.sorted_keys is not None:
                self.sorted_keys.add(key)
        PyDict_SetItem(self.map, key, value)
        return 0

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        if self.sorted_keys is None:
            self.sorted_keys = SortedKeys(self.map)
        return MapCursor(self.map, self.sorted_keys, from_key, to_key, to_inclusive, is_reverse)


@cython.final
cdef class MapCursor(Cursor):
    """The entries of a dict from one key to another; its keys are in a SortedKeys."""

    def __init__(self, dict entries, SortedKeys sorted_keys, bytes from_key, bytes to_key,
                 bint to_inclusive, bint is_reverse):
        self.map = entries
        self.sorted_keys = sorted_keys
        self.is_reverse = is_reverse
        self.chunk = []
        if is_reverse:
            self.first, self.first_is_inclusive = to_key, to_inclusive
            self.last, self.last_is_inclusive = from_key, True
        else:
            self.first, self.first_is_inclusive = from_key, True
            self.last, self.last_is_inclusive = to_key, to_inclusive

    cdef bint advance(self) except -1:
        cdef PyObject *found
        cdef bytes key
        while not self.is_at_end:
            if self.index == len(self.chunk) and not self.next_chunk():
                return False
            key = self.chunk[self.index]
            self.index += 1
            if self.last is not None and self.is_beyond(key):
                self.is_at_end = True
                return False
            found = PyDict_GetItem(self.map, key)
            if found is not NULL:
                self.key = key
                self.value = <object>found
                return True
        return False

    cdef bint is_beyond(self, bytes key) except -1:
        if self.is_reverse:
            return key < self.last
        if self.last_is_inclusive:
            return key > self.last
        return key >= self.last

    cdef bint next_chunk(self) except -1:
        if self.is_reverse:
            self.chunk = self.sorted_keys.chunk_backwards(self.first, self.first_is_inclusive)
            self.chunk.reverse()
        else:
            self.chunk = self.sorted_keys.chunk(self.first, self.first_is_inclusive)
        self.index = 0
        if not self.chunk:
            self.is_at_end = True
            return False
        self.first = self.chunk[len(self.chunk) - 1]
        self.first_is_inclusive = False
        return True
