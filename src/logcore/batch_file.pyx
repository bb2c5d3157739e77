"""BatchFile: the batches of a sealed segment one after the other, checked, for who reads them all.

Reads with pread into private memory, some MiB at a time: what the disk cannot read comes back as an
error number, and no other process can change what was checked. Without the GIL; what goes wrong is
a status, for which `failure` makes the exception.
"""

import os

cimport cython
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove
from posix.unistd cimport close

from logcore._c cimport (
    PL_BATCH_BAD_CRC, PL_BATCH_HEADER_SIZE, PL_BATCH_INCOMPLETE, PL_BATCH_OK,
    PL_BATCH_PREFIX_SIZE,
    pl_batch_crc, pl_batch_status, pl_check_batch_header, pl_crc32c_init, pl_pread,
)
from logcore.batch cimport corrupt_batch

from logcore.errors import CorruptRecordError, error_from_errno

pl_crc32c_init()

cdef int64_t READ_BYTES = 1 << 20
cdef int64_t REPORT_BYTES = 8 << 20


@cython.final
cdef class BatchFile:
    """A `.log` from its first byte to `end_position`.

    Args:
        path: of the file.
        end_position: bytes that are in the log; None for the whole file.
    """

    def __cinit__(self):
        self.fd = -1

    def __init__(self, path, end_position=None):
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        size = os.fstat(self.fd).st_size
        self.end_position = size if end_position is None else end_position
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def __dealloc__(self):
        free(self.buffer)
        if self.fd >= 0:
            close(self.fd)

    cdef const uint8_t *start(self) noexcept nogil:
        """First byte of the batch that `next` found; good until it is called again."""
        return self.buffer + self.cursor

    cdef int next(self) noexcept nogil:
        """Go on to the next batch: BATCH_READY, FILE_ENDED, TIME_TO_REPORT or a failure."""
        cdef pl_batch_status status
        cdef int64_t left, needed
        cdef int read_status
        if self.unreported_bytes >= REPORT_BYTES:
            return TIME_TO_REPORT
        self.cursor += self.batch_size
        self.position += self.batch_size
        self.unreported_bytes += self.batch_size
        self.batch_size = 0
        if self.position >= self.end_position:
            return FILE_ENDED
        while True:
            left = self.filled - self.cursor
            needed = PL_BATCH_HEADER_SIZE
            if left >= needed:
                status = pl_check_batch_header(self.start(), left, &self.batch)
                if status != PL_BATCH_OK:
                    self.error = status
                    return BAD_BATCH
                needed = <int64_t>self.batch.batch_length + PL_BATCH_PREFIX_SIZE
                if left >= needed:
                    break
            if needed > self.end_position - self.position:
                self.error = PL_BATCH_INCOMPLETE
                return BAD_BATCH
            read_status = self._read_more(needed)
            if read_status != 0:
                return read_status
        if pl_batch_crc(self.start(), needed) != self.batch.crc:
            self.error = PL_BATCH_BAD_CRC
            return BAD_BATCH
        self.batch_size = needed
        return BATCH_READY

    cdef int _read_more(self, int64_t needed) noexcept nogil:
        cdef int64_t left = self.filled - self.cursor
        cdef int64_t wanted = max(needed, READ_BYTES)
        cdef int64_t got
        cdef uint8_t *grown
        memmove(self.buffer, self.buffer + self.cursor, left)
        self.cursor = 0
        self.filled = left
        if wanted > self.capacity:
            grown = <uint8_t *>realloc(self.buffer, wanted)
            if grown == NULL:
                return NO_MEMORY
            self.buffer = grown
            self.capacity = wanted
        wanted = min(self.capacity, self.end_position - self.position)
        got = pl_pread(self.fd, self.buffer + left, wanted - left, self.position + left)
        if got < 0:
            self.error = <int>-got
            return READ_FAILED
        if got == 0:
            self.error = PL_BATCH_INCOMPLETE
            return BAD_BATCH
        self.filled += got
        return 0

    cdef object failure(self, int status):
        """The exception for a status below 0."""
        if status == BAD_BATCH:
            return corrupt_batch(<pl_batch_status>self.error, self.path, self.position,
                                 self.batch.base_offset)
        if status == MALFORMED_RECORDS:
            return CorruptRecordError("malformed records in a batch", path=self.path,
                                      position=self.position, offset=self.batch.base_offset)
        if status == READ_FAILED:
            return error_from_errno(self.error, "read", self.path)
        return MemoryError("no memory to clean a log")

    cdef object report(self, object on_progress):
        """Tell how far it went; whoever is told may raise."""
        cdef int64_t done = self.unreported_bytes
        self.unreported_bytes = 0
        if on_progress is not None:
            on_progress(done)
