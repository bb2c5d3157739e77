"""InMemoryWindowStore: for each window start a dict of keys.

Reading or writing one window of a key is two lookups. The first fetch over many windows of a key
makes an index, by key the starts of its windows; from then on it is kept.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from libc.stdint cimport INT64_MIN, int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesWindowStore
from pylog.streams.state.cursor cimport Cursor, ListCursor
from pylog.streams.state.formats cimport cut, int64_at, long_enough, window_key, with_timestamp
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.timeline cimport Timeline

from operator import itemgetter

cdef enum:
    ENTRY_BYTES = 200                    # of memory, of a dict's entry and two bytes objects
    SCAN_AT_MOST = 16                    # windows looked at one by one, before there is an index


@cython.final
cdef class InMemoryWindowStore(BytesWindowStore):
    """Values by key and window start, kept until stream time has passed them by the retention.

    Where duplicates are kept, each put adds a value: the value in the dicts is a list of them.
    """

    cdef Retention retention
    cdef bint retain_duplicates
    cdef int64_t stream_time             # the highest window start so far, ms
    cdef dict windows                    # by start: a dict, key to value
    cdef Timeline starts                 # of windows; some may have become empty
    cdef dict starts_by_key              # Timelines; None until a key was fetched over many
    cdef int64_t last_start              # the window that was used last
    cdef dict last_window
    cdef int64_t size                    # bytes of keys and values
    cdef int64_t entry_count

    def __init__(self, str name not None, Retention retention not None, bint retain_duplicates):
        self.name = name
        self.retention = retention
        self.retain_duplicates = retain_duplicates
        self.forget()

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Begin empty."""
        self.forget()
        BytesWindowStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Forget everything."""
        self.is_open = False
        self.forget()

    def approximate_num_entries(self):
        """How many entries there are."""
        return self.entry_count

    @property
    def memory_bytes(self):
        """About how much memory it takes."""
        return self.size + ENTRY_BYTES * self.entry_count

    cdef int forget(self) except -1:
        self.stream_time = -1
        self.windows = {}
        self.starts = Timeline()
        self.starts_by_key = None
        self.last_start = INT64_MIN
        self.last_window = None
        self.size = self.entry_count = 0
        return 0

    cdef dict window(self, int64_t start_ms):
        """The dict of a window, None for none."""
        cdef dict window
        if start_ms == self.last_start:
            return self.last_window
        window = self.windows.get(start_ms)
        if window is not None:
            self.last_start = start_ms
            self.last_window = window
        return window

    cdef object get(self, bytes key, int64_t start_ms):
        cdef dict window
        if start_ms < self.retention.first_visible(self.stream_time):
            return None
        window = self.window(start_ms)
        if window is None:
            return None
        value = window.get(key)
        if self.retain_duplicates and value is not None:
            return value[0]
        return value

    cdef int put(self, bytes key, object value, int64_t start_ms) except -1:
        if not self.store(key, value, start_ms):
            self.drop_expired()
        return self.position.track(self.context)

    cdef bint store(self, bytes key, object value, int64_t start_ms) except -1:
        cdef dict window
        cdef Timeline starts
        if value is None and self.retain_duplicates:
            return True
        if start_ms > self.stream_time:
            self.stream_time = start_ms
            self.expire()
        elif start_ms < self.retention.first_kept(self.stream_time):
            return False
        if value is None:
            self.remove(key, start_ms)
            return True
        window = self.window(start_ms)
        if window is None:
            window = {}
            self.windows[start_ms] = window
            self.starts.add(start_ms)
            self.last_start = start_ms
            self.last_window = window
        before = window.get(key)
        if self.retain_duplicates:
            if before is None:
                window[key] = [value]
            else:
                before.append(value)
        else:
            window[key] = value
            if before is not None:
                self.size += PyBytes_GET_SIZE(value) - PyBytes_GET_SIZE(before)
                return True
        self.size += PyBytes_GET_SIZE(value) + PyBytes_GET_SIZE(key)
        self.entry_count += 1
        if before is None and self.starts_by_key is not None:
            starts = self.starts_by_key.get(key)
            if starts is None:
                self.starts_by_key[key] = starts = Timeline()
            starts.add(start_ms)
        return True

    cdef int remove(self, bytes key, int64_t start_ms) except -1:
        cdef dict window = self.window(start_ms)
        if window is None:
            return 0
        value = window.pop(key, None)
        if value is None:
            return 0
        self.uncount(key, value)
        if self.starts_by_key is not None:
            (<Timeline>self.starts_by_key[key]).remove(start_ms)
        if not window:
            del self.windows[start_ms]
            self.last_start = INT64_MIN
        return 0

    cdef int uncount(self, bytes key, object value) except -1:
        if self.retain_duplicates:
            for one in value:
                self.size -= PyBytes_GET_SIZE(key) + PyBytes_GET_SIZE(one)
            self.entry_count -= len(value)
        else:
            self.size -= PyBytes_GET_SIZE(key) + PyBytes_GET_SIZE(value)
            self.entry_count -= 1
        return 0

    cdef int expire(self) except -1:
        cdef int64_t live = self.retention.first_kept(self.stream_time)
        cdef dict window
        cdef Timeline starts
        for start_ms in self.starts.drop_before(live):
            window = self.windows.pop(start_ms, None)
            if window is None:
                continue
            if start_ms == self.last_start:
                self.last_start = INT64_MIN
            for key, value in window.items():
                self.uncount(key, value)
                if self.starts_by_key is not None:
                    starts = self.starts_by_key.get(key)
                    if starts is not None:
                        starts.drop_before(live)
                        if starts.first == len(starts.times):
                            del self.starts_by_key[key]
        return 0

    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse):
        cdef list entries = [], starts
        cdef Timeline timeline
        cdef dict window
        time_from = max(time_from, self.retention.first_visible(self.stream_time))
        if time_to < time_from:
            return Cursor()
        if self.starts_by_key is None:
            if self.starts.count(time_from, time_to) > SCAN_AT_MOST:
                self.make_index()
        if self.starts_by_key is None:
            starts = self.starts.slice(time_from, time_to)
        else:
            timeline = self.starts_by_key.get(key)
            if timeline is None:
                return Cursor()
            starts = timeline.slice(time_from, time_to)
        for start_ms in starts:
            window = self.windows.get(start_ms)
            value = None if window is None else window.get(key)
            if value is None:
                continue
            if self.retain_duplicates:
                for one in value:
                    entries.append((key, one, start_ms, 0))
            else:
                entries.append((key, value, start_ms, 0))
        if is_reverse:
            entries.reverse()
        return ListCursor(entries)

    cdef int make_index(self) except -1:
        cdef Timeline starts
        self.starts_by_key = {}
        for start_ms in self.starts.slice(INT64_MIN, self.stream_time):
            for key in self.windows.get(start_ms, ()):
                starts = self.starts_by_key.get(key)
                if starts is None:
                    self.starts_by_key[key] = starts = Timeline()
                starts.add(start_ms)
        return 0

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse):
        cdef WindowsCursor cursor
        time_from = max(time_from, self.retention.first_visible(self.stream_time))
        if time_to < time_from or from_key is not None and to_key is not None and from_key > to_key:
            return Cursor()
        cursor = WindowsCursor.__new__(WindowsCursor)
        cursor.from_key = from_key
        cursor.to_key = to_key
        cursor.is_reverse = is_reverse
        cursor.has_lists = self.retain_duplicates
        # What expires while the cursor is open is still seen by it.
        cursor.windows = [
            (start_ms, self.windows.get(start_ms))
            for start_ms in self.starts.slice(time_from, time_to)
        ]
        if not self.retention.is_time_ordered:
            cursor.retention = self.retention
        if is_reverse:
            cursor.windows.reverse()
        return cursor

    cdef int restore(self, list records, bint with_timestamps) except -1:
        cdef bytes key
        for key, value, timestamp, _ in records:
            if with_timestamps and value is not None:
                value = with_timestamp(value, timestamp)
            key = long_enough(key, 12, "window")
            self.store(cut(key, 12), value, int64_at(key, 12))
        return 0


@cython.final
cdef class WindowsCursor(Cursor):
    """The entries of some windows.

    In a time-ordered store they come by time, then by key; else, as in Kafka Streams, segment by
    segment, and there by key, then by time.
    """

    cdef bytes from_key
    cdef bytes to_key
    cdef bint is_reverse
    cdef bint has_lists
    cdef Retention retention             # None where time comes first
    cdef list windows                    # (start, dict)
    cdef Py_ssize_t window_index
    cdef list entries                    # (sort key, key, value, start) of what the cursor is in
    cdef Py_ssize_t entry_index

    cdef bint advance(self) except -1:
        while self.entries is None or self.entry_index == len(self.entries):
            if self.window_index == len(self.windows):
                return False
            self.enter_windows()
        _, self.key, self.value, self.start_ms = self.entries[self.entry_index]
        self.entry_index += 1
        return True

    cdef int enter_windows(self) except -1:
        cdef int64_t start_ms, segment = 0
        cdef dict window
        self.entries = []
        self.entry_index = 0
        while self.window_index < len(self.windows):
            start_ms, window = self.windows[self.window_index]
            if self.retention is not None:
                if not self.entries:
                    segment = self.retention.segment_of(start_ms)
                elif segment != self.retention.segment_of(start_ms):
                    break
            elif self.entries:
                break
            self.windows[self.window_index] = None
            self.window_index += 1
            if window is not None:
                self.take(start_ms, window)
        self.entries.sort(key=first, reverse=self.is_reverse)
        return 0

    cdef int take(self, int64_t start_ms, dict window) except -1:
        cdef bytes sort_key
        for key, value in window.items():
            if self.from_key is not None and key < self.from_key:
                continue
            if self.to_key is not None and key > self.to_key:
                continue
            sort_key = key if self.retention is None else window_key(key, start_ms, 0)
            if not self.has_lists:
                self.entries.append((sort_key, key, value, start_ms))
                continue
            # A sort in reverse keeps the order of what is equal.
            for one in reversed(value) if self.is_reverse else value:
                self.entries.append((sort_key, key, one, start_ms))
        return 0


first = itemgetter(0)
