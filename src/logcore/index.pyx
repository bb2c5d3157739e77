"""Look-ups in the mapped sparse indexes of a segment.

An index is a hint: it says where to start scanning the .log. It carries no checksum, so whoever
uses an answer checks that a batch starts there, and scans from the segment's start if not. Loads
stand under the SIGBUS guard: an index that lost its pages is one without entries. The entry layouts
stand in c/index.h.
"""

import mmap
import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t

from logcore._c cimport (
    PL_OFFSET_ENTRY_SIZE, PL_TIME_ENTRY_SIZE, pl_load_i64, pl_load_u32, pl_offset_lower_bound,
    pl_time_lower_bound,
)
from logcore.segment cimport run_guarded


cdef struct Lookup:
    const uint8_t *entries
    int64_t count
    int64_t target
    int64_t found               # -1 none


cdef void _find_position(void *argument) noexcept nogil:
    cdef Lookup *lookup = <Lookup *>argument
    cdef int64_t slot = pl_offset_lower_bound(lookup.entries, lookup.count, lookup.target)
    if slot >= 0:
        lookup.found = pl_load_u32(lookup.entries + slot * PL_OFFSET_ENTRY_SIZE + 4)


cdef void _find_time_offset(void *argument) noexcept nogil:
    cdef Lookup *lookup = <Lookup *>argument
    cdef int64_t slot = pl_time_lower_bound(lookup.entries, lookup.count, lookup.target)
    if slot >= 0:
        lookup.found = pl_load_u32(lookup.entries + slot * PL_TIME_ENTRY_SIZE + 8)


cdef void _find_last_time(void *argument) noexcept nogil:
    cdef Lookup *lookup = <Lookup *>argument
    lookup.found = pl_load_i64(lookup.entries + (lookup.count - 1) * PL_TIME_ENTRY_SIZE)


cdef int64_t _search(object mapping, int64_t count, int64_t target,
                     void (*body)(void *) noexcept nogil) except? -2:
    """What `body` finds in the mapped entries, -1 for nothing."""
    cdef Py_buffer view
    cdef Lookup lookup
    if mapping is None:
        return -1
    PyObject_GetBuffer(mapping, &view, PyBUF_SIMPLE)
    lookup.entries = <const uint8_t *>view.buf
    lookup.count = count
    lookup.target = target
    lookup.found = -1
    if run_guarded(body, &lookup) != 0:
        lookup.found = -1
    PyBuffer_Release(&view)
    return lookup.found


def _map_entries(path, size, entry_size):
    """(mapping, entry count) of an index file; the mapping is None where there is no entry.

    A file is mapped to the last whole entry that both the file and `size` hold. One that cannot be
    opened or mapped is an index without entries: look-ups scan.
    """
    try:
        return _map_file(path, size, entry_size)
    except OSError:
        return None, 0


def _map_file(path, size, entry_size):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        file_size = os.fstat(fd).st_size
        count = (file_size if size is None else min(size, file_size)) // entry_size
        if count == 0:
            return None, 0
        return mmap.mmap(fd, count * entry_size, access=mmap.ACCESS_READ), count
    finally:
        os.close(fd)


cdef class OffsetIndex:
    """The .index of a segment: where to start scanning for an offset.

    Args:
        path: of the .index file; a missing file is an index without entries.
        base_offset: of the segment.
        size: bytes of the file that are published, None for all.
    """

    cdef object mapping
    cdef readonly int64_t base_offset
    cdef readonly int64_t entry_count

    def __init__(self, path, base_offset, size=None):
        self.base_offset = base_offset
        self.mapping, self.entry_count = _map_entries(path, size, PL_OFFSET_ENTRY_SIZE)

    def lookup(self, target_offset):
        """Return the byte position to start scanning from to find `target_offset`.

        Returns:
            Position in the .log in bytes of the last indexed batch whose last offset is at or below
            `target_offset`, 0 when none is. O(log n) over the mapped entries; takes no lock.

        Source:
            Kafka OffsetIndex.lookup.
        """
        return max(0, _search(self.mapping, self.entry_count, target_offset - self.base_offset,
                              _find_position))

    def entries(self):
        """All (offset, position) pairs, in order."""
        data = b"" if self.mapping is None else self.mapping[:]
        return [
            (self.base_offset + int.from_bytes(data[at:at + 4], "big"),
             int.from_bytes(data[at + 4:at + 8], "big"))
            for at in range(0, len(data), PL_OFFSET_ENTRY_SIZE)
        ]


cdef class TimeIndex:
    """The .timeindex of a segment: from which offset on to look for a timestamp."""

    cdef object mapping
    cdef readonly int64_t base_offset
    cdef readonly int64_t entry_count

    def __init__(self, path, base_offset, size=None):
        self.base_offset = base_offset
        self.mapping, self.entry_count = _map_entries(path, size, PL_TIME_ENTRY_SIZE)

    def lookup(self, target_timestamp_ms):
        """Return an offset such that no record before it is at or after `target_timestamp_ms`.

        Source:
            Kafka TimeIndex.lookup.
        """
        # An entry holds the largest timestamp up to its offset: one below the target says that
        # everything up to that offset is older.
        return self.base_offset + max(0, _search(self.mapping, self.entry_count,
                                                 target_timestamp_ms - 1, _find_time_offset))

    def last_timestamp_ms(self):
        """The largest timestamp that the index knows, None without entries."""
        cdef int64_t last_ms = _search(self.mapping, self.entry_count, 0, _find_last_time)
        return None if self.mapping is None or last_ms == -1 else last_ms

    def entries(self):
        """All (timestamp_ms, offset) pairs, in order."""
        data = b"" if self.mapping is None else self.mapping[:]
        return [
            (int.from_bytes(data[at:at + 8], "big", signed=True),
             self.base_offset + int.from_bytes(data[at + 8:at + 12], "big"))
            for at in range(0, len(data), PL_TIME_ENTRY_SIZE)
        ]
