"""Every C function of pylog/c, declared once."""

from libc.stdint cimport int32_t, uint8_t


cdef extern from "c/partition_hash.h" nogil:
    int32_t pl_partition_for_key(int kind, const uint8_t *key, size_t size, int32_t count)
    int32_t pl_random_partition(int32_t count)
