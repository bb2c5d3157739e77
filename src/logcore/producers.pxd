from libc.stdint cimport int32_t, int64_t, uint8_t

from logcore._c cimport pl_batch, pl_commit, pl_producers
from logcore.log cimport Log
from logcore.segment cimport SegmentMap


cdef class Producers:
    cdef pl_producers table
    cdef bint is_loaded
    cdef int64_t known_count         # commit.producer_batch_count that the table stands for
    cdef int64_t end_offset          # it holds the batches below
    cdef int64_t snapshot_base       # active segment when the last snapshot was written, -1 none
    cdef int64_t expiry_due_ms

    cdef int64_t append(self, Log log, uint8_t *data, size_t size, pl_batch *batch,
                        int64_t expected_offset, int64_t lock_timeout_ms) except? -1
    cdef int64_t _append_locked(self, Log log, pl_commit *commit, uint8_t *data, size_t size,
                                pl_batch *batch, int64_t expected_offset, int64_t now_ms,
                                int64_t *log_end_offset) noexcept nogil
    cdef _raise(self, Log log, pl_batch *batch, int64_t result)
    cdef int _catch_up(self, Log log, pl_commit *commit) except -1
    cdef int _load(self, object folder, int64_t log_end_offset) except -1
    cdef int64_t _take_in(self, SegmentMap segment, int64_t position, int64_t size,
                          pl_batch *batch, int64_t seen_ms, bint *is_abort) except -2
    cdef int _walk(self, Log log, pl_commit *commit, int64_t seen_ms) except -1
    cdef void forget(self) noexcept
