from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from logcore._c cimport pl_record
from logcore.log cimport Log
from logcore.reader cimport LogReader
from pylog.message cimport Message


cdef class PartitionFetch:
    cdef readonly str topic
    cdef readonly int32_t partition
    cdef readonly Log log
    cdef LogReader reader
    cdef readonly int64_t start_offset   # where to begin: an offset, or a sentinel of Kafka's
    cdef public bint is_paused
    cdef public int64_t stored_offset    # next offset to commit, OFFSET_INVALID for none
    cdef int64_t retry_at_ns             # after an error: not before
    cdef bint has_begun                  # a message was handed out since assign or seek
    cdef int64_t end_reported_at         # log end for which the EOF event was given

    cdef Message next_message(self)


cdef class Fetcher:
    cdef readonly list _fetches          # PartitionFetch, in the order of assignment
    cdef Py_ssize_t turn
    cdef PartitionFetch current          # the one that turn names, if it may be read
    cdef bint reports_end
    cdef bint is_busy_polling
    cdef bint stores_offsets
    cdef bint raises_errors              # instead of handing out events
    cdef bint is_closed
    cdef public bint _needs_attention    # set by any thread: call _attend before the next message
    cdef public bint _waits_on_bell      # of the folder, never on a partition's futex
    cdef uint64_t poll_count
    cdef object wake_word                # logcore.shared.WakeWord of the folder
    cdef readonly object _events         # deque of Message: errors to hand out

    cdef Message take(self)
    cdef Message take_from(self, PartitionFetch fetch)
    cdef int wait(self, int64_t timeout_ns, uint32_t seen) except -1
    cdef uint32_t glance(self) noexcept
    cdef int _spin(self, uint32_t seen, int64_t deadline_ns) except -1
