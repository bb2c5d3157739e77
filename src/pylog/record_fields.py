"""Fields of Kafka's internal records: the message format of its protocol, read with bounds.

    int8 int16 int32 int64   big-endian, two's complement
    uuid                     16 bytes
    string                   int16 length (-1 null), UTF-8
    bytes                    int32 length (-1 null)
    array                    int32 count (-1 null), elements

    flexible versions have, in place of the last three:
    compact string, bytes    uvarint length + 1 (0 null)
    compact array            uvarint count + 1 (0 null)
    and at the end of each structure its tagged fields:
    uvarint count, then for each {uvarint tag, uvarint size, bytes}

A uvarint has seven bits a byte, the lowest first, bit 7 set but in the last. Whatever the bytes
are, reading them ends in a value or in CorruptRecordError.

Source: Kafka's message generator, ByteBufferAccessor, ByteUtils.
"""

import struct
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

from logcore.errors import CorruptRecordError

_Item = TypeVar("_Item")
MAX_STRING_BYTES = 32_767


class FieldReader:
    """Reads one field after another.

    Args:
        data: of the record.
        name: what it is, for messages.
        is_flexible: the version has compact lengths and tagged fields.
    """

    def __init__(self, data: bytes, name: str, is_flexible: bool = False):
        self._data = data
        self._position = 0
        self.name = name
        self.is_flexible = is_flexible

    def fault(self, reason: str) -> CorruptRecordError:
        """The error for bytes that are not this record."""
        return CorruptRecordError(f"not a {self.name}: {reason} (byte {self._position})")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._position + size
        if size < 0 or end > len(self._data):
            raise self.fault(f"{size} bytes wanted of {len(self._data) - self._position} left")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def int8(self) -> int:
        """One byte, signed."""
        return int.from_bytes(self.take(1), "big", signed=True)

    def int16(self) -> int:
        """Two bytes, signed."""
        return int.from_bytes(self.take(2), "big", signed=True)

    def int32(self) -> int:
        """Four bytes, signed."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def int64(self) -> int:
        """Eight bytes, signed."""
        return int.from_bytes(self.take(8), "big", signed=True)

    def uuid(self) -> uuid.UUID:
        """Sixteen bytes."""
        return uuid.UUID(bytes=self.take(16))

    def uvarint(self) -> int:
        """An unsigned number of at most 32 bits."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > 0xFFFF_FFFF:
                    break
                return value
        raise self.fault("a length has more than 32 bits")

    def nullable_string(self) -> str | None:
        """A string, or None."""
        length = self.uvarint() - 1 if self.is_flexible else self.int16()
        if length == -1:
            return None
        raw = self.take(length)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.fault("a string is not UTF-8") from None

    def string(self) -> str:
        """A string that may not be null."""
        text = self.nullable_string()
        if text is None:
            raise self.fault("a string is null")
        return text

    def binary(self) -> bytes:
        """Bytes that may not be null."""
        return self.take(self.uvarint() - 1 if self.is_flexible else self.int32())

    def nullable_array(self, item: Callable[[], _Item]) -> list[_Item] | None:
        """An array, or None.

        Args:
            item: reads one element; it must read at least a byte.
        """
        count = self.uvarint() - 1 if self.is_flexible else self.int32()
        if count == -1:
            return None
        if not 0 <= count <= len(self._data) - self._position:
            raise self.fault(f"an array of {count} elements")
        return [item() for _ in range(count)]

    def array(self, item: Callable[[], _Item]) -> list[_Item]:
        """An array that may not be null; see nullable_array."""
        items = self.nullable_array(item)
        if items is None:
            raise self.fault("an array is null")
        return items

    def tagged_fields(self) -> dict[int, bytes]:
        """The tagged fields of a structure by tag; none in a version that is not flexible."""
        if not self.is_flexible:
            return {}
        found: dict[int, bytes] = {}
        for _ in range(self.uvarint()):
            tag = self.uvarint()
            found[tag] = self.take(self.uvarint())
        return found

    def end(self) -> None:
        """Check that nothing is left."""
        left = len(self._data) - self._position
        if left:
            raise self.fault(f"{left} bytes are left over")


class FieldWriter:
    """Writes one field after another; `data` is what was written.

    Args:
        is_flexible: the version has compact lengths and tagged fields.
    """

    def __init__(self, is_flexible: bool = False):
        self._parts: list[bytes] = []
        self.is_flexible = is_flexible

    @property
    def data(self) -> bytes:
        """What was written."""
        return b"".join(self._parts)

    def put(self, raw: bytes) -> None:
        """Bytes as they are, without a length."""
        self._parts.append(raw)

    def int8(self, value: int) -> None:
        """One byte, signed."""
        self.put(struct.pack(">b", value))

    def int16(self, value: int) -> None:
        """Two bytes, signed."""
        self.put(struct.pack(">h", value))

    def int32(self, value: int) -> None:
        """Four bytes, signed."""
        self.put(struct.pack(">i", value))

    def int64(self, value: int) -> None:
        """Eight bytes, signed."""
        self.put(struct.pack(">q", value))

    def uvarint(self, value: int) -> None:
        """An unsigned number."""
        encoded = bytearray()
        while value >= 0x80:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        encoded.append(value)
        self.put(bytes(encoded))

    def string(self, text: str | None) -> None:
        """A string of at most MAX_STRING_BYTES, or null.

        Raises:
            ValueError: it is longer, or has half of a surrogate pair.
        """
        raw = None if text is None else text.encode()
        if raw is not None and len(raw) > MAX_STRING_BYTES:
            raise ValueError(f"a string of {len(raw)} bytes is longer than {MAX_STRING_BYTES}")
        if self.is_flexible:
            self.uvarint(0 if raw is None else len(raw) + 1)
        else:
            self.int16(-1 if raw is None else len(raw))
        self.put(raw or b"")

    def binary(self, raw: bytes) -> None:
        """Bytes with their length."""
        self._length(len(raw))
        self.put(raw)

    def array_length(self, count: int) -> None:
        """The head of an array; its elements follow."""
        self._length(count)

    def _length(self, length: int) -> None:
        if self.is_flexible:
            self.uvarint(length + 1)
        else:
            self.int32(length)

    def tagged_fields(self, fields: Mapping[int, bytes]) -> None:
        """Tagged fields by tag, at the end of a structure; nothing where versions have none."""
        if not self.is_flexible:
            return
        self.uvarint(len(fields))
        for tag in sorted(fields):
            self.uvarint(tag)
            self.uvarint(len(fields[tag]))
            self.put(fields[tag])
