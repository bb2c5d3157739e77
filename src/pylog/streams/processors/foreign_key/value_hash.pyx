"""The hash of a row that a foreign-key join sends along, to know stale answers: Murmur3, 128 bits.

16 bytes, the two halves big-endian, as Kafka Streams writes them into its subscription topics.

Source: Kafka Streams' Murmur3.hash128 (seed 104729), after Austin Appleby's MurmurHash3_x64_128.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t

cdef uint64_t C1 = 0x87C37B91114253D5U
cdef uint64_t C2 = 0x4CF5AD432745937FU


def hash_value(bytes data not None, uint64_t seed=104729):
    """Return the hash of a serialized value, 16 bytes.

    Args:
        data: the value.
        seed: that of Kafka Streams.

    >>> hash_value(b"hello").hex()
    '30bfb4f39919e764566aea857401d1c6'
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t block
    cdef uint64_t h1 = seed
    cdef uint64_t h2 = seed
    cdef bytes result
    for block in range(size >> 4):
        h1 ^= mix_low(load(source + 16 * block, 8))
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52DCE729U
        h2 ^= mix_high(load(source + 16 * block + 8, 8))
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495AB5U
    source += size & ~<Py_ssize_t>15
    cdef Py_ssize_t rest = size & 15
    if rest > 8:
        h2 ^= mix_high(load(source + 8, rest - 8))
    if rest:
        h1 ^= mix_low(load(source, min(rest, 8)))
    h1 ^= <uint64_t>size
    h2 ^= <uint64_t>size
    h1 += h2
    h2 += h1
    h1 = finish(h1)
    h2 = finish(h2)
    h1 += h2
    h2 += h1
    result = PyBytes_FromStringAndSize(NULL, 16)
    store(<uint8_t *>PyBytes_AS_STRING(result), h1)
    store(<uint8_t *>PyBytes_AS_STRING(result) + 8, h2)
    return result


cdef inline uint64_t load(const uint8_t *source, Py_ssize_t size) noexcept nogil:
    """Up to 8 bytes, little-endian."""
    cdef uint64_t number = 0
    cdef Py_ssize_t index
    for index in range(size):
        number |= <uint64_t>source[index] << (8 * index)
    return number


cdef inline void store(uint8_t *target, uint64_t number) noexcept nogil:
    """8 bytes, big-endian."""
    cdef int index
    for index in range(8):
        target[index] = <uint8_t>(number >> (56 - 8 * index))


cdef inline uint64_t rotate(uint64_t number, int bits) noexcept nogil:
    return (number << bits) | (number >> (64 - bits))


cdef inline uint64_t mix_low(uint64_t number) noexcept nogil:
    return rotate(number * C1, 31) * C2


cdef inline uint64_t mix_high(uint64_t number) noexcept nogil:
    return rotate(number * C2, 33) * C1


cdef inline uint64_t finish(uint64_t number) noexcept nogil:
    number ^= number >> 33
    number *= 0xFF51AFD7ED558CCDU
    number ^= number >> 33
    number *= 0xC4CEB9FE1A85EC53U
    return number ^ (number >> 33)
