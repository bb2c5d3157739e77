from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from logcore._c cimport pl_bell, pl_commit, pl_state


cdef class SharedState:
    cdef pl_state *state
    cdef uint64_t self_word          # stands for this handle in a lock word; 0 when read-only
    cdef int fd
    cdef int32_t fork_place
    cdef uint32_t fork_count
    cdef object mapping              # stdlib mmap that owns the page
    cdef bint is_maintaining         # this handle has the lock of housekeeping
    cdef bint is_cleaning            # this handle has the lock of compaction
    cdef readonly str path

    cdef int lock(self, int64_t timeout_ms) except -1
    cdef void unlock(self) noexcept
    cdef bint is_forked(self) noexcept nogil

    cdef int _open_fd(self, int flags) except -1
    cdef void _forget_fd(self) noexcept
    cdef int _check_mapped(self) except -1
    cdef bint _try_lock(self, int lock_type) except -1
    cdef int _wait_for_shared_lock(self) except -1
    cdef int _map(self, bint writable) except -1
    cdef int _check_version(self) except -1


cdef class WakeWord:
    cdef pl_bell *bell
    cdef object mapping
    cdef readonly str path


cdef uint32_t fork_count() noexcept nogil
