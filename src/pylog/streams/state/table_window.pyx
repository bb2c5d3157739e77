"""TableWindowStore, window stores of bytes on disk."""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesWindowStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport cut, int64_at, long_enough, with_timestamp
from pylog.streams.state.retention cimport Retention
from pylog.streams.state.segments cimport SegmentedTable
from pylog.streams.state.table cimport Table


@cython.final
cdef class TableWindowStore(BytesWindowStore):
    """Values by key and window start, kept until stream time has passed them by the retention."""

    cdef Retention retention
    cdef bint retain_duplicates
    cdef int sequence                    # of the newest duplicate
    cdef SegmentedTable table
    cdef object disk                     # state.disk.StoreDisk

    def __init__(self, str name not None, Retention retention not None, bint retain_duplicates,
                 disk not None):
        self.name = name
        self.retention = retention
        self.retain_duplicates = retain_duplicates
        self.disk = disk
        self.is_persistent = True

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the tables."""
        cdef Table times = None
        layout = "with duplicates, " if self.retain_duplicates else ""
        self.disk.open(context.state_dir, f"window store, {layout}{self.retention.layout()}")
        if self.retention.is_time_ordered:
            times = self.disk.table("times")
        self.table = SegmentedTable(self.disk.table("data"), times, self.retention, 4,
                                    self.disk.stream_time)
        self.sequence = self.disk.sequence
        self.position.merge(self.disk.position)
        BytesWindowStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Let go of the tables."""
        self.is_open = False
        self.table.close()
        self.disk.close()

    def commit(self, offset):
        """Make what was written and the offset durable in one step."""
        self.disk.stream_time = self.table.stream_time
        self.disk.sequence = self.sequence
        self.disk.commit(offset, self.position.as_dict())

    @property
    def committed_offset(self):
        """The offset of the last commit, None for none."""
        return self.disk.committed_offset

    @property
    def folder(self):
        """Where the store is."""
        return self.disk.folder

    def approximate_num_entries(self):
        """How many entries there are, about."""
        return self.table.rows.approximate_num_entries()

    @property
    def memory_bytes(self):
        """About how much memory the tables take."""
        return self.table.memory_bytes

    cdef object get(self, bytes key, int64_t start_ms):
        cdef Cursor cursor
        if not self.retain_duplicates:
            return self.table.get(key, start_ms, 0)
        cursor = self.fetch(key, start_ms, start_ms, False)
        return cursor.value if cursor.advance() else None

    cdef int put(self, bytes key, object value, int64_t start_ms) except -1:
        if not self.store(key, value, start_ms):
            self.drop_expired()
        return self.position.track(self.context)

    cdef bint store(self, bytes key, object value, int64_t start_ms) except -1:
        if self.retain_duplicates:
            if value is None:
                return True
            self.sequence = (self.sequence + 1) & 0x7FFFFFFF
        if not self.table.advance_time(start_ms):
            return False
        self.table.put(key, value, start_ms, self.sequence)
        return True

    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse):
        return self.table.scan(key, key, time_from, time_to, INT64_MAX, is_reverse)

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse):
        if not self.retention.is_time_ordered:
            return self.table.scan(from_key, to_key, time_from, time_to, INT64_MAX, is_reverse)
        time_from = max(time_from, self.retention.first_visible(self.table.stream_time))
        return self.table.scan_by_time(from_key, to_key, time_from, time_to, is_reverse)

    cdef int restore(self, list records, bint with_timestamps) except -1:
        cdef bytes key
        for key, value, timestamp, _ in records:
            if with_timestamps and value is not None:
                value = with_timestamp(value, timestamp)
            key = long_enough(key, 12, "window")
            # A duplicate's number in the changelog may have been used before a restart too.
            self.store(cut(key, 12), value, int64_at(key, 12))
        return 0
