"""Session stores of bytes upon tables, in memory or on disk."""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesSessionStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport cut, int64_at, long_enough
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.segments cimport SegmentedTable
from pylog.streams.state.table cimport MemoryTable, Table


@cython.final
cdef class TableSessionStore(BytesSessionStore):
    """Values by key and session, kept until stream time has passed its end by the retention."""

    cdef Retention retention
    cdef SegmentedTable table
    cdef object disk                     # state.disk.StoreDisk, None for a store in memory

    def __init__(self, str name not None, Retention retention not None, disk=None):
        self.name = name
        self.retention = retention
        self.disk = disk
        self.is_persistent = disk is not None

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the tables; those in memory are empty."""
        cdef Table rows, times = None
        cdef int64_t stream_time = -1
        if self.disk is None:
            rows = MemoryTable()
            if self.retention.is_time_ordered:
                times = MemoryTable()
        else:
            self.disk.open(context.state_dir, f"session store, {self.retention.layout()}")
            rows = self.disk.table("data")
            if self.retention.is_time_ordered:
                times = self.disk.table("times")
            stream_time = self.disk.stream_time
            self.position.merge(self.disk.position)
        self.table = SegmentedTable(rows, times, self.retention, 8, stream_time)
        BytesSessionStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Let go of the tables."""
        self.is_open = False
        self.table.close()
        if self.disk is not None:
            self.disk.close()

    def commit(self, offset):
        """Make what was written and the offset durable in one step."""
        if self.disk is not None:
            self.disk.stream_time = self.table.stream_time
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
        """How many sessions there are, about."""
        return self.table.rows.approximate_num_entries()

    @property
    def memory_bytes(self):
        """About how much memory the tables take."""
        return self.table.memory_bytes

    cdef object get(self, bytes key, int64_t start_ms, int64_t end_ms):
        return self.table.get(key, end_ms, start_ms)

    cdef int put(self, bytes key, object value, int64_t start_ms, int64_t end_ms) except -1:
        if self.table.advance_time(end_ms):
            self.table.put(key, value, end_ms, start_ms)
        elif value is not None:
            self.drop_expired()
        return self.position.track(self.context)

    cdef Cursor find(self, bytes key, int64_t earliest_end, int64_t latest_start,
                     bint is_reverse):
        return self.table.scan(key, key, earliest_end, INT64_MAX, latest_start, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_start, bint is_reverse):
        return self.table.scan(from_key, to_key, earliest_end, INT64_MAX, latest_start, is_reverse)

    cdef Cursor find_by_end(self, int64_t earliest_end, int64_t latest_end):
        return self.table.scan_by_time(None, None, earliest_end, latest_end, False)

    cdef int restore(self, list records, bint with_timestamps) except -1:
        cdef bytes key
        cdef int64_t end_ms
        for key, value, _, _ in records:
            key = long_enough(key, 16, "session")
            end_ms = int64_at(key, 16)
            if self.table.advance_time(end_ms):
                self.table.put(cut(key, 16), value, end_ms, int64_at(key, 8))
        return 0
