from libc.stdint cimport int64_t


cdef class Retention:
    cdef readonly int64_t retention_ms
    cdef readonly int64_t segment_interval_ms
    cdef readonly bint is_time_ordered
    cdef readonly bint shows_one_ms_more

    cdef inline int64_t segment_of(self, int64_t time) noexcept:
        """When the segment begins that a time is in, ms."""
        return time - time % self.segment_interval_ms if time > 0 else 0

    cdef inline int64_t first_kept(self, int64_t stream_time) noexcept:
        """Earlier times are written no more; what is there of them can go."""
        return self.segment_of(stream_time - self.retention_ms)

    cdef inline int64_t first_visible(self, int64_t stream_time) noexcept:
        """Earlier times are not seen, though they may be there."""
        return stream_time - self.retention_ms + (0 if self.shows_one_ms_more else 1)
