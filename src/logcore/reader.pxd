from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from logcore._c cimport pl_batch, pl_commit, pl_record
from logcore.log cimport Log
from logcore.segment cimport SegmentMap


cdef class LogReader:
    cdef readonly Log log
    cdef readonly int64_t next_offset    # of the next record to hand out
    cdef readonly bint allows_gaps       # compacted logs have holes
    cdef bint has_own_gap_rule           # not what the log says
    cdef readonly bint read_committed    # stop at what is stable, leave out what was aborted
    cdef object aborted                  # AbortedTransactions, made at the first batch of one
    cdef int64_t standing_generation     # segment_list_generation when `segment` was entered
    cdef int64_t fetch_bytes
    cdef uint64_t seq                    # of `commit`, 0 for none yet
    cdef pl_commit commit
    cdef SegmentMap segment
    cdef int64_t segment_end             # bytes of the segment that may be read
    cdef int64_t position                # in the segment: the next batch to copy
    cdef int64_t expected_offset         # where the batch at `position` must begin

    cdef uint8_t *buffer                 # private copies of whole batches
    cdef int64_t capacity
    cdef int64_t filled
    cdef int64_t cursor                  # in the buffer: the next batch to open

    cdef pl_batch batch                  # the open batch
    cdef const uint8_t *record_cursor
    cdef const uint8_t *records_end
    cdef int32_t records_left
    cdef object unpacked                 # bytes that record_cursor points into, when compressed

    cdef bint refresh(self) except -1
    cdef int64_t peek_batch(self, pl_batch *batch) except -1
    cdef int check_place(self, const pl_batch *batch, int64_t position) except -1
    cdef bint fill(self) except -1
    cdef bint open_batch(self) except -1
    cdef bint has_moved(self) except -1
    cdef bint is_stable(self, int64_t offset) except -1
    cdef bint is_aborted(self, const pl_batch *batch) except -1
    cdef int next_record(self, pl_record *record, int64_t *offset) except -1
    cdef int skip_to(self, int64_t offset) except -1

    cdef bint _enter(self, int64_t base_offset) except -1
    cdef bint _advance(self) except -1
    cdef int _stand_at(self, int64_t offset) except -1
    cdef int _find_end(self) except -1
    cdef bint _is_sound_start(self, int64_t offset) except -1
    cdef object _raise_gap(self, int64_t expected, int64_t base_offset)
    cdef int _check_deleted(self) except -1
