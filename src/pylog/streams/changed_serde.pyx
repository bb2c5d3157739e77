"""ChangedSerde, what the repartition topic of a grouped table holds: a Change.

    old value, 0
    new value, 1
    zig-zag varint: size of the new value, new value, old value, 2

Kafka may come to write 3, 4 and 5: the same with a byte before the last that says whether the
change is the latest of its key. These are read and not written.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t

from pylog.streams.record cimport Change
from pylog.streams.serde cimport NativeSerde, Serde, refuse_to_deserialize, refuse_to_serialize


@cython.final
cdef class ChangedSerde(NativeSerde):
    """A Change of values that `inner` is the serde of; None for that of the configuration."""

    def __init__(self, Serde inner):
        self.inner = inner
        self.name = f"ChangedSerde({None if inner is None else inner.name})"

    def resolve(self, config):
        """Return this serde, that of the values being the configuration's if none was given."""
        inner = config.value_serde_for(self.inner, "the values of a grouped table")
        return self if inner is self.inner else ChangedSerde(inner)

    cdef object encode(self, str topic, object data):
        cdef bytes new_value
        cdef bytes old_value
        if data is None:
            return None
        if not isinstance(data, Change):
            raise refuse_to_serialize(self, topic, data, "a Change is needed")
        new_value = self.inner.encode(topic, (<Change>data).new_value)
        old_value = self.inner.encode(topic, (<Change>data).old_value)
        if new_value is None and old_value is None:
            raise refuse_to_serialize(self, topic, data, "its new and its old value are null")
        if old_value is None:
            return new_value + b"\x01"
        if new_value is None:
            return old_value + b"\x00"
        return b"".join((_varint(len(new_value)), new_value, old_value, b"\x02"))

    cdef object decode(self, str topic, object data):
        cdef bytes encoded
        cdef Py_ssize_t end
        cdef Py_ssize_t new_start = 0
        cdef Py_ssize_t new_end
        cdef int flag
        cdef bint is_latest = True
        if data is None:
            return None
        encoded = data if type(data) is bytes else bytes(data)
        end = PyBytes_GET_SIZE(encoded) - 1
        flag = encoded[end] if end >= 0 else -1
        if flag < 0 or flag > 5:
            raise refuse_to_deserialize(self, topic, data, "its last byte is none of 0 to 5")
        if flag > 2:
            end -= 1
            if end < 0 or encoded[end] > 1:
                raise refuse_to_deserialize(self, topic, data, "whether it is latest is missing")
            is_latest = encoded[end] == 1
            flag -= 3
        if flag == 0:
            return Change(None, self.inner.decode(topic, encoded[:end]), is_latest)
        if flag == 1:
            return Change(self.inner.decode(topic, encoded[:end]), None, is_latest)
        new_end = self._read_size(topic, encoded, end, &new_start) + new_start
        if new_end > end:
            raise refuse_to_deserialize(self, topic, data, "its new value is cut short")
        return Change(
            self.inner.decode(topic, encoded[new_start:new_end]),
            self.inner.decode(topic, encoded[new_end:end]),
            is_latest,
        )

    cdef Py_ssize_t _read_size(
        self, str topic, bytes encoded, Py_ssize_t end, Py_ssize_t *position
    ) except -1:
        cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(encoded)
        cdef uint32_t bits = 0
        cdef int shift = 0
        while position[0] < end and shift < 35:
            bits |= <uint32_t>(source[position[0]] & 0x7f) << shift
            position[0] += 1
            if not source[position[0] - 1] & 0x80:
                if bits & 1:  # zig-zag: a negative size
                    break
                return bits >> 1
            shift += 7
        raise refuse_to_deserialize(self, topic, encoded, "the size of its new value is no varint")


cdef bytes _varint(Py_ssize_t number):
    cdef size_t bits = <size_t>number << 1
    cdef bytearray encoded = bytearray()
    while bits >= 0x80:
        encoded.append((bits & 0x7f) | 0x80)
        bits >>= 7
    encoded.append(bits)
    return bytes(encoded)
