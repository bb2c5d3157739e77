from libc.stdint cimport int64_t, uint64_t


cdef class Serde:
    cdef public str name

    # What Cython callers use: None stays None, every failure is a SerializationError.
    cdef object encode(self, str topic, object data)
    cdef object decode(self, str topic, object data)


cdef class NativeSerde(Serde):
    pass


cdef object refuse_to_serialize(Serde serde, str topic, object data, str why)
cdef object refuse_to_deserialize(Serde serde, str topic, object data, str why)


cdef inline void store_int64(char *target, int64_t number) noexcept:
    """Write big-endian."""
    cdef uint64_t bits = <uint64_t>number
    cdef int index
    for index in range(8):
        target[index] = <char>(bits >> (56 - 8 * index))


cdef inline int64_t load_int64(const char *source) noexcept:
    """Read big-endian."""
    cdef uint64_t bits = 0
    cdef int index
    for index in range(8):
        bits = (bits << 8) | <unsigned char>source[index]
    return <int64_t>bits
