"""The bytes that stores and changelogs share with Kafka Streams.

    timestamped value   timestamp(8) value
    window key          key start(8) sequence(4)
    session key         key end(8) start(8)
    numbers are big-endian
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from pylog.streams.serde cimport load_int64, store_int64


cdef inline bytes with_timestamp(bytes value, int64_t timestamp):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef bytes joined = PyBytes_FromStringAndSize(NULL, 8 + size)
    store_int64(PyBytes_AS_STRING(joined), timestamp)
    memcpy(PyBytes_AS_STRING(joined) + 8, PyBytes_AS_STRING(value), size)
    return joined


cdef inline int64_t timestamp_of(bytes value) noexcept:
    return load_int64(PyBytes_AS_STRING(value))


cdef inline bytes without_timestamp(bytes value):
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(value) + 8, PyBytes_GET_SIZE(value) - 8)


cdef inline bytes window_key(bytes key, int64_t start_ms, int sequence):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef bytes joined = PyBytes_FromStringAndSize(NULL, size + 12)
    cdef char *target = PyBytes_AS_STRING(joined)
    memcpy(target, PyBytes_AS_STRING(key), size)
    store_int64(target + size, start_ms)
    store_int32(target + size + 8, sequence)
    return joined


cdef inline bytes session_key(bytes key, int64_t start_ms, int64_t end_ms):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef bytes joined = PyBytes_FromStringAndSize(NULL, size + 16)
    cdef char *target = PyBytes_AS_STRING(joined)
    memcpy(target, PyBytes_AS_STRING(key), size)
    store_int64(target + size, end_ms)
    store_int64(target + size + 8, start_ms)
    return joined


cdef inline bytes long_enough(bytes key, Py_ssize_t suffix, str kind):
    """A key of a changelog, which anybody may have written; ValueError without its suffix."""
    if PyBytes_GET_SIZE(key) < suffix:
        raise ValueError(
            f"a key of {PyBytes_GET_SIZE(key)} bytes is not that of a {kind}, which ends with "
            f"{suffix} bytes of its own"
        )
    return key


cdef inline bytes cut(bytes data, Py_ssize_t suffix):
    """All but the last `suffix` bytes."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data) - suffix)


cdef inline int64_t int64_at(bytes data, Py_ssize_t from_end) noexcept:
    """The number that begins this many bytes before the end."""
    return load_int64(PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(data) - from_end)


cdef inline void store_int32(char *target, int number) noexcept:
    cdef unsigned int bits = <unsigned int>number
    cdef int index
    for index in range(4):
        target[index] = <char>(bits >> (24 - 8 * index))
