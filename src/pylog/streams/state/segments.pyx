"""SegmentedTable, the rows of a window or session store in one sorted table.

    row of a window        segment(8) key start(8) sequence(4)   -> value
    row of a session       segment(8) key end(8) start(8)        -> value
    time row of a window   start(8) key sequence(4)              -> nothing
    time row of a session  end(8) start(8) key                   -> nothing

A segment is named by the time that it begins with. Time rows are kept by time-ordered stores only:
those whose results go out when windows close, in the order of time.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy

from pylog.streams.serde cimport load_int64, store_int64
from pylog.streams.state.cursor cimport Cursor, ListCursor
from pylog.streams.state.formats cimport store_int32
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.table cimport Table

cdef enum:
    SEQUENCE_SIZE = 4                    # the tail of a window's row
    START_SIZE = 8                       # the tail of a session's row
    EXPIRED_AT_ONCE = 32                 # rows, with each put


@cython.final
cdef class SegmentedTable:
    """Values by key, time and a tail: a window's sequence number or a session's start."""

    def __init__(self, Table rows not None, Table times, Retention retention not None,
                 int tail_size, int64_t stream_time):
        self.rows = rows
        self.times = times
        self.retention = retention
        self.tail_size = tail_size
        self.stream_time = stream_time

    def close(self):
        """Let go of the tables."""
        self.rows.close()
        if self.times is not None:
            self.times.close()

    @property
    def memory_bytes(self):
        """About how much memory the tables take."""
        return self.rows.memory_bytes + (0 if self.times is None else self.times.memory_bytes)

    cdef bytes row_key(self, bytes key, int64_t time, int64_t tail):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef bytes row = PyBytes_FromStringAndSize(NULL, size + 16 + self.tail_size)
        cdef char *target = PyBytes_AS_STRING(row)
        store_int64(target, self.retention.segment_of(time))
        memcpy(target + 8, PyBytes_AS_STRING(key), size)
        store_int64(target + 8 + size, time)
        if self.tail_size == START_SIZE:
            store_int64(target + 16 + size, tail)
        else:
            store_int32(target + 16 + size, <int>tail)
        return row

    cdef object get(self, bytes key, int64_t time, int64_t tail):
        if time < self.retention.first_visible(self.stream_time):
            return None
        return self.rows.get(self.row_key(key, time, tail))

    cdef bint advance_time(self, int64_t time) except -1:
        """Stream time is this at least; returns whether this time can be written."""
        if time > self.stream_time:
            self.stream_time = time
            if self.retention.first_kept(time) > self.expired_to:
                self.expired_to = self.retention.first_kept(time)
                self.expired_rows = self.rows.scan(None, packed(self.expired_to), False, False)
                if self.times is not None:
                    self.expired_times = self.times.scan(None, packed(self.expired_to), False,
                                                         False)
            return True
        return time >= self.retention.first_kept(self.stream_time)

    cdef int put(self, bytes key, object value, int64_t time, int64_t tail) except -1:
        if self.expired_rows is not None or self.expired_times is not None:
            self.expire()
        self.rows.put(self.row_key(key, time, tail), value)
        if self.times is not None:
            self.times.put(time_key(key, time, tail, self.tail_size),
                           None if value is None else b"")
        return 0

    cdef int expire(self) except -1:
        """Take out some rows of segments that have expired: all at once would be a pause."""
        cdef int _
        for _ in range(EXPIRED_AT_ONCE):
            if self.expired_rows is not None:
                if self.expired_rows.advance():
                    self.rows.put(self.expired_rows.key, None)
                else:
                    self.expired_rows = None
            if self.expired_times is not None:
                if self.expired_times.advance():
                    self.times.put(self.expired_times.key, None)
                else:
                    self.expired_times = None
        return 0

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     int64_t latest_start, bint is_reverse):
        """Segment by segment, there by key, then by time."""
        cdef SegmentsCursor cursor
        cdef int64_t first, last, step = self.retention.segment_interval_ms
        time_from = max(time_from, self.retention.first_visible(self.stream_time))
        time_to = min(time_to, self.stream_time)
        if time_to < time_from or from_key is not None and to_key is not None and from_key > to_key:
            return Cursor()
        first = self.retention.segment_of(time_from)
        last = self.retention.segment_of(time_to)
        cursor = SegmentsCursor.__new__(SegmentsCursor)
        cursor.table = self.rows
        cursor.tail_size = self.tail_size
        cursor.from_key = from_key
        cursor.to_key = to_key
        cursor.key_size = -1
        if from_key is not None and from_key == to_key:
            cursor.key_size = PyBytes_GET_SIZE(from_key)
        cursor.time_from = time_from
        cursor.time_to = time_to
        cursor.latest_start = latest_start
        cursor.is_reverse = is_reverse
        cursor.segment = last if is_reverse else first
        cursor.last_segment = first if is_reverse else last
        cursor.step = -step if is_reverse else step
        return cursor

    cdef Cursor scan_by_time(self, bytes from_key, bytes to_key, int64_t time_from,
                             int64_t time_to, bint is_reverse):
        """By time, then by key for windows, by start for sessions; what is there is seen."""
        cdef TimesCursor cursor
        cdef list entries
        cdef Cursor found
        time_from = max(time_from, self.retention.first_kept(self.stream_time))
        if time_to < time_from:
            return Cursor()
        if self.times is None:
            # Nothing that is emitted by time has such a store, unless a program wants it.
            entries = []
            found = self.scan(from_key, to_key, time_from, time_to, INT64_MAX, False)
            while found.advance():
                entries.append((found.key, found.value, found.start_ms, found.end_ms))
            entries.sort(key=by_end, reverse=is_reverse)
            return ListCursor(entries)
        cursor = TimesCursor.__new__(TimesCursor)
        cursor.table = self
        cursor.from_key = from_key
        cursor.to_key = to_key
        cursor.inner = self.times.scan(
            packed(time_from),
            None if time_to == INT64_MAX else packed(time_to + 1), False, is_reverse
        )
        return cursor


@cython.final
cdef class SegmentsCursor(Cursor):
    """The rows of some segments whose key and time are in range."""

    cdef Table table
    cdef int tail_size
    cdef bytes from_key
    cdef bytes to_key
    cdef Py_ssize_t key_size             # when there is one key only, else -1
    cdef int64_t time_from
    cdef int64_t time_to
    cdef int64_t latest_start
    cdef bint is_reverse
    cdef int64_t segment                 # the next one
    cdef int64_t last_segment
    cdef int64_t step
    cdef bint is_at_end
    cdef Cursor inner                    # in the segment before

    cdef bint advance(self) except -1:
        cdef Py_ssize_t size
        cdef const char *row
        cdef int64_t time, start
        while True:
            if self.inner is None and not self.enter_segment():
                return False
            if not self.inner.advance():
                self.inner = None
                continue
            row = PyBytes_AS_STRING(self.inner.key)
            size = PyBytes_GET_SIZE(self.inner.key) - 16 - self.tail_size
            if self.key_size >= 0 and size != self.key_size:
                continue
            time = load_int64(row + 8 + size)
            if time < self.time_from or time > self.time_to:
                continue
            if self.tail_size == START_SIZE:
                start = load_int64(row + 16 + size)
                if start > self.latest_start:
                    continue
                self.start_ms, self.end_ms = start, time
            else:
                self.start_ms = time
            if self.key_size >= 0:
                self.key = self.from_key
            else:
                self.key = PyBytes_FromStringAndSize(row + 8, size)
                if self.from_key is not None and self.key < self.from_key:
                    continue
                if self.to_key is not None and self.key > self.to_key:
                    continue
            self.value = self.inner.value
            return True

    cdef bint enter_segment(self) except -1:
        cdef bytes segment, first, end
        if self.is_at_end:
            return False
        segment = packed(self.segment)
        if self.segment == self.last_segment:
            self.is_at_end = True
        else:
            self.segment += self.step
        first = segment
        if self.from_key is not None:
            first += self.from_key
            if self.key_size >= 0:
                first += packed(max(self.time_from, 0))
        if self.to_key is not None:
            # Rows of other keys may lie in between: `advance` looks at each.
            end = packed(self.time_to) + b"\xff" * self.tail_size
            if self.key_size >= 0:
                end = segment + self.to_key + end
            else:
                end = segment + upper_bound(self.to_key, end)
        else:
            end = next_segment(segment)
        self.inner = self.table.scan(first, end, self.to_key is not None, self.is_reverse)
        return True


@cython.final
cdef class TimesCursor(Cursor):
    """The time rows of a range of times, with their values."""

    cdef SegmentedTable table
    cdef bytes from_key
    cdef bytes to_key
    cdef Cursor inner

    cdef bint advance(self) except -1:
        cdef const char *row
        cdef Py_ssize_t size
        cdef int64_t time, tail
        while self.inner.advance():
            row = PyBytes_AS_STRING(self.inner.key)
            size = PyBytes_GET_SIZE(self.inner.key) - 8 - self.table.tail_size
            time = load_int64(row)
            if self.table.tail_size == START_SIZE:
                tail = load_int64(row + 8)
                self.key = PyBytes_FromStringAndSize(row + 16, size)
                self.start_ms, self.end_ms = tail, time
            else:
                tail = load_int64(row + size + 4) & 0xFFFFFFFF
                self.key = PyBytes_FromStringAndSize(row + 8, size)
                self.start_ms = time
            if self.from_key is not None and self.key < self.from_key:
                continue
            if self.to_key is not None and self.key > self.to_key:
                continue
            self.value = self.table.rows.get(self.table.row_key(self.key, time, tail))
            if self.value is not None:
                return True
        return False


cdef bytes upper_bound(bytes to_key, bytes suffix):
    """The last row that a key up to `to_key` can have, whose suffix is this one or lower.

    Rows are not in the order of keys: "a" and a suffix may come after "ab" and a suffix.
    """
    cdef bytes bound = to_key + suffix
    cdef Py_ssize_t size
    cdef unsigned char first = suffix[0]
    for size in range(len(to_key)):
        if <unsigned char>to_key[size] <= first:
            bound = max(bound, to_key[:size] + suffix)
    return bound


cdef bytes time_key(bytes key, int64_t time, int64_t tail, int tail_size):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef bytes row = PyBytes_FromStringAndSize(NULL, size + 8 + tail_size)
    cdef char *target = PyBytes_AS_STRING(row)
    store_int64(target, time)
    if tail_size == START_SIZE:
        store_int64(target + 8, tail)
        memcpy(target + 16, PyBytes_AS_STRING(key), size)
    else:
        memcpy(target + 8, PyBytes_AS_STRING(key), size)
        store_int32(target + 8 + size, <int>tail)
    return row


cdef bytes packed(int64_t number):
    cdef bytes data = PyBytes_FromStringAndSize(NULL, 8)
    store_int64(PyBytes_AS_STRING(data), number)
    return data


cdef bytes next_segment(bytes segment):
    """What comes after all rows of a segment; segments begin 1 ms apart at least."""
    return packed(load_int64(PyBytes_AS_STRING(segment)) + 1)


def by_end(tuple entry):
    """Sort key: end, start, key."""
    return entry[3], entry[2], entry[0]
