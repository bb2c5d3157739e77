"""Key-value stores of bytes: upon a table, in memory or on disk, and an LRU map."""

cimport cython

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesKeyValueStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.formats cimport with_timestamp
from pylog.streams.state.table cimport MemoryTable, Table

from pylog.streams.errors import InvalidStateStoreError


@cython.final
cdef class TableKeyValueStore(BytesKeyValueStore):
    """A table as a store."""

    cdef Table table
    cdef object disk                     # state.disk.StoreDisk, None for a store in memory

    def __init__(self, str name not None, disk=None):
        self.name = name
        self.disk = disk
        self.is_persistent = disk is not None

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Open the table; one in memory is empty."""
        if self.disk is None:
            self.table = MemoryTable()
        else:
            self.disk.open(context.state_dir, "key-value store")
            self.table = self.disk.table("data")
            self.position.merge(self.disk.position)
        BytesKeyValueStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Let go of the table."""
        self.is_open = False
        self.table.close()
        if self.disk is not None:
            self.disk.close()

    def commit(self, offset):
        """Make what was written and the offset durable in one step."""
        if self.disk is not None:
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
        """How many entries there are, about."""
        return self.table.approximate_num_entries()

    @property
    def memory_bytes(self):
        """About how much memory the table takes."""
        return self.table.memory_bytes

    cdef object get(self, bytes key):
        return self.table.get(key)

    cdef int put(self, bytes key, object value) except -1:
        self.table.put(key, value)
        return self.position.track(self.context)

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        return self.table.scan(from_key, to_key, to_inclusive, is_reverse)

    cdef int restore(self, list records, bint with_timestamps) except -1:
        cdef Table table = self.table
        for key, value, timestamp, _ in records:
            if with_timestamps and value is not None:
                value = with_timestamp(value, timestamp)
            table.put(key, value)
        return 0


@cython.final
cdef class LruMap(BytesKeyValueStore):
    """The entries that were used last; the layer that logs changes hears of those that go."""

    cdef dict map                        # the one that was used longest ago is first
    cdef Py_ssize_t max_entries
    cdef bint is_restoring
    cdef object on_eviction              # (key) -> None

    def __init__(self, str name not None, Py_ssize_t max_entries):
        if max_entries < 1:
            raise ValueError(f"store {name!r}: an LRU map has room for 1 entry at least")
        self.name = name
        self.max_entries = max_entries
        self.map = {}

    def set_on_eviction(self, on_eviction):
        """Have `on_eviction(key)` called for each entry that makes room for another."""
        self.on_eviction = on_eviction

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Begin empty."""
        self.map = {}
        BytesKeyValueStore.open(self, context, changelog_topic, changelog_partition)

    def close(self):
        """Forget everything."""
        self.is_open = False
        self.map = {}

    def approximate_num_entries(self):
        """How many entries there are."""
        return len(self.map)

    @property
    def memory_bytes(self):
        """About how much memory it takes."""
        return sum(len(key) + len(value) + 200 for key, value in self.map.items())

    cdef object get(self, bytes key):
        value = self.map.pop(key, None)
        if value is not None:
            self.map[key] = value
        return value

    cdef int put(self, bytes key, object value) except -1:
        self.map.pop(key, None)
        if value is not None:
            self.map[key] = value
            if len(self.map) > self.max_entries:
                eldest = next(iter(self.map))
                del self.map[eldest]
                if self.on_eviction is not None and not self.is_restoring:
                    self.on_eviction(eldest)
        return self.position.track(self.context)

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        raise InvalidStateStoreError(
            f"store {self.name!r} is an LRU map: it has no ranges, only get, put and delete"
        )

    cdef int restore(self, list records, bint with_timestamps) except -1:
        self.is_restoring = True
        try:
            for key, value, timestamp, _ in records:
                if with_timestamps and value is not None:
                    value = with_timestamp(value, timestamp)
                self.put(key, value)
        finally:
            self.is_restoring = False
        return 0
