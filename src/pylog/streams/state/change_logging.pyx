"""Layers that write each change of a store to its changelog topic, in Kafka Streams' bytes."""

cimport cython
from libc.stdint cimport int64_t

from pylog.streams.collector cimport RecordCollector
from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport (
    BytesKeyValueStore,
    BytesSessionStore,
    BytesVersionedStore,
    BytesWindowStore,
)
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport (
    session_key,
    timestamp_of,
    window_key,
    without_timestamp,
)


@cython.final
cdef class ChangeLoggingKeyValueStore(BytesKeyValueStore):
    """Logs the key and the value; of a timestamped value, the timestamp is the record's own.

    Args:
        inner: the store below.
        is_timestamped: whether values begin with their timestamps.
        logs_headers: whether changes have the headers of the record that the task is at.
    """

    cdef BytesKeyValueStore inner
    cdef bint is_timestamped
    cdef bint logs_headers
    cdef str topic
    cdef int partition
    cdef RecordCollector collector

    def __init__(self, BytesKeyValueStore inner not None, bint is_timestamped,
                 bint logs_headers=False):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner
        self.is_timestamped = is_timestamped
        self.logs_headers = logs_headers
        set_on_eviction = getattr(inner, "set_on_eviction", None)
        if set_on_eviction is not None:
            set_on_eviction(self.log_eviction)

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Log to this topic and partition from now on; None is a store that is not logged."""
        self.topic = changelog_topic
        self.partition = changelog_partition
        self.collector = context.collector
        BytesKeyValueStore.open(self, context, changelog_topic, changelog_partition)

    def log_eviction(self, bytes key):
        """Log that the store has dropped this key."""
        self.log(key, None)

    cdef object get(self, bytes key):
        return self.inner.get(key)

    cdef int put(self, bytes key, object value) except -1:
        self.inner.put(key, value)
        return self.log(key, value)

    cdef int log(self, bytes key, object value) except -1:
        cdef int64_t timestamp = self.context.record_timestamp
        if self.topic is None:
            return 0
        if self.is_timestamped and value is not None:
            timestamp = timestamp_of(value)
            value = without_timestamp(value)
        headers = self.context.headers if self.logs_headers else None
        return self.collector.put(self.topic, key, value, headers, timestamp, self.partition)

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        return self.inner.scan(from_key, to_key, to_inclusive, is_reverse)


@cython.final
cdef class ChangeLoggingWindowStore(BytesWindowStore):
    """Logs the key with the window's start and, where duplicates are kept, a running number.

    These are the records of a join, and have their headers.
    """

    cdef BytesWindowStore inner
    cdef bint is_timestamped
    cdef bint retain_duplicates
    cdef int sequence
    cdef str topic
    cdef int partition
    cdef RecordCollector collector

    def __init__(self, BytesWindowStore inner not None, bint is_timestamped,
                 bint retain_duplicates):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner
        self.is_timestamped = is_timestamped
        self.retain_duplicates = retain_duplicates

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Log to this topic and partition from now on; None is a store that is not logged."""
        self.topic = changelog_topic
        self.partition = changelog_partition
        self.collector = context.collector
        BytesWindowStore.open(self, context, changelog_topic, changelog_partition)

    cdef object get(self, bytes key, int64_t start_ms):
        return self.inner.get(key, start_ms)

    cdef int put(self, bytes key, object value, int64_t start_ms) except -1:
        cdef int64_t timestamp = self.context.record_timestamp
        self.inner.put(key, value, start_ms)
        if self.topic is None:
            return 0
        if self.retain_duplicates:
            self.sequence = (self.sequence + 1) & 0x7FFFFFFF
        if self.is_timestamped and value is not None:
            timestamp = timestamp_of(value)
            value = without_timestamp(value)
        headers = self.context.headers if self.retain_duplicates else None
        return self.collector.put(self.topic, window_key(key, start_ms, self.sequence), value,
                                  headers, timestamp, self.partition)

    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse):
        return self.inner.fetch(key, time_from, time_to, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse):
        return self.inner.scan(from_key, to_key, time_from, time_to, is_reverse)


@cython.final
cdef class ChangeLoggingSessionStore(BytesSessionStore):
    """Logs the key with the session's end and start."""

    cdef BytesSessionStore inner
    cdef str topic
    cdef int partition
    cdef RecordCollector collector

    def __init__(self, BytesSessionStore inner not None):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Log to this topic and partition from now on; None is a store that is not logged."""
        self.topic = changelog_topic
        self.partition = changelog_partition
        self.collector = context.collector
        BytesSessionStore.open(self, context, changelog_topic, changelog_partition)

    cdef object get(self, bytes key, int64_t start_ms, int64_t end_ms):
        return self.inner.get(key, start_ms, end_ms)

    cdef int put(self, bytes key, object value, int64_t start_ms, int64_t end_ms) except -1:
        self.inner.put(key, value, start_ms, end_ms)
        if self.topic is None:
            return 0
        return self.collector.put(self.topic, session_key(key, start_ms, end_ms), value, None,
                                  self.context.record_timestamp, self.partition)

    cdef Cursor find(self, bytes key, int64_t earliest_end, int64_t latest_start,
                     bint is_reverse):
        return self.inner.find(key, earliest_end, latest_start, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_start, bint is_reverse):
        return self.inner.scan(from_key, to_key, earliest_end, latest_start, is_reverse)

    cdef Cursor find_by_end(self, int64_t earliest_end, int64_t latest_end):
        return self.inner.find_by_end(earliest_end, latest_end)


@cython.final
cdef class ChangeLoggingVersionedStore(BytesVersionedStore):
    """Logs the key, the value and the time that the value is valid from."""

    cdef BytesVersionedStore inner
    cdef str topic
    cdef int partition
    cdef RecordCollector collector

    def __init__(self, BytesVersionedStore inner not None):
        self.name = inner.name
        self.is_persistent = inner.is_persistent
        self.inner = self.below = inner

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Log to this topic and partition from now on; None is a store that is not logged."""
        self.topic = changelog_topic
        self.partition = changelog_partition
        self.collector = context.collector
        BytesVersionedStore.open(self, context, changelog_topic, changelog_partition)

    cdef int64_t put(self, bytes key, object value, int64_t timestamp) except? -2:
        cdef int64_t valid_to = self.inner.put(key, value, timestamp)
        if self.topic is not None:
            self.collector.put(self.topic, key, value, None, timestamp, self.partition)
        return valid_to

    cdef tuple get(self, bytes key):
        return self.inner.get(key)

    cdef tuple get_as_of(self, bytes key, int64_t timestamp):
        return self.inner.get_as_of(key, timestamp)

    cdef tuple delete(self, bytes key, int64_t timestamp):
        cdef tuple found = self.inner.delete(key, timestamp)
        if self.topic is not None:
            self.collector.put(self.topic, key, None, None, timestamp, self.partition)
        return found

    cdef list get_range(self, bytes key, int64_t time_from, int64_t time_to):
        return self.inner.get_range(key, time_from, time_to)
