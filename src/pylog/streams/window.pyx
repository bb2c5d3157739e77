"""Window, an interval of time, and Windowed, a key within one. Both are immutable and hashable."""

cimport cython
from libc.stdint cimport int64_t


@cython.total_ordering
@cython.freelist(256)
cdef class Window:
    """The times from `start_ms` (inclusive) to `end_ms` (exclusive), ms since 1970.

    Two windows are equal when both bounds are; they sort by start, then end, and unpack into the
    two.

    Raises:
        ValueError: it starts before 0 or ends before it starts.
    """

    def __init__(self, int64_t start_ms, int64_t end_ms):
        if start_ms < 0:
            raise ValueError(f"a window does not start before 0: {start_ms}")
        if end_ms < start_ms:
            raise ValueError(f"a window does not end before it starts: {start_ms} to {end_ms}")
        self.start_ms = start_ms
        self.end_ms = end_ms

    def overlaps(self, Window other not None):
        """Whether some time is in both."""
        return self.start_ms < other.end_ms and other.start_ms < self.end_ms

    def __iter__(self):
        yield self.start_ms
        yield self.end_ms

    def __eq__(self, other):
        if not isinstance(other, Window):
            return NotImplemented
        return (self.start_ms == (<Window>other).start_ms
                and self.end_ms == (<Window>other).end_ms)

    def __lt__(self, other):
        if not isinstance(other, Window):
            return NotImplemented
        if self.start_ms != (<Window>other).start_ms:
            return self.start_ms < (<Window>other).start_ms
        return self.end_ms < (<Window>other).end_ms

    def __hash__(self):
        return hash((self.start_ms, self.end_ms))

    def __repr__(self):
        return f"{type(self).__name__}(start_ms={self.start_ms}, end_ms={self.end_ms})"


cdef class SessionWindow(Window):
    """The times from `start_ms` to `end_ms`, both inclusive: those of its first and last record."""

    def overlaps(self, Window other not None):
        """Whether some time is in both, bounds included."""
        return not (other.end_ms < self.start_ms or self.end_ms < other.start_ms)


@cython.final
@cython.freelist(256)
cdef class Windowed:
    """A key of a windowed table: the key of the records and their window.

    Two are equal when key and window are. Printed as Kafka does: `[key@start/end]`.
    """

    def __init__(self, key, Window window not None):
        self.key = key
        self.window = window

    def __iter__(self):
        yield self.key
        yield self.window

    def __eq__(self, other):
        if not isinstance(other, Windowed):
            return NotImplemented
        return (self.window == (<Windowed>other).window) and self.key == (<Windowed>other).key

    def __hash__(self):
        return hash((self.key, self.window.start_ms, self.window.end_ms))

    def __str__(self):
        return f"[{self.key}@{self.window.start_ms}/{self.window.end_ms}]"

    def __repr__(self):
        return f"[{self.key!r}@{self.window.start_ms}/{self.window.end_ms}]"
