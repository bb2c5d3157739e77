from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from logcore._c cimport pl_batch, pl_commit, pl_state
from logcore.segment cimport SegmentMap
from logcore.shared cimport SharedState, WakeWord


cdef class Log:
    cdef readonly str path
    cdef readonly object config
    cdef readonly bint is_read_only
    cdef readonly bint is_closed
    cdef readonly object recovered          # what the last open had to do, None for nothing
    cdef object recovery_mode
    cdef SharedState shared
    cdef WakeWord notify
    cdef bint is_live                       # False: read-only look at files that nobody writes
    cdef pl_commit fixed_commit             # the log's end when not live
    cdef uint32_t fork_count
    cdef int directory_fd
    cdef dict maps                          # base_offset -> SegmentMap, newest use last
    cdef list segment_bases
    cdef int64_t segments_generation

    # the active segment's files: touched only with the writer lock held
    cdef int64_t active_base_offset
    cdef int log_fd
    cdef int offset_index_fd
    cdef int time_index_fd

    # the file to sync: touched only with the flush lock held
    cdef int64_t flush_base_offset
    cdef int flush_fd

    # LogConfig in C
    cdef int64_t segment_bytes
    cdef int64_t segment_ms
    cdef int64_t max_index_size
    cdef int64_t index_interval_bytes
    cdef int64_t max_message_bytes
    cdef int64_t lock_timeout_ms
    cdef bint uses_log_append_time

    cdef int check_open(self) except -1
    cdef int64_t append_raw(self, uint8_t *batch, size_t size, int64_t expected_offset) except -1
    cdef int64_t flush_to(self, int64_t offset) except -1
    cdef uint64_t load_commit(self, pl_commit *commit) except? 0
    cdef uint64_t load_seq(self) noexcept nogil
    cdef SegmentMap map_segment(self, int64_t base_offset)
    cdef int wait_for_publish(self, uint64_t seen_seq, int64_t spin_ns, int64_t timeout_ns) except -1

    cdef void _forget_files(self) noexcept
    cdef int64_t _append_locked(self, pl_state *state, int lock_status, uint8_t *data, size_t size, int64_t expected_offset, int64_t now_ms, int64_t *log_end_offset) noexcept nogil
    cdef int64_t _use_active(self, pl_commit *commit, bint is_stolen) noexcept nogil
    cdef int64_t _open_active(self, int64_t base_offset, int extra_flags) noexcept nogil
    cdef void _close_active(self) noexcept nogil
    cdef void _index_batch(self, pl_commit *commit, pl_batch *batch) noexcept nogil
    cdef void _index_time(self, pl_commit *commit) noexcept nogil
    cdef bint _must_roll(self, pl_commit *commit, pl_batch *batch, size_t size, int64_t now_ms) noexcept nogil
    cdef int64_t _roll_locked(self, pl_state *state, pl_commit *commit, int64_t now_ms) noexcept nogil
    cdef int _sync_as_leader(self, pl_state *state) except -1
    cdef int _sync_sealed(self, int64_t first_base_offset, int64_t active_base_offset) except -1
    cdef int _poll_for_publish(self, pl_state *state, uint64_t seen_seq, int64_t timeout_ns) noexcept nogil
