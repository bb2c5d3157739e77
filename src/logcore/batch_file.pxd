from libc.stdint cimport int64_t, uint8_t

from logcore._c cimport pl_batch

cdef enum:
    BATCH_READY = 0
    FILE_ENDED = 1
    NEEDS_CALLER = 2     # the loop above has something to do that needs Python
    TIME_TO_REPORT = 3
    MAP_IS_FULL = 4
    BAD_BATCH = -1
    MALFORMED_RECORDS = -2
    NO_MEMORY = -3
    READ_FAILED = -4
    WRITE_FAILED = -5


cdef class BatchFile:
    cdef readonly object path
    cdef int fd
    cdef uint8_t *buffer
    cdef int64_t capacity
    cdef int64_t filled
    cdef int64_t cursor              # of the batch that `next` found
    cdef readonly int64_t position   # of that batch in the file
    cdef readonly int64_t end_position
    cdef int64_t batch_size          # of that batch, 0 before the first
    cdef pl_batch batch
    cdef int64_t unreported_bytes
    cdef int error

    cdef const uint8_t *start(self) noexcept nogil
    cdef int next(self) noexcept nogil
    cdef int _read_more(self, int64_t needed) noexcept nogil
    cdef object failure(self, int status)
    cdef object report(self, object on_progress)
