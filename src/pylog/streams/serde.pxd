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


# Written out: so the compiler makes one instruction of each.
cdef inline void store_int64(char *target, int64_t number) noexcept:
    """Write big-endian."""
    cdef uint64_t bits = <uint64_t>number
    target[0] = <char>(bits >> 56)
    target[1] = <char>(bits >> 48)
    target[2] = <char>(bits >> 40)
    target[3] = <char>(bits >> 32)
    target[4] = <char>(bits >> 24)
    target[5] = <char>(bits >> 16)
    target[6] = <char>(bits >> 8)
    target[7] = <char>bits


cdef inline int64_t load_int64(const char *source) noexcept:
    """Read big-endian."""
    cdef const unsigned char *octets = <const unsigned char *>source
    return <int64_t>(
        <uint64_t>octets[0] << 56 | <uint64_t>octets[1] << 48
        | <uint64_t>octets[2] << 40 | <uint64_t>octets[3] << 32
        | <uint64_t>octets[4] << 24 | <uint64_t>octets[5] << 16
        | <uint64_t>octets[6] << 8 | <uint64_t>octets[7]
    )
