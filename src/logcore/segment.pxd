from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef class SegmentMap:
    cdef const uint8_t *start
    cdef int64_t mapped_size         # address space; at least the bytes that may be read
    cdef readonly int64_t base_offset
    cdef readonly int64_t visible_size   # what the buffer protocol shows
    cdef readonly uint64_t inode         # tells the file from one that took its name later
    cdef readonly str path
    cdef int fd

    cdef int64_t file_size(self) except -1
    cdef int copy(self, void *target, int64_t position, int64_t size) except -1
    cdef int call(self, void (*body)(void *) noexcept nogil, void *argument) except -1


cdef int run_guarded(void (*body)(void *) noexcept nogil, void *argument) noexcept nogil
