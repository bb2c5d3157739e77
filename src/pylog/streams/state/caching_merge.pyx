"""Going through the entries of a cache and of the window or session store below at once."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from pylog.streams.serde cimport store_int64
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport session_key, window_key
from pylog.streams.state.retention cimport Retention

from operator import itemgetter


cdef Cursor merged(list cached, Cursor stored, int order, Retention retention, bint is_reverse):
    """A cursor over both; where both have an entry, the cache is right.

    Args:
        cached: (key, value or None, start_ms, end_ms) of the cache, in any order.
        stored: of the store, in the given order.
        order: one of the enum.
        retention: of the store.
        is_reverse: whether the last one comes first.
    """
    cdef MergedCursor cursor
    if not cached:
        return stored
    cursor = MergedCursor.__new__(MergedCursor)
    cursor.order = order
    cursor.retention = retention
    cursor.is_reverse = is_reverse
    cursor.stored = stored
    cursor.cached = sorted(
        [(cursor.sort_key(key, start_ms, end_ms), key, value, start_ms, end_ms)
         for key, value, start_ms, end_ms in cached],
        key=itemgetter(0), reverse=is_reverse,
    )
    cursor.next_stored()
    return cursor


@cython.final
cdef class MergedCursor(Cursor):
    cdef list cached                     # with the sort key in front
    cdef Py_ssize_t index
    cdef Cursor stored
    cdef bytes stored_sort_key           # None at the end
    cdef int order
    cdef Retention retention
    cdef bint is_reverse

    cdef bint advance(self) except -1:
        cdef tuple entry
        cdef bytes sort_key
        while self.index < len(self.cached):
            entry = self.cached[self.index]
            sort_key = entry[0]
            if self.stored_sort_key is not None and self.comes_first(self.stored_sort_key,
                                                                     sort_key):
                return self.take_stored()
            if self.stored_sort_key is not None and self.stored_sort_key == sort_key:
                self.next_stored()
            self.index += 1
            if entry[2] is not None:
                _, self.key, self.value, self.start_ms, self.end_ms = entry
                return True
        return self.stored_sort_key is not None and self.take_stored()

    cdef bint comes_first(self, bytes one, bytes other) except -1:
        return one > other if self.is_reverse else one < other

    cdef bint take_stored(self) except -1:
        self.key = self.stored.key
        self.value = self.stored.value
        self.start_ms = self.stored.start_ms
        self.end_ms = self.stored.end_ms
        self.next_stored()
        return True

    cdef int next_stored(self) except -1:
        cdef Cursor stored = self.stored
        self.stored_sort_key = None
        if stored.advance():
            self.stored_sort_key = self.sort_key(stored.key, stored.start_ms, stored.end_ms)
        return 0

    cdef bytes sort_key(self, bytes key, int64_t start_ms, int64_t end_ms):
        if self.order == OF_KEY_BY_START:
            return packed(start_ms)
        if self.order == BY_START_AND_KEY:
            return packed(start_ms) + key
        if self.order == BY_SEGMENT_AND_WINDOW_KEY:
            return packed(self.retention.segment_of(start_ms)) + window_key(key, start_ms, 0)
        if self.order == BY_SEGMENT_AND_SESSION_KEY:
            return packed(self.retention.segment_of(end_ms)) + session_key(key, start_ms, end_ms)
        return packed(end_ms) + packed(start_ms) + key


cdef bytes packed(int64_t number):
    cdef bytes data = PyBytes_FromStringAndSize(NULL, 8)
    store_int64(PyBytes_AS_STRING(data), number)
    return data
