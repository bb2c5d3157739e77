"""TableVersionedStore, the versions of values by key, upon tables in memory or on disk.

    latest    key                              -> valid_from(8) value
    history   size of key(4) key valid_from(8) -> 1 and the value, or 0 for a deletion
    checks    segment(8) key                   -> nothing

A version is valid until the next one of its key begins, so nothing needs to be said of its end. The
newest value of a key is in `latest` and never expires. A check says that versions of the key end in
that segment, and is for taking them out when the segment has expired.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.string cimport memcpy

from pylog.streams.node cimport TaskContext
from pylog.streams.serde cimport store_int64
from pylog.streams.state.bytes_store cimport BytesVersionedStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport (
    int64_at,
    store_int32,
    timestamp_of,
    with_timestamp,
    without_timestamp,
)
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.table cimport MemoryTable, Table

cdef int64_t NOT_PUT = INT64_MIN
cdef int64_t UNDEFINED = -1

cdef bytes DELETION = b"\0"


@cython.final
cdef class TableVersionedStore(BytesVersionedStore):
    """Versions by key and time, kept for the history retention."""

    cdef Retention retention
    cdef Table latest
    cdef Table history
    cdef Table checks
    cdef int64_t stream_time             # the highest timestamp so far, ms; -1 before the first
    cdef int64_t expired_to              # what ended before is gone
    cdef object disk                     # state.disk.StoreDisk, None for a store in memory

    def __init__(self, str name not None, Retention retention not None, disk=None):
        self.name = name
        self.retention = retention
        self.disk = disk
        self.is_persistent = disk is not None

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the tables; those in memory are empty."""
        self.stream_time = -1
        self.expired_to = 0
        if self.disk is None:
            self.latest, self.history, self.checks = MemoryTable(), MemoryTable(), MemoryTable()
        else:
            self.disk.open(context.state_dir, f"versioned store, {self.retention.layout()}")
            self.latest = self.disk.table("data")
            self.history = self.disk.table("history")
            self.checks = self.disk.table("times")
            self.stream_time = self.disk.stream_time
            self.position.merge(self.disk.position)
        BytesVersionedStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Let go of the tables."""
        self.is_open = False
        for table in (self.latest, self.history, self.checks):
            table.close()
        if self.disk is not None:
            self.disk.close()

    def commit(self, offset):
        """Make what was written and the offset durable in one step."""
        if self.disk is not None:
            self.disk.stream_time = self.stream_time
            self.disk.commit(offset, self.position.as_dict())

    @property
    def committed_offset(self):
        """The offset of the last commit, None for none."""
        return None if self.disk is None else self.disk.committed_offset

    @property
    def folder(self):
        """Where a store on disk is, None for one in memory."""
        return None if self.disk is None else self.disk.folder

    def approximate_num_entries(self):
        """How many versions there are, about."""
        return self.latest.approximate_num_entries() + self.history.approximate_num_entries()

    @property
    def memory_bytes(self):
        """About how much memory the tables take."""
        tables = (self.latest, self.history, self.checks)
        return sum([table.memory_bytes for table in tables])

    cdef int64_t put(self, bytes key, object value, int64_t timestamp) except? -2:
        cdef int64_t valid_to
        if timestamp < self.stream_time - self.retention.retention_ms:
            self.drop_expired()
            return NOT_PUT
        self.advance_time(timestamp)
        valid_to = self.write(key, value, timestamp)
        self.position.track(self.context)
        return valid_to

    cdef tuple delete(self, bytes key, int64_t timestamp):
        cdef tuple found
        if timestamp < self.stream_time - self.retention.retention_ms:
            self.drop_expired()
            return None
        found = self.get_as_of(key, timestamp)
        self.advance_time(timestamp)
        self.write(key, None, timestamp)
        self.position.track(self.context)
        return found

    cdef tuple get(self, bytes key):
        raw = self.latest.get(key)
        if raw is None:
            return None
        return without_timestamp(raw), timestamp_of(raw), UNDEFINED

    cdef tuple get_as_of(self, bytes key, int64_t timestamp):
        cdef int64_t valid_from
        cdef Cursor cursor
        raw = self.latest.get(key)
        if raw is not None and timestamp_of(raw) <= timestamp:
            return without_timestamp(raw), timestamp_of(raw), UNDEFINED
        if timestamp < self.stream_time - self.retention.retention_ms:
            return None
        cursor = self.history.scan(row_key(key, 0), row_key(key, timestamp), True, True)
        if not cursor.advance() or cursor.value == DELETION:
            return None
        valid_from = int64_at(cursor.key, 8)
        return cursor.value[1:], valid_from, self.next_after(key, valid_from, raw)

    cdef list get_range(self, bytes key, int64_t time_from, int64_t time_to):
        """Versions that are valid at some time in this range, in order."""
        cdef int64_t valid_from
        cdef tuple version = None        # whose end is not known yet
        cdef list versions = []
        cdef Cursor cursor
        raw = self.latest.get(key)
        if time_to >= self.stream_time - self.retention.retention_ms:
            cursor = self.history.scan(row_key(key, 0), row_key(key, INT64_MAX), True, False)
            while cursor.advance():
                valid_from = int64_at(cursor.key, 8)
                if version is not None and valid_from > time_from:
                    versions.append((version[0], version[1], valid_from))
                version = None
                if valid_from > time_to:
                    break
                if cursor.value != DELETION:
                    version = cursor.value[1:], valid_from
        if raw is not None:
            valid_from = timestamp_of(raw)
            if version is not None and valid_from > time_from:
                versions.append((version[0], version[1], valid_from))
            if valid_from <= time_to:
                versions.append((without_timestamp(raw), valid_from, UNDEFINED))
        return versions

    cdef int restore(self, list records, bint with_timestamps) except -1:
        cdef int64_t timestamp
        for key, value, timestamp, _ in records:
            if timestamp >= self.stream_time - self.retention.retention_ms:
                self.advance_time(timestamp)
                self.write(key, value, timestamp)
        return 0

    cdef int advance_time(self, int64_t timestamp) except -1:
        if timestamp > self.stream_time:
            self.stream_time = timestamp
            if self.retention.first_kept(timestamp) > self.expired_to:
                self.expire()
        return 0

    cdef int64_t write(self, bytes key, object value, int64_t timestamp) except? -2:
        cdef int64_t latest_timestamp
        raw = self.latest.get(key)
        if raw is None:
            return self.write_to_history(key, value, timestamp, None)
        latest_timestamp = timestamp_of(raw)
        if timestamp < latest_timestamp:
            return self.write_to_history(key, value, timestamp, raw)
        if timestamp > latest_timestamp:
            self.history.put(row_key(key, latest_timestamp), version_of(without_timestamp(raw)))
            self.check(timestamp, key)
        if value is not None:
            self.latest.put(key, with_timestamp(value, timestamp))
            return UNDEFINED
        self.latest.put(key, None)
        # Kafka Streams remembers a deletion only as the end of the version before it.
        if timestamp > latest_timestamp or self.has_value_before(key, timestamp):
            self.history.put(row_key(key, timestamp), DELETION)
            self.check(timestamp, key)
        return UNDEFINED

    cdef int64_t write_to_history(self, bytes key, object value, int64_t timestamp,
                                  object latest) except? -2:
        cdef bytes row = row_key(key, timestamp)
        cdef int64_t following = self.next_after(key, timestamp, latest)
        if following != UNDEFINED:
            if self.history.get(row) is None:
                self.check(following, key)
                self.check(timestamp, key)
            self.history.put(row, version_of(value))
            return following
        # The newest version; there is none, or a deletion came last.
        if value is None:
            self.history.put(row, DELETION)
            self.check(timestamp, key)
        else:
            self.history.put(row, None)
            self.latest.put(key, with_timestamp(value, timestamp))
        return UNDEFINED

    cdef int64_t next_after(self, bytes key, int64_t timestamp, object latest) except? -2:
        """When the version after this time begins, UNDEFINED if there is none."""
        cdef Cursor cursor = self.history.scan(row_key(key, timestamp + 1),
                                               row_key(key, INT64_MAX), True, False)
        if cursor.advance():
            return int64_at(cursor.key, 8)
        return UNDEFINED if latest is None else timestamp_of(latest)

    cdef bint has_value_before(self, bytes key, int64_t timestamp) except -1:
        cdef Cursor cursor = self.history.scan(row_key(key, 0), row_key(key, timestamp), False,
                                               True)
        return cursor.advance() and cursor.value != DELETION

    cdef int check(self, int64_t valid_to, bytes key) except -1:
        """Look at this key when the segment of this time expires."""
        return self.checks.put(packed(self.retention.segment_of(valid_to)) + key, b"")

    cdef int expire(self) except -1:
        cdef Cursor cursor
        self.expired_to = self.retention.first_kept(self.stream_time)
        cursor = self.checks.scan(None, packed(self.expired_to), False, False)
        while cursor.advance():
            self.checks.put(cursor.key, None)
            self.expire_key(cursor.key[8:])
        return 0

    cdef int expire_key(self, bytes key) except -1:
        """Take out the versions that ended before what is kept."""
        cdef bytes previous = None
        cdef int64_t valid_from = 0
        cdef Cursor cursor = self.history.scan(row_key(key, 0), row_key(key, INT64_MAX), True,
                                               False)
        while cursor.advance():
            valid_from = int64_at(cursor.key, 8)
            if valid_from >= self.expired_to:
                return 0
            if previous is not None:
                self.history.put(previous, None)
            previous = cursor.key
        if previous is None:
            return 0
        # The last one ends with the newest value, or is a deletion.
        raw = self.latest.get(key)
        if (valid_from if raw is None else timestamp_of(raw)) < self.expired_to:
            self.history.put(previous, None)
        return 0


cdef bytes row_key(bytes key, int64_t valid_from):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef bytes row = PyBytes_FromStringAndSize(NULL, size + 12)
    cdef char *target = PyBytes_AS_STRING(row)
    store_int32(target, <int>size)
    memcpy(target + 4, PyBytes_AS_STRING(key), size)
    store_int64(target + 4 + size, valid_from)
    return row


cdef bytes version_of(object value):
    return DELETION if value is None else b"\1" + value


cdef bytes packed(int64_t number):
    cdef bytes data = PyBytes_FromStringAndSize(NULL, 8)
    store_int64(PyBytes_AS_STRING(data), number)
    return data
