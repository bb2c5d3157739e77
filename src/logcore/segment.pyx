"""SegmentMap: a segment's .log, mapped for reading.

The mapping is as long as the segment may become, so one mapping serves while the file grows; only
bytes below the published end are ever loaded, and each load stands under the SIGBUS guard of
c/guard.h, since another process may shorten the file. stdlib mmap cannot map beyond the end of a
file, which is why this one mapping is made by hand (docs/adr/0004).
"""

import os

from cpython.buffer cimport PyBuffer_FillInfo
from posix.unistd cimport close
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, mmap, munmap

from logcore._c cimport pl_file_size, pl_guarded_call, pl_guarded_copy

from logcore.errors import CorruptRecordError, error_from_errno

cdef int64_t PAGE_BYTES = 4096


cdef int run_guarded(void (*body)(void *) noexcept nogil, void *argument) noexcept nogil:
    """For other mappings (the indexes): 0, or -1 when their pages are gone."""
    return pl_guarded_call(body, argument)


cdef class SegmentMap:
    """One segment's bytes, read-only. Keeps the file readable after it was deleted.

    Args:
        path: of the .log file.
        base_offset: of the segment.
        capacity: how long the file may become while this mapping lives, in bytes.
    """

    def __cinit__(self):
        self.fd = -1

    def __init__(self, path, base_offset, capacity):
        self.path = path
        self.base_offset = base_offset
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.inode = os.fstat(self.fd).st_ino
        size = max(capacity, pl_file_size(self.fd), PAGE_BYTES)
        size = (size + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
        cdef void *address = mmap(NULL, size, PROT_READ, MAP_SHARED, self.fd, 0)
        if address == MAP_FAILED:
            raise error_from_errno(12, f"map {size} bytes of", path)
        self.start = <const uint8_t *>address
        self.mapped_size = size

    def __dealloc__(self):
        if self.start != NULL:
            munmap(<void *>self.start, self.mapped_size)
        if self.fd >= 0:
            close(self.fd)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        """The bytes that were in the log when the buffer was asked for (see `show`)."""
        PyBuffer_FillInfo(buffer, self, <void *>self.start, self.visible_size, 1, flags)

    def show(self, int64_t size):
        """Let the buffer protocol reach byte `size`: only bytes that are published."""
        self.visible_size = max(self.visible_size, min(size, self.mapped_size))

    cdef int64_t file_size(self) except -1:
        cdef int64_t size = pl_file_size(self.fd)
        if size < 0:
            raise error_from_errno(-size, "stat", self.path)
        return size

    cdef int copy(self, void *target, int64_t position, int64_t size) except -1:
        """Copy published bytes out of the mapping."""
        cdef int status = -1
        if position >= 0 and size >= 0 and position + size <= self.mapped_size:
            with nogil:
                status = pl_guarded_copy(target, self.start + position, size)
        if status != 0:
            raise self.lost_pages(position)
        return 0

    cdef int call(self, void (*body)(void *) noexcept nogil, void *argument) except -1:
        """Run plain C that loads from the mapping, under the guard."""
        cdef int status
        with nogil:
            status = pl_guarded_call(body, argument)
        if status != 0:
            raise self.lost_pages(-1)
        return 0

    def lost_pages(self, position):
        """The error for bytes that were in the log and cannot be loaded any more."""
        return CorruptRecordError(
            "bytes that were in the log cannot be read any more: the file was "
            f"shortened to {pl_file_size(self.fd)} bytes or the disk failed",
            path=self.path, position=position if position >= 0 else None,
        )
