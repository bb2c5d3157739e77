from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from logcore._c cimport pl_commit, pl_state
from logcore.flusher cimport Flusher
from logcore.producers cimport Producers
from logcore.segment cimport SegmentMap
from logcore.shared cimport SharedState, WakeWord
from logcore.writer cimport SegmentWriter


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
    cdef int32_t users                      # calls under way that use descriptors or the slot
    cdef int directory_fd
    cdef dict maps                          # base_offset -> SegmentMap, newest use last
    cdef list segment_bases
    cdef int64_t segments_generation
    cdef readonly bint allows_gaps          # compacted logs have holes
    cdef dict places                        # offset -> slices.Place, where slices go on
    cdef int64_t places_generation          # segment_list_generation that they were found in
    cdef object aborted_ranges              # transaction_index.AbortedRanges, made at first use

    cdef SegmentWriter writer               # used only with the writer lock held
    cdef Flusher flusher                    # used only with the flush lock held
    cdef Producers known_producers          # used only with the writer lock held

    # LogConfig in C
    cdef int64_t segment_bytes
    cdef int64_t max_message_bytes
    cdef bint requires_keys                 # a compacted topic
    cdef int64_t lock_timeout_ms

    cdef int check_open(self) except -1
    cdef int check_writable(self) except -1
    cdef int check_waiting(self) except -1
    cdef int enter(self) except -1
    cdef void leave(self) noexcept
    cdef void _release(self) noexcept
    cdef int _lock_writer(self) except -1
    cdef void _unlock_writer(self) noexcept
    cdef int _write_mark(self) except -1
    cdef raise_refused(self, int64_t result, int64_t expected_offset, int64_t log_end_offset)
    cdef int check_keys(self, bint lacks_key) except -1
    cdef int64_t append_raw(self, uint8_t *batch, size_t size, int64_t expected_offset) except -1
    cdef int64_t append_within(self, uint8_t *batch, size_t size, int64_t expected_offset,
                               int64_t lock_timeout_ms) except -1
    cdef int64_t flush_to(self, int64_t offset) except -1
    cdef uint64_t load_commit(self, pl_commit *commit) except? 0
    cdef uint64_t load_seq(self) noexcept nogil
    cdef bint is_deleted(self) noexcept
    cdef SegmentMap map_segment(self, int64_t base_offset)
    cdef int _drop_replaced_maps(self) except -1
    cdef void forget_bases(self) noexcept
    cdef int wait_for_publish(self, uint64_t seen_seq, int64_t spin_ns,
                              int64_t timeout_ns) except -1
    cdef int _poll_for_publish(self, pl_state *state, uint64_t seen_seq,
                               int64_t timeout_ns) noexcept nogil
