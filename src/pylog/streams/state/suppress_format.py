"""What a suppress buffer writes to its changelog: Kafka Streams' bytes, all versions for reading.

    version    header "v"    value of the changelog record
    3          03            context, prior value, old value, new value, buffer time
    2          02            context, size + change, prior value, buffer time
    1          01            buffer time, context, size + change
    0          none          buffer time, change

    context    8 timestamp, 8 offset, 4 + n topic, 4 partition, 4 number of headers,
               then of each 4 + n name, 4 + n value
    change     4 + n old value, 4 + n new value; 4 bytes of size in front where it says so

All numbers are big-endian; a size of -1 is no value. In version 3 a size of -2 for the old value
says that it equals the prior one. Some releases wrote version 3 under the header of version 2, so
that what does not read as 2 is read as 3. The key of the record is the key of the buffer; a record
without a value says that it has left.
"""

from struct import Struct, error
from typing import NamedTuple

from pylog.streams.errors import SerializationError

Headers = list[tuple[str, bytes | None]]

CHANGELOG_HEADERS: Headers = [("v", b"\x03")]

_NONE = -1
_SAME_AS_PRIOR = -2
_INT = Struct(">i")
_LONG = Struct(">q")
_TIMES = Struct(">qq")


class RecordContext(NamedTuple):
    """Where a buffered record came from; what is forwarded of it later has the same."""

    timestamp: int
    offset: int
    partition: int
    topic: str | None
    headers: Headers

    @property
    def memory_bytes(self) -> int:
        """What Kafka Streams reckons for it."""
        size = 20 + len(self.topic or "")
        for name, value in self.headers:
            size += len(name) + (0 if value is None else len(value))
        return size


class BufferValue(NamedTuple):
    """A change that is held back, serialized.

    Attributes:
        prior_value: what the children know: the old value of the first change that was held back.
        old_value: of the last.
        new_value: of the last.
        context: of the last.
    """

    prior_value: bytes | None
    old_value: bytes | None
    new_value: bytes | None
    context: RecordContext

    @property
    def memory_bytes(self) -> int:
        """What Kafka Streams reckons for it."""
        size = self.context.memory_bytes
        if self.prior_value is not None:
            size += len(self.prior_value)
        if self.old_value is not None and self.old_value != self.prior_value:
            size += len(self.old_value)
        if self.new_value is not None:
            size += len(self.new_value)
        return size


def encode_buffer_value(value: BufferValue, time: int) -> bytes:
    """The value of a changelog record, version 3.

    Args:
        value: what is held back.
        time: its place in the buffer, ms since 1970.
    """
    parts = [*_encoded_context(value.context), *_sized(value.prior_value)]
    if value.old_value is not None and value.old_value == value.prior_value:
        parts.append(_INT.pack(_SAME_AS_PRIOR))
    else:
        parts.extend(_sized(value.old_value))
    parts.extend(_sized(value.new_value))
    parts.append(_LONG.pack(time))
    return b"".join(parts)


def _encoded_context(context: RecordContext) -> list[bytes]:
    parts = [_TIMES.pack(context.timestamp, context.offset)]
    # A record of a punctuation has no topic.
    parts.extend(_sized((context.topic or "").encode()))
    parts.append(_INT.pack(context.partition))
    parts.append(_INT.pack(len(context.headers)))
    for name, value in context.headers:
        parts.extend(_sized(name.encode()))
        parts.extend(_sized(value))
    return parts


def _sized(data: bytes | None) -> tuple[bytes, ...]:
    return (_INT.pack(_NONE),) if data is None else (_INT.pack(len(data)), data)


class _Reader:
    """Takes one field after the other."""

    def __init__(self, data: bytes):
        self._data = data
        self._position = 0

    def int64(self) -> int:
        (number,) = _LONG.unpack_from(self._data, self._position)
        self._position += 8
        return number  # type: ignore[no-any-return]

    def int32(self) -> int:
        (number,) = _INT.unpack_from(self._data, self._position)
        self._position += 4
        return number  # type: ignore[no-any-return]

    def data_of(self, size: int) -> bytes | None:
        if size == _NONE:
            return None
        end = self._position + size
        if size < 0 or end > len(self._data):
            raise ValueError(f"a field of {size} bytes at {self._position}")
        data = self._data[self._position : end]
        self._position = end
        return data

    def data(self) -> bytes | None:
        return self.data_of(self.int32())

    def text(self) -> str:
        data = self.data()
        if data is None:
            raise ValueError(f"no text at {self._position}")
        return data.decode()

    def end(self) -> None:
        if self._position != len(self._data):
            raise ValueError(f"{len(self._data) - self._position} bytes after the end")

    def context(self) -> RecordContext:
        timestamp, offset, topic, partition = self.int64(), self.int64(), self.text(), self.int32()
        count = self.int32()
        headers = [(self.text(), self.data()) for _ in range(count)]
        return RecordContext(timestamp, offset, partition, topic or None, headers)

    def change(self) -> tuple[bytes | None, bytes | None]:
        """Old value and new value, which have a size together."""
        data = self.data()
        if data is None:
            raise ValueError(f"no change at {self._position}")
        inner = _Reader(data)
        old, new = inner.data(), inner.data()
        inner.end()
        return old, new


def decode_buffer_value(
    version: bytes | None, data: bytes, prior_value: bytes | None, own_context: RecordContext
) -> tuple[int, BufferValue]:
    """Read the value of a changelog record of any version.

    Args:
        version: the value of its header "v", None if it has none.
        data: its value.
        prior_value: of the key in the buffer, for versions that do not say it.
        own_context: of the changelog record itself, for version 0, which has no other.

    Returns:
        The place in the buffer, ms since 1970, and what is held back.

    Raises:
        SerializationError: it is none of the versions.
    """
    try:
        if version == b"\x03":
            return _decode_3(data)
        if version == b"\x02":
            try:
                return _decode_2(data)
            except (error, ValueError):
                return _decode_3(data)
        if version == b"\x01":
            reader = _Reader(data)
            time, context = reader.int64(), reader.context()
            old, new = reader.change()
        elif version is None:
            reader = _Reader(data)
            time, context = reader.int64(), own_context
            old, new = reader.data(), reader.data()
        else:
            raise ValueError(f"version {version!r}")
        reader.end()
    except (error, ValueError) as cause:
        raise SerializationError(
            f"a changelog record of a suppress buffer does not read: {cause}"
        ) from cause
    prior = old if prior_value is None else prior_value
    return time, BufferValue(prior, old, new, context)


def _decode_3(data: bytes) -> tuple[int, BufferValue]:
    reader = _Reader(data)
    context, prior = reader.context(), reader.data()
    size = reader.int32()
    old = prior if size == _SAME_AS_PRIOR else reader.data_of(size)
    new, time = reader.data(), reader.int64()
    reader.end()
    return time, BufferValue(prior, old, new, context)


def _decode_2(data: bytes) -> tuple[int, BufferValue]:
    reader = _Reader(data)
    context = reader.context()
    old, new = reader.change()
    prior, time = reader.data(), reader.int64()
    reader.end()
    return time, BufferValue(prior, old, new, context)
