"""OffsetMap: the last offset of each key in the part of a log that a cleaning looks at.

Open addressing over XXH64 (c/key_map.h). Kafka keeps 16 bytes of MD5 for a key and takes equal
hashes for equal keys; here the key itself is kept and compared, so no key is ever dropped for
another. Memory grows with the keys, up to `max_bytes` in all, the old table of a growing one among
them: for keys of 8 bytes 26 to 42 bytes each. When the next key does not fit the map is full, and
the cleaning covers only what is in it: Kafka's log.cleaner.dedupe.buffer.size.

Source: Kafka SkimpyOffsetMap (what it is for).
"""

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap,
)

from logcore._c cimport (
    pl_key_entry_size, pl_key_find, pl_key_get, pl_key_hash, pl_key_insert, pl_key_rehash, pl_xxh64,
)

DEFAULT_MAX_BYTES = 128 << 20

cdef uint64_t FIRST_SLOTS = 1 << 12
cdef uint64_t SLOT_BYTES = 8
cdef enum:
    ADDED = 0
    FULL = 1
    NO_MEMORY = -1


def xxh64(data, uint64_t seed=0):
    """XXH64 of a bytes-like object, as an int."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return pl_xxh64(view.buf, view.len, seed)
    finally:
        PyBuffer_Release(&view)


cdef void *_take(uint64_t size) noexcept nogil:
    """Zeroed memory of its own pages: given back, it is gone from the process at once."""
    cdef void *block = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    return NULL if block == MAP_FAILED else block


cdef void _give_back(void *block, uint64_t size) noexcept nogil:
    if block != NULL:
        munmap(block, size)


cdef class OffsetMap:
    """Keys and their last offsets, within a bound of memory.

    Args:
        max_bytes: of both blocks together. One key always fits.
        seed: of the hash; random by default, so that nobody can choose keys that collide.
    """

    def __cinit__(self):
        memset(&self.map, 0, sizeof(self.map))

    def __init__(self, int64_t max_bytes=DEFAULT_MAX_BYTES, seed=None):
        self.max_bytes = max_bytes
        self.latest_offset = -1
        self.map.seed = int.from_bytes(os.urandom(8), "big") if seed is None else seed
        # Address space for all the entries that there may be: only what is used takes memory, and
        # nothing is ever copied to grow.
        self.map.slots = <uint64_t *>_take(FIRST_SLOTS * SLOT_BYTES)
        self.map.entries = <uint8_t *>_take(max_bytes)
        if self.map.slots == NULL or self.map.entries == NULL:
            raise MemoryError("no memory for an offset map")
        self.map.slot_mask = FIRST_SLOTS - 1
        self.map.entries_capacity = max_bytes

    def __dealloc__(self):
        _give_back(self.map.slots, (self.map.slot_mask + 1) * SLOT_BYTES)
        _give_back(self.map.entries, self.map.entries_capacity)

    cdef int make_room(self, uint32_t key_size) noexcept nogil:
        """Room for one more key: ADDED, FULL or NO_MEMORY."""
        cdef uint64_t slot_count = self.map.slot_mask + 1
        cdef uint64_t needed = self.map.entries_size + pl_key_entry_size(key_size)
        cdef uint64_t *slots
        cdef uint64_t *old_slots
        cdef uint8_t *entries
        if self.map.count and needed + slot_count * SLOT_BYTES > <uint64_t>self.max_bytes:
            return FULL
        if self.map.count >= slot_count - slot_count // 4:
            # The old table and the new one are there at once.
            if needed + 3 * slot_count * SLOT_BYTES <= <uint64_t>self.max_bytes:
                old_slots = self.map.slots
                slots = <uint64_t *>_take(2 * slot_count * SLOT_BYTES)
                if slots == NULL:
                    return NO_MEMORY
                pl_key_rehash(&self.map, slots, 2 * slot_count)
                _give_back(old_slots, slot_count * SLOT_BYTES)
            elif self.map.count >= slot_count - slot_count // 10:
                return FULL
        if needed > self.map.entries_capacity:   # the one key that always fits
            entries = <uint8_t *>_take(needed)
            if entries == NULL:
                return NO_MEMORY
            _give_back(self.map.entries, self.map.entries_capacity)
            self.map.entries = entries
            self.map.entries_capacity = needed
        return ADDED

    cdef int put(self, const uint8_t *key, uint32_t size, uint64_t hash,
                 int64_t offset) noexcept nogil:
        """Note that `key` is at `offset`, which only rises: ADDED, FULL or NO_MEMORY."""
        cdef uint64_t place
        cdef uint8_t *entry = pl_key_find(&self.map, key, size, hash, &place)
        cdef int status
        if entry == NULL:
            status = self.make_room(size)
            if status != ADDED:
                return status
            pl_key_find(&self.map, key, size, hash, &place)   # the table may be another one
            pl_key_insert(&self.map, key, size, hash, place, offset)
        else:
            memcpy(entry, &offset, 8)   # it may stand at any address
        if offset > self.latest_offset:
            self.latest_offset = offset
        return ADDED

    def add(self, bytes key not None, int64_t offset):
        """Note that `key` is at `offset`: True, or False when the map is full."""
        status = self.put(key, len(key), pl_key_hash(&self.map, key, len(key)), offset)
        if status == NO_MEMORY:
            raise MemoryError("no memory for an offset map")
        return status == ADDED

    def get(self, bytes key not None):
        """The last offset of `key`, -1 when it is not in the map."""
        return pl_key_get(&self.map, key, len(key), pl_key_hash(&self.map, key, len(key)))

    def cover(self, int64_t offset):
        """Everything up to and with `offset` is in the map."""
        self.latest_offset = max(self.latest_offset, offset)

    def __len__(self):
        return self.map.count

    @property
    def size_bytes(self):
        """Of the table and of the entries that are there."""
        return (self.map.slot_mask + 1) * SLOT_BYTES + self.map.entries_size
