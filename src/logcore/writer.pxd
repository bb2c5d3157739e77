from libc.stdint cimport int64_t, uint8_t

from logcore._c cimport pl_batch, pl_commit, pl_state


cdef enum:
    # beside -errno in the results of `append`
    POISONED = -100001
    WRONG_OFFSET = -100002


cdef struct ProducerStamp:
    # what an append with a producer id changes beside the batch itself
    int64_t first_unstable_offset     # after it; BEGINS_HERE for the batch's own offset, -1 none
    int64_t aborted_producer_id       # of the transaction that this marker aborts, -1 none
    int64_t aborted_first_offset


cdef enum:
    BEGINS_HERE = -2


cdef class SegmentWriter:
    cdef int directory_fd            # the Log's
    cdef int64_t active_base_offset  # of the segment that the files are open on, -1 none
    cdef int log_fd
    cdef int offset_index_fd
    cdef int time_index_fd

    # LogConfig in C
    cdef int64_t segment_bytes
    cdef int64_t segment_ms
    cdef int64_t max_index_size
    cdef int64_t index_interval_bytes
    cdef bint uses_log_append_time

    cdef void forget(self) noexcept nogil
    cdef void close_files(self) noexcept nogil
    cdef int64_t append(self, pl_state *state, uint8_t *data, size_t size,
                        int64_t expected_offset, int64_t now_ms, const ProducerStamp *stamp,
                        int64_t *log_end_offset) noexcept nogil
    cdef void _stamp_commit(self, pl_commit *commit, int64_t base_offset,
                            const ProducerStamp *stamp) noexcept nogil
    cdef int64_t _index_aborted(self, pl_commit *commit,
                                const ProducerStamp *stamp) noexcept nogil
    cdef int64_t _repair_txn_index(self, pl_commit *commit) noexcept nogil
    cdef int64_t use_active(self, pl_state *state, pl_commit *commit) noexcept nogil
    cdef int64_t _repair(self, pl_state *state, pl_commit *commit) noexcept nogil
    cdef int64_t _unlink_segment(self, int64_t base_offset) noexcept nogil
    cdef int64_t roll(self, pl_state *state, pl_commit *commit, int64_t now_ms) noexcept nogil
    cdef int64_t _open_active(self, int64_t base_offset, int extra_flags) noexcept nogil
    cdef void _index_batch(self, pl_commit *commit, pl_batch *batch) noexcept nogil
    cdef int64_t _index_time(self, pl_commit *commit) noexcept nogil
    cdef bint _must_roll(self, pl_commit *commit, pl_batch *batch, size_t size,
                         int64_t now_ms) noexcept nogil
