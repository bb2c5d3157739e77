"""Serdes of windowed keys, as Kafka writes them into topics.

    time windows     key, start (8 bytes)              the size is not in the bytes
    sessions         key, end (8 bytes), start (8)

In the changelog of a window store a number (4 bytes) follows the start.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy

from pylog.streams.serde cimport (
    NativeSerde,
    Serde,
    load_int64,
    refuse_to_deserialize,
    refuse_to_serialize,
    store_int64,
)
from pylog.streams.window cimport SessionWindow, Window, Windowed

from pylog.streams.errors import StreamsConfigError


cdef class WindowedSerde(NativeSerde):
    """What the two have in common: a serde for the key within, None until there is a default."""

    def resolve(self, config):
        """Return this serde, the key's serde being the configuration's if none was given."""
        inner = config.key_serde_for(self.inner)
        return self if inner is self.inner else self._with_inner(inner)

    def _with_inner(self, Serde inner):
        raise NotImplementedError

    def serialize_base_key(self, str topic, Windowed windowed not None):
        """Return the bytes of the key alone: they decide on the partition."""
        return self._encode_key(topic, windowed)

    cdef bytes _encode_key(self, str topic, object data):
        if not isinstance(data, Windowed):
            raise refuse_to_serialize(self, topic, data, "a Windowed key is needed")
        self._check_inner()
        encoded = self.inner.encode(topic, (<Windowed>data).key)
        if encoded is None:
            raise refuse_to_serialize(self, topic, data, "a windowed key is not None")
        return encoded

    cdef int _check_inner(self) except -1:
        if self.inner is None:
            raise StreamsConfigError(f"{self.name}: no serde for the key within was given")
        return 0

    cdef bytes _prefix(self, str topic, object data, Py_ssize_t suffix_size):
        """The key's bytes; the window is in the last `suffix_size`."""
        if not isinstance(data, bytes):
            raise refuse_to_deserialize(self, topic, data, "bytes are needed")
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data) - suffix_size
        if size < 0:
            raise refuse_to_deserialize(
                self, topic, data, f"the window alone takes {suffix_size} bytes"
            )
        self._check_inner()
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), size)


def _name_of(kind, inner, *sizes):
    parts = ["None" if inner is None else inner.name, *map(str, sizes)]
    return f"{kind}({', '.join(parts)})"


@cython.final
cdef class TimeWindowedSerde(WindowedSerde):
    """Keys in windows of one size.

    Args:
        inner: the serde of the key; None for that of the configuration.
        window_size_ms: how long the windows are, which their bytes do not say.
        reads_changelog: deserialize keys as the changelog of a window store has them.
    """

    def __init__(self, Serde inner, int64_t window_size_ms, *, bint reads_changelog=False):
        if window_size_ms <= 0:
            raise ValueError(f"a window's size is larger than 0: {window_size_ms} ms")
        self.inner = inner
        self.window_size_ms = window_size_ms
        self.reads_changelog = reads_changelog
        self.name = _name_of("serdes.time_windowed", inner, window_size_ms)

    def _with_inner(self, Serde inner):
        return TimeWindowedSerde(
            inner, self.window_size_ms, reads_changelog=self.reads_changelog
        )

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        cdef bytes key = self._encode_key(topic, data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef bytes encoded = PyBytes_FromStringAndSize(NULL, size + 8)
        memcpy(PyBytes_AS_STRING(encoded), PyBytes_AS_STRING(key), size)
        store_int64(PyBytes_AS_STRING(encoded) + size, (<Windowed>data).window.start_ms)
        return encoded

    cdef object decode(self, str topic, object data):
        if data is None or len(data) == 0:
            return None
        cdef bytes key = self._prefix(topic, data, 12 if self.reads_changelog else 8)
        cdef int64_t start = load_int64(PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(key))
        cdef int64_t end = INT64_MAX
        if start < 0:
            raise refuse_to_deserialize(self, topic, data, f"its window starts at {start}")
        if start <= INT64_MAX - self.window_size_ms:
            end = start + self.window_size_ms
        return Windowed(self.inner.decode(topic, key), Window(start, end))


@cython.final
cdef class SessionWindowedSerde(WindowedSerde):
    """Keys in sessions.

    Args:
        inner: the serde of the key; None for that of the configuration.
    """

    def __init__(self, Serde inner):
        self.inner = inner
        self.name = _name_of("serdes.session_windowed", inner)

    def _with_inner(self, Serde inner):
        return SessionWindowedSerde(inner)

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        cdef bytes key = self._encode_key(topic, data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef bytes encoded = PyBytes_FromStringAndSize(NULL, size + 16)
        cdef char *target = PyBytes_AS_STRING(encoded)
        memcpy(target, PyBytes_AS_STRING(key), size)
        store_int64(target + size, (<Windowed>data).window.end_ms)
        store_int64(target + size + 8, (<Windowed>data).window.start_ms)
        return encoded

    cdef object decode(self, str topic, object data):
        if data is None or len(data) == 0:
            return None
        cdef bytes key = self._prefix(topic, data, 16)
        cdef const char *window = PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(key)
        cdef int64_t end = load_int64(window)
        cdef int64_t start = load_int64(window + 8)
        if start < 0 or end < start:
            raise refuse_to_deserialize(
                self, topic, data, f"its session reaches from {start} to {end}"
            )
        return Windowed(self.inner.decode(topic, key), SessionWindow(start, end))
