from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from logcore._c cimport pl_key_map


cdef class OffsetMap:
    cdef pl_key_map map
    cdef readonly int64_t max_bytes
    cdef readonly int64_t latest_offset     # covered up to and with this one, -1 none

    cdef int make_room(self, uint32_t key_size) noexcept nogil
    cdef int put(self, const uint8_t *key, uint32_t size, uint64_t hash,
                 int64_t offset) noexcept nogil
