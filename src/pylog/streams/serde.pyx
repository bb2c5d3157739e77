"""Serde, from objects to bytes and back, and those of single values: Kafka's bytes exactly.

    string   UTF-8                     bytes    as they are
    short    2 bytes, big-endian       boolean  1 byte, 1 or 0
    int      4 bytes, big-endian       uuid     its 36 characters
    long     8 bytes, big-endian       void     nothing but None
    float    4 bytes, IEEE 754         double   8 bytes, IEEE 754

None is null and never reaches a serde. `pylog.streams.serdes` has the instances; a serde of one's
own is a subclass of Serde with `serialize` and `deserialize`, or `Serde.of` two functions.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_CheckExact,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.float cimport PyFloat_AsDouble
from cpython.number cimport PyNumber_Index
from cpython.unicode cimport (
    PyUnicode_AsUTF8String,
    PyUnicode_CheckExact,
    PyUnicode_DecodeUTF8,
)
from libc.math cimport isinf
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from uuid import UUID

from pylog.streams.errors import SerializationError


cdef object refuse_to_serialize(Serde serde, str topic, object data, str why):
    return SerializationError(
        f"topic {topic!r}: {serde.name} cannot serialize data of type {type(data).__name__}: {why}"
    )


cdef object refuse_to_deserialize(Serde serde, str topic, object data, str why):
    size = f" of {len(data)} bytes" if isinstance(data, (bytes, bytearray)) else ""
    return SerializationError(
        f"topic {topic!r}: {serde.name} cannot deserialize data of type "
        f"{type(data).__name__}{size}: {why}"
    )


cdef class Serde:
    """Turns keys or values into bytes and back. A subclass gives `serialize` and `deserialize`.

    Neither is called with None, which is Kafka's null. What they raise becomes a
    SerializationError that names the topic, the serde and the type of the data.

    Attributes:
        name: for errors, the name of the class unless set.
    """

    def __cinit__(self, *args, **kwargs):
        self.name = type(self).__name__

    def serialize(self, topic, data):
        """Return the bytes of `data`, which is not None; None for null.

        Args:
            topic: of the record, or of the changelog of a store.
            data: a key or a value.
        """
        raise NotImplementedError(f"{type(self).__name__}.serialize")

    def deserialize(self, topic, data):
        """Return what the bytes mean.

        Args:
            topic: of the record, or of the changelog of a store.
            data: bytes.
        """
        raise NotImplementedError(f"{type(self).__name__}.deserialize")

    def resolve(self, config):
        """Return this serde as a task uses it, what it lacks filled in from the configuration.

        Args:
            config: StreamsConfig of the application.
        """
        return self

    @staticmethod
    def of(serialize, deserialize, str name=None):
        """Make a serde of two functions.

        Args:
            serialize: from a value to bytes.
            deserialize: from bytes to a value.
            name: for errors; that of the functions by default.

        >>> point = Serde.of(lambda point: "{},{}".format(*point).encode(), lambda data: data)
        >>> point.serialize("points", (1, 2))
        b'1,2'
        """
        return FunctionSerde(serialize, deserialize, name)

    def __repr__(self):
        return f"<{self.name}>"

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        try:
            encoded = self.serialize(topic, data)
        except SerializationError:
            raise
        except Exception as error:
            raise refuse_to_serialize(self, topic, data, _text(error)) from error
        if encoded is None or PyBytes_CheckExact(encoded):
            return encoded
        if isinstance(encoded, (bytes, bytearray, memoryview)):
            return bytes(encoded)
        raise refuse_to_serialize(
            self, topic, data, f"its serialize returned {type(encoded).__name__}, not bytes"
        )

    cdef object decode(self, str topic, object data):
        if data is None:
            return None
        try:
            return self.deserialize(topic, data)
        except SerializationError:
            raise
        except Exception as error:
            raise refuse_to_deserialize(self, topic, data, _text(error)) from error


def _text(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def encode(Serde serde not None, str topic, data):
    """Return the bytes of `data`, as the nodes and stores in Cython get them.

    Raises:
        SerializationError: the serde refused.
    """
    return serde.encode(topic, data)


def decode(Serde serde not None, str topic, data):
    """Return what the bytes mean, as the nodes and stores in Cython get it.

    Raises:
        SerializationError: the serde refused.
    """
    return serde.decode(topic, data)


@cython.final
cdef class FunctionSerde(Serde):
    """A serde made of two functions, see `Serde.of`."""

    cdef object _serialize
    cdef object _deserialize

    def __init__(self, serialize, deserialize, str name=None):
        if not callable(serialize) or not callable(deserialize):
            raise TypeError("a serde is made of two functions")
        self._serialize = serialize
        self._deserialize = deserialize
        self.name = name or f"Serde.of({_name(serialize)}, {_name(deserialize)})"

    def serialize(self, topic, data):
        """Call the one function."""
        return self._serialize(data)

    def deserialize(self, topic, data):
        """Call the other."""
        return self._deserialize(data)


def _name(function):
    return getattr(function, "__qualname__", type(function).__name__)


cdef class NativeSerde(Serde):
    """A serde in Cython: what Python calls is what Cython calls."""

    def serialize(self, topic, data):
        """Return the bytes of `data`, None for None.

        Raises:
            SerializationError: of another type, or out of range.
        """
        return self.encode(topic, data)

    def deserialize(self, topic, data):
        """Return what the bytes mean, None for None.

        Raises:
            SerializationError: they mean nothing.
        """
        return self.decode(topic, data)


cdef bytes _as_bytes(Serde serde, str topic, object data):
    if PyBytes_CheckExact(data):
        return data
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise refuse_to_deserialize(serde, topic, data, "bytes are needed")


@cython.final
cdef class BytesSerde(NativeSerde):
    """Bytes as they are; takes bytearray and memoryview too."""

    def __init__(self):
        self.name = "serdes.bytes"

    cdef object encode(self, str topic, object data):
        if data is None or PyBytes_CheckExact(data):
            return data
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
        raise refuse_to_serialize(self, topic, data, "bytes are needed")

    cdef object decode(self, str topic, object data):
        return None if data is None else _as_bytes(self, topic, data)


@cython.final
cdef class StringSerde(NativeSerde):
    """Text as UTF-8, or in another encoding.

    Args:
        encoding: one of Python's.
        errors: what to do with what cannot be encoded or decoded: "strict" raises, "replace" does
            what Java does.
        hint: added to the error when data is no text.
    """

    cdef str encoding
    cdef str errors
    cdef str hint
    cdef bint is_plain
    # What went through last and before that. A key is decoded once, then encoded for a store and
    # again for a sink: the same text, and the same bytes will do.
    cdef str text
    cdef bytes encoded
    cdef str text_before
    cdef bytes encoded_before

    def __init__(self, str encoding="utf-8", str errors="strict", str hint=""):
        self.is_plain = encoding == "utf-8" and errors == "strict"
        self.encoding = encoding
        self.errors = errors
        self.hint = hint
        self.name = "serdes.string"
        if not self.is_plain:
            "".encode(encoding, errors)  # a LookupError now rather than at the first record
            self.name = f"serdes.string_of({encoding!r}, {errors!r})"

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        if data is self.text:
            return self.encoded
        if data is self.text_before:
            return self.encoded_before
        if not isinstance(data, str):
            raise refuse_to_serialize(self, topic, data, "text is needed" + self.hint)
        try:
            if self.is_plain:
                encoded = PyUnicode_AsUTF8String(data)
                if PyUnicode_CheckExact(data):
                    self.remember(<str>data, encoded)
                return encoded
            return data.encode(self.encoding, self.errors)
        except UnicodeError as error:
            raise refuse_to_serialize(self, topic, data, str(error)) from error

    cdef object decode(self, str topic, object data):
        cdef bytes encoded
        if data is None:
            return None
        if data is self.encoded:
            return self.text
        if data is self.encoded_before:
            return self.text_before
        encoded = _as_bytes(self, topic, data)
        try:
            if self.is_plain:
                text = PyUnicode_DecodeUTF8(
                    PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded), NULL
                )
                self.remember(text, encoded)
                return text
            return encoded.decode(self.encoding, self.errors)
        except UnicodeError as error:
            raise refuse_to_deserialize(self, topic, data, str(error)) from error

    cdef int remember(self, str text, bytes encoded) except -1:
        self.text_before = self.text
        self.encoded_before = self.encoded
        self.text = text
        self.encoded = encoded
        return 0


@cython.final
cdef class IntegerSerde(NativeSerde):
    """An integer of 2, 4 or 8 bytes, signed, big-endian."""

    cdef readonly int size
    cdef int64_t least
    cdef int64_t most

    def __init__(self, int size):
        if size not in (2, 4, 8):
            raise ValueError(f"an integer has 2, 4 or 8 bytes, not {size}")
        self.size = size
        self.most = <int64_t>((<unsigned long long>1 << (8 * size - 1)) - 1)
        self.least = -self.most - 1
        self.name = {2: "serdes.short", 4: "serdes.int", 8: "serdes.long"}[size]

    cdef object encode(self, str topic, object data):
        cdef int64_t number
        cdef char packed[8]
        if data is None:
            return None
        try:
            number = data if isinstance(data, int) else PyNumber_Index(data)
        except TypeError:
            raise refuse_to_serialize(self, topic, data, "an integer is needed") from None
        except OverflowError:
            raise self._out_of_range(topic, data) from None
        if number < self.least or number > self.most:
            raise self._out_of_range(topic, data)
        store_int64(packed, number)
        return PyBytes_FromStringAndSize(packed + 8 - self.size, self.size)

    cdef object decode(self, str topic, object data):
        cdef int64_t number
        cdef const char *source
        cdef int index
        if data is None:
            return None
        cdef bytes encoded = _as_bytes(self, topic, data)
        if PyBytes_GET_SIZE(encoded) != self.size:
            raise refuse_to_deserialize(self, topic, data, f"{self.size} bytes are needed")
        source = PyBytes_AS_STRING(encoded)
        if self.size == 8:
            return load_int64(source)
        number = <signed char>source[0]
        for index in range(1, self.size):
            number = number * 256 + <unsigned char>source[index]
        return number

    def _out_of_range(self, str topic, data):
        return refuse_to_serialize(
            self, topic, data, f"{data} is outside of {self.least} to {self.most}"
        )


@cython.final
cdef class DoubleSerde(NativeSerde):
    """A float in 8 bytes."""

    def __init__(self):
        self.name = "serdes.double"

    cdef object encode(self, str topic, object data):
        cdef double number
        cdef int64_t bits
        cdef char packed[8]
        if data is None:
            return None
        number = _as_double(self, topic, data)
        memcpy(&bits, &number, 8)
        store_int64(packed, bits)
        return PyBytes_FromStringAndSize(packed, 8)

    cdef object decode(self, str topic, object data):
        cdef double number
        cdef int64_t bits
        if data is None:
            return None
        cdef bytes encoded = _as_bytes(self, topic, data)
        if PyBytes_GET_SIZE(encoded) != 8:
            raise refuse_to_deserialize(self, topic, data, "8 bytes are needed")
        bits = load_int64(PyBytes_AS_STRING(encoded))
        memcpy(&number, &bits, 8)
        return number


cdef double _as_double(Serde serde, str topic, object data) except? -1:
    try:
        return PyFloat_AsDouble(data)
    except (TypeError, ValueError):
        raise refuse_to_serialize(serde, topic, data, "a number is needed") from None
    except OverflowError:
        raise refuse_to_serialize(serde, topic, data, "it is out of range") from None


@cython.final
cdef class FloatSerde(NativeSerde):
    """A float in 4 bytes: it comes back less exact."""

    def __init__(self):
        self.name = "serdes.float"

    cdef object encode(self, str topic, object data):
        cdef double number
        cdef float narrow
        cdef uint32_t bits
        cdef char packed[4]
        cdef int index
        if data is None:
            return None
        number = _as_double(self, topic, data)
        narrow = <float>number
        if isinf(narrow) and not isinf(number):
            raise refuse_to_serialize(self, topic, data, f"{number} is out of range")
        memcpy(&bits, &narrow, 4)
        for index in range(4):
            packed[index] = <char>(bits >> (24 - 8 * index))
        return PyBytes_FromStringAndSize(packed, 4)

    cdef object decode(self, str topic, object data):
        cdef float narrow
        cdef uint32_t bits = 0
        cdef const char *source
        cdef int index
        if data is None:
            return None
        cdef bytes encoded = _as_bytes(self, topic, data)
        if PyBytes_GET_SIZE(encoded) != 4:
            raise refuse_to_deserialize(self, topic, data, "4 bytes are needed")
        source = PyBytes_AS_STRING(encoded)
        for index in range(4):
            bits = (bits << 8) | <unsigned char>source[index]
        memcpy(&narrow, &bits, 4)
        return <double>narrow


@cython.final
cdef class BooleanSerde(NativeSerde):
    """True and False in a byte, 1 and 0."""

    def __init__(self):
        self.name = "serdes.boolean"

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        if data is True:
            return b"\x01"
        if data is False:
            return b"\x00"
        raise refuse_to_serialize(self, topic, data, "True or False is needed")

    cdef object decode(self, str topic, object data):
        if data is None:
            return None
        cdef bytes encoded = _as_bytes(self, topic, data)
        if encoded == b"\x01":
            return True
        if encoded == b"\x00":
            return False
        raise refuse_to_deserialize(self, topic, data, "one byte, 0 or 1, is needed")


@cython.final
cdef class UuidSerde(NativeSerde):
    """A uuid.UUID as its 36 characters."""

    def __init__(self):
        self.name = "serdes.uuid"

    cdef object encode(self, str topic, object data):
        if data is None:
            return None
        if not isinstance(data, UUID):
            raise refuse_to_serialize(self, topic, data, "a uuid.UUID is needed")
        return str(data).encode("ascii")

    cdef object decode(self, str topic, object data):
        if data is None:
            return None
        try:
            return UUID(_as_bytes(self, topic, data).decode("ascii"))
        except ValueError as error:
            raise refuse_to_deserialize(self, topic, data, str(error)) from error


@cython.final
cdef class VoidSerde(NativeSerde):
    """Nothing but None."""

    def __init__(self):
        self.name = "serdes.void"

    cdef object encode(self, str topic, object data):
        if data is not None:
            raise refuse_to_serialize(self, topic, data, "only None is allowed")
        return None

    cdef object decode(self, str topic, object data):
        if data is not None:
            raise refuse_to_deserialize(self, topic, data, "only null is allowed")
        return None
