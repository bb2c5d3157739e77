"""The faces of stores of bytes: what a store in memory, one on disk and every layer above them has.

    BytesStore             what all have: name, open, flush, close, restore, commit
    BytesKeyValueStore     get, put, scan
    BytesWindowStore       get, put, fetch, scan; a key has a value for each window start
    BytesSessionStore      get, put, find, scan; a key has a value for each (start, end)
    BytesVersionedStore    put, get, get_as_of; a key has a value for each time

A store that a program sees (`KeyValueStore` and its like) turns keys and values into bytes and
hands them down: caching, then change logging, then the store itself. A layer that is not wanted is
not there.
"""

from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.cursor cimport Cursor

from pylog.streams.errors import InvalidStateStoreError


cdef class Position:
    """How far a store has seen each source partition: the offset of the newest record in it."""

    def __cinit__(self):
        self.components = {}
        self.last_partition = -1
        self.last_offset = -1

    cdef int switch_to(self, str topic, int partition, int64_t offset) except -1:
        cdef dict offsets
        if topic is None:  # a punctuation
            return 0
        if topic == self.last_topic and partition == self.last_partition:
            self.last_topic = topic
            self.last_offset = max(self.last_offset, offset)
            return 0
        self.settle()
        offsets = self.components.setdefault(topic, {})
        self.last_topic = topic
        self.last_partition = partition
        self.last_offset = max(offset, <int64_t>offsets.get(partition, -1))
        return 0

    cdef int merge(self, dict components) except -1:
        cdef dict offsets
        self.settle()
        self.last_topic = None
        for topic, others in components.items():
            offsets = self.components.setdefault(topic, {})
            for partition, offset in others.items():
                offsets[partition] = max(offset, offsets.get(partition, -1))
        return 0

    def settle(self):
        """Write the component that is in fields into the dict."""
        if self.last_topic is not None:
            self.components[self.last_topic][self.last_partition] = self.last_offset

    def as_dict(self):
        """A copy: by topic, then by partition, the offset."""
        self.settle()
        return {topic: dict(offsets) for topic, offsets in self.components.items()}


cdef class BytesStore:
    """A store of bytes or a layer upon one."""

    def __cinit__(self, *args, **kwargs):
        self.position = Position()

    def open(self, TaskContext context not None, str changelog_topic, int changelog_partition):
        """Get ready for work.

        Args:
            context: of the task that the store belongs to.
            changelog_topic: where changes are logged, None for nowhere.
            changelog_partition: the partition there.
        """
        self.context = context
        if self.below is not None:
            self.below.open(context, changelog_topic, changelog_partition)
        self.is_open = True

    def flush(self):
        """Write through what is held back."""
        if self.below is not None:
            self.below.flush()

    def close(self):
        """Let go; what was not committed of a store on disk is dropped."""
        self.is_open = False
        if self.below is not None:
            self.below.close()

    def commit(self, offset):
        """Make what was written and the changelog's offset durable in one step.

        Args:
            offset: of the next record to restore from, None for none.
        """
        if self.below is not None:
            self.below.commit(offset)

    @property
    def committed_offset(self):
        """The offset that was committed last; None where nothing is kept."""
        return None if self.below is None else self.below.committed_offset

    @property
    def folder(self):
        """Where a store on disk is, None for others."""
        return None if self.below is None else self.below.folder

    def approximate_num_entries(self):
        """How many entries there are, about."""
        return self.below.approximate_num_entries()

    @property
    def memory_bytes(self):
        """About how much memory it takes, caches left out."""
        return self.below.memory_bytes

    def positions(self):
        """By topic and partition, the offset of the newest record that the store has seen."""
        cdef Position merged
        if self.below is None:
            return self.position.as_dict()
        merged = Position()
        merged.merge(self.position.as_dict())
        merged.merge(self.below.positions())
        return merged.as_dict()

    cdef int restore(self, list records, bint with_timestamps) except -1:
        return self.below.restore(records, with_timestamps)

    cdef int check_open(self) except -1:
        if not self.is_open:
            raise InvalidStateStoreError(f"store {self.name!r} is closed")
        return 0

    cdef int drop_expired(self) except -1:
        """Count a record that is older than the store's retention."""
        self.context.drop(self.name, "expired")
        return 0

    cdef int write_through(self, object entry) except -1:
        raise NotImplementedError


cdef class BytesKeyValueStore(BytesStore):
    """A sorted map of bytes."""

    cdef object get(self, bytes key):
        raise NotImplementedError

    cdef int put(self, bytes key, object value) except -1:
        raise NotImplementedError

    cdef Cursor scan(self, bytes from_key, bytes to_key, bint to_inclusive, bint is_reverse):
        raise NotImplementedError


cdef class BytesWindowStore(BytesStore):
    """A map of bytes and window starts."""

    cdef object get(self, bytes key, int64_t start_ms):
        raise NotImplementedError

    cdef int put(self, bytes key, object value, int64_t start_ms) except -1:
        raise NotImplementedError

    cdef Cursor fetch(self, bytes key, int64_t time_from, int64_t time_to, bint is_reverse):
        raise NotImplementedError

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t time_from, int64_t time_to,
                     bint is_reverse):
        raise NotImplementedError


cdef class BytesSessionStore(BytesStore):
    """A map of bytes and sessions."""

    cdef object get(self, bytes key, int64_t start_ms, int64_t end_ms):
        raise NotImplementedError

    cdef int put(self, bytes key, object value, int64_t start_ms, int64_t end_ms) except -1:
        raise NotImplementedError

    cdef Cursor find(self, bytes key, int64_t earliest_end, int64_t latest_start,
                     bint is_reverse):
        raise NotImplementedError

    cdef Cursor scan(self, bytes from_key, bytes to_key, int64_t earliest_end,
                     int64_t latest_start, bint is_reverse):
        raise NotImplementedError

    cdef Cursor find_by_end(self, int64_t earliest_end, int64_t latest_end):
        raise NotImplementedError


cdef class BytesVersionedStore(BytesStore):
    """A map of bytes and times."""

    cdef int64_t put(self, bytes key, object value, int64_t timestamp) except? -2:
        raise NotImplementedError

    cdef tuple get(self, bytes key):
        raise NotImplementedError

    cdef tuple get_as_of(self, bytes key, int64_t timestamp):
        raise NotImplementedError

    cdef tuple delete(self, bytes key, int64_t timestamp):
        raise NotImplementedError

    cdef list get_range(self, bytes key, int64_t time_from, int64_t time_to):
        raise NotImplementedError
