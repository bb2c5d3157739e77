from libc.stdint cimport int64_t

from logcore._c cimport pl_state
from logcore.shared cimport SharedState


cdef class Flusher:
    cdef int directory_fd            # the Log's
    cdef int64_t base_offset         # of the segment that fd is open on, -1 none
    cdef int fd

    cdef void forget(self) noexcept nogil
    cdef void close_file(self) noexcept nogil
    cdef int flush_to(self, SharedState shared, int64_t offset, str folder) except -2
    cdef int _sync_as_leader(self, pl_state *state, str folder) except -1
    cdef int _sync_sealed(self, str folder, int64_t first_base_offset,
                          int64_t active_base_offset) except -1
