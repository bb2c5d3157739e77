"""ThreadCache, what the caches of a thread's stores share, and NamedCache, one store's part.

A cache holds back updates until the next commit, or until there is no room: then the entry that was
used longest ago goes, and if it was dirty, all that is dirty in its store is written through, in
the order of the last puts. Sizes are counted as Kafka Streams counts them.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.dict cimport PyDict_DelItem, PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from pylog.streams.node cimport TaskContext
from pylog.streams.state.bytes_store cimport BytesStore
from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.sorted_keys cimport SortedKeys
from pylog.streams.state.table cimport MapCursor

cdef enum:
    # Three pointers of a list, a flag, a timestamp, an offset and a partition number.
    ENTRY_BYTES = 45


@cython.final
@cython.freelist(256)
cdef class CacheEntry:
    """A key, its value, and the record that it came with."""

    cdef int measure(self) except -1:
        self.size = ENTRY_BYTES + PyBytes_GET_SIZE(self.key)
        if self.value is not None:
            self.size += PyBytes_GET_SIZE(self.value)
        if self.topic is not None:
            self.size += len(self.topic)
        if self.headers:
            for name, value in self.headers:
                self.size += len(name) + (0 if value is None else len(value))
        return 0


@cython.final
cdef class ThreadCache:
    """The room that the caches of a thread's stores share.

    Args:
        max_bytes: `statestore.cache.max.bytes` divided by the number of threads. With 0 each
            update is written through at once.
    """

    def __init__(self, int64_t max_bytes):
        self.max_bytes = max_bytes
        self.caches = {}

    def resize(self, int64_t max_bytes):
        """Change the room; if it gets smaller, entries go from each cache in turn."""
        cdef NamedCache cache
        self.max_bytes = max_bytes
        while self.size_bytes > max_bytes:
            for cache in list(self.caches.values()):
                if self.size_bytes > max_bytes:
                    cache.evict()

    def __len__(self):
        return sum(len((<NamedCache>cache).entries) for cache in self.caches.values())

    cpdef NamedCache named_cache(self, str name, BytesStore store):
        """The part of a store; `name` has its task and itself."""
        cdef NamedCache cache = NamedCache()
        cache.owner = self
        cache.name = name
        cache.store = store
        self.caches[name] = cache
        return cache


@cython.final
cdef class NamedCache:
    """The entries of one store, and the order in which they were used."""

    def __cinit__(self):
        self.entries = {}
        self.dirty = {}

    def flush(self):
        """Write all that is dirty through."""
        self.flush_entries(None)

    def close(self):
        """Forget everything."""
        self.clear()
        self.owner.caches.pop(self.name, None)

    def clear(self):
        """Forget all entries, dirty ones too."""
        cdef CacheEntry entry = self.newest, older
        while entry is not None:  # else the entries would be garbage for the collector
            older = entry.older
            entry.older = entry.newer = None
            entry = older
        self.newest = self.oldest = None
        self.entries = {}
        self.dirty = {}
        self.sorted_keys = None
        self.owner.size_bytes -= self.size_bytes
        self.size_bytes = 0

    cdef CacheEntry get(self, bytes key):
        """The entry of a key, None for none. The caller may `touch` it."""
        cdef PyObject *found = PyDict_GetItem(self.entries, key)
        if found is NULL:
            self.miss_count += 1
            return None
        self.hit_count += 1
        return <CacheEntry>found

    cdef int put(self, bytes key, object value, TaskContext context) except -1:
        """Take in an update that came with the context's record."""
        cdef PyObject *found = PyDict_GetItem(self.entries, key)
        cdef CacheEntry entry
        cdef int64_t before = 0
        if found is NULL:
            entry = CacheEntry.__new__(CacheEntry)
            entry.key = key
        else:
            entry = <CacheEntry>found
            before = entry.size
        entry.value = value
        entry.topic = context.topic
        entry.partition = context.partition
        entry.offset = context.offset
        entry.timestamp = context.record_timestamp
        entry.headers = context.headers
        entry.measure()
        if found is NULL:
            self.insert(entry)
        else:
            self.touch(entry)
            self.size_bytes += entry.size - before
            self.owner.size_bytes += entry.size - before
            if entry.is_dirty:
                PyDict_DelItem(self.dirty, key)
        entry.is_dirty = True
        PyDict_SetItem(self.dirty, entry.key, None)
        return self.make_room()

    cdef int put_clean(self, bytes key, object value) except -1:
        """Take in what was just read from below, and was not in the cache."""
        cdef CacheEntry entry = CacheEntry.__new__(CacheEntry)
        entry.key = key
        entry.value = value
        entry.partition = -1
        entry.offset = entry.timestamp = -1
        entry.measure()
        self.insert(entry)
        return self.make_room()

    cdef int insert(self, CacheEntry entry) except -1:
        PyDict_SetItem(self.entries, entry.key, entry)
        if self.sorted_keys is not None:
            self.sorted_keys.add(entry.key)
        entry.older = self.newest
        if self.newest is not None:
            self.newest.newer = entry
        else:
            self.oldest = entry
        self.newest = entry
        self.size_bytes += entry.size
        self.owner.size_bytes += entry.size
        return 0

    cdef int remove(self, CacheEntry entry) except -1:
        PyDict_DelItem(self.entries, entry.key)
        if self.sorted_keys is not None:
            self.sorted_keys.discard(entry.key)
        self.unlink(entry)
        entry.older = entry.newer = None
        self.size_bytes -= entry.size
        self.owner.size_bytes -= entry.size
        return 0

    cdef int touch(self, CacheEntry entry) except -1:
        """The entry is used."""
        if entry is self.newest:
            return 0
        self.unlink(entry)
        entry.newer = None
        entry.older = self.newest
        self.newest.newer = entry
        self.newest = entry
        return 0

    cdef int unlink(self, CacheEntry entry) except -1:
        if entry.newer is not None:
            entry.newer.older = entry.older
        else:
            self.newest = entry.older
        if entry.older is not None:
            entry.older.newer = entry.newer
        else:
            self.oldest = entry.newer
        return 0

    cdef int make_room(self) except -1:
        # Writing through may put entries into other caches: this one can be empty already.
        while self.owner.size_bytes > self.owner.max_bytes and self.oldest is not None:
            self.evict()
        return 0

    cdef int evict(self) except -1:
        cdef CacheEntry entry = self.oldest
        if entry is None:
            return 0
        self.remove(entry)
        self.owner.eviction_count += 1
        if entry.is_dirty:
            self.flush_entries(entry)
        return 0

    cdef int flush_entries(self, CacheEntry evicted) except -1:
        cdef CacheEntry entry
        cdef list through = [], deleted = []
        if not self.dirty:
            return 0
        if evicted is not None:
            through.append(evicted)
            PyDict_DelItem(self.dirty, evicted.key)
        for key in self.dirty:
            entry = self.entries[key]
            entry.is_dirty = False
            through.append(entry)
            if entry.value is None:
                deleted.append(entry)
        # What follows downstream may put into this cache again.
        self.dirty = {}
        for entry in through:
            self.store.write_through(entry)
        for entry in deleted:
            if not entry.is_dirty and self.entries.get(entry.key) is entry:
                self.remove(entry)
        return 0

    cdef list range(self, bytes from_key, bytes to_key, bint to_inclusive):
        """The entries of a range of keys, in order."""
        cdef Cursor cursor
        cdef list found = []
        if self.sorted_keys is None:
            self.sorted_keys = SortedKeys(self.entries)
        cursor = MapCursor(self.entries, self.sorted_keys, from_key, to_key, to_inclusive, False)
        while cursor.advance():
            found.append(cursor.value)
        return found
