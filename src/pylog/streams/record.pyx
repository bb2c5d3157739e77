"""Record, what flows between the nodes of a topology, and the values that tables put into it."""

cimport cython
from libc.stdint cimport int64_t


@cython.final
@cython.freelist(512)
cdef class Record:
    """A key, a value, a timestamp (ms since 1970) and headers. Immutable; `with_...` makes another.

    Headers are a list of (name, bytes or None) that all records made from one share, as in Kafka
    Streams: who appends to it is seen downstream.

    Raises:
        ValueError: a negative timestamp.
    """

    def __init__(self, key, value, int64_t timestamp, headers=None):
        if timestamp < 0:
            raise ValueError(f"a record's timestamp is not negative: {timestamp}")
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self._headers = headers

    @property
    def headers(self):
        """The headers, a list that may be appended to."""
        if self._headers is None:
            self._headers = []
        return self._headers

    def with_key(self, key):
        """This record with another key."""
        return self.derive(key, self.value)

    def with_value(self, value):
        """This record with another value."""
        return self.derive(self.key, value)

    def with_timestamp(self, int64_t timestamp):
        """This record at another time.

        Raises:
            ValueError: it is negative.
        """
        return Record(self.key, self.value, timestamp, self._headers)

    def with_headers(self, headers):
        """This record with other headers."""
        return Record(self.key, self.value, self.timestamp, headers)

    def __eq__(self, other):
        if not isinstance(other, Record):
            return NotImplemented
        return (self.key == other.key and self.value == other.value
                and self.timestamp == other.timestamp and self.headers == other.headers)

    __hash__ = None

    def __repr__(self):
        text = f"Record(key={self.key!r}, value={self.value!r}, timestamp={self.timestamp}"
        return text + (f", headers={self._headers!r})" if self._headers else ")")


@cython.final
@cython.freelist(256)
cdef class Change:
    """An update of a table: the new value and, where it is sent, the one before; None for none."""

    def __init__(self, new_value, old_value, bint is_latest=True):
        self.new_value = new_value
        self.old_value = old_value
        self.is_latest = is_latest

    def __eq__(self, other):
        if not isinstance(other, Change):
            return NotImplemented
        return (self.new_value == other.new_value and self.old_value == other.old_value
                and self.is_latest == other.is_latest)

    __hash__ = None

    def __repr__(self):
        return f"Change(new_value={self.new_value!r}, old_value={self.old_value!r})"


@cython.final
@cython.freelist(256)
cdef class ValueAndTimestamp:
    """A value of a store and when it was last updated, ms since 1970."""

    def __init__(self, value, int64_t timestamp):
        self.value = value
        self.timestamp = timestamp

    def __eq__(self, other):
        if not isinstance(other, ValueAndTimestamp):
            return NotImplemented
        return self.value == other.value and self.timestamp == other.timestamp

    __hash__ = None

    def __iter__(self):
        yield self.value
        yield self.timestamp

    def __repr__(self):
        return f"ValueAndTimestamp(value={self.value!r}, timestamp={self.timestamp})"
