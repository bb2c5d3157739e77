"""ListSerde: lists of what another serde takes, as Kafka's ListSerializer writes them.

constant size   0, number of Nones (4 bytes), index of each (4), length of the list (4), items
variable size   1, length of the list (4 bytes), and of each item its size (4; -1: None), item

Constant are integers, floats and UUIDs; a list in the other form is read too.
"""

import struct
from typing import Any

from pylog.streams.serde import DoubleSerde, FloatSerde, IntegerSerde, Serde, UuidSerde, decode
from pylog.streams.serde import encode as encode_item

_CONSTANT, _VARIABLE = b"\x00", b"\x01"
_INT = struct.Struct(">i")


def _item_size(inner: Serde) -> int | None:
    if isinstance(inner, IntegerSerde):
        return inner.size
    sizes: dict[type[Serde], int] = {DoubleSerde: 8, FloatSerde: 4, UuidSerde: 36}
    return sizes.get(type(inner))


class ListSerde(Serde):
    """Lists, and tuples, which come back as lists.

    Args:
        inner: the serde of an item.
    """

    def __init__(self, inner: Serde) -> None:
        self.inner = inner
        self.name = f"serdes.list_of({inner.name})"
        self._size = _item_size(inner)

    def resolve(self, config: Any) -> Serde:
        """Return this serde, what the items' serde lacks filled in."""
        inner = self.inner.resolve(config)
        return self if inner is self.inner else ListSerde(inner)

    def serialize(self, topic: str | None, data: Any) -> bytes:
        """Return the bytes of a list."""
        if not isinstance(data, list | tuple):
            raise TypeError("a list is needed")
        items = [encode_item(self.inner, topic, item) for item in data]
        if self._size is None:
            parts = [_VARIABLE, _INT.pack(len(items))]
            for item in items:
                parts += [_INT.pack(-1)] if item is None else [_INT.pack(len(item)), item]
        else:
            nulls = [index for index, item in enumerate(items) if item is None]
            parts = [_CONSTANT, struct.pack(f">{len(nulls) + 2}i", len(nulls), *nulls, len(items))]
            parts += [item for item in items if item is not None]
        return b"".join(parts)

    def deserialize(self, topic: str | None, data: bytes) -> list[Any]:
        """Return the list that the bytes mean."""
        if data[:1] == _VARIABLE:
            return self._read_variable(topic, data)
        if data[:1] == _CONSTANT and self._size is not None:
            return self._read_constant(topic, data, self._size)
        raise ValueError(f"its first byte is {data[:1]!r}")

    def _read_variable(self, topic: str | None, data: bytes) -> list[Any]:
        (count,) = _INT.unpack_from(data, 1)
        position = 5
        items: list[Any] = []
        for _ in range(count):
            (size,) = _INT.unpack_from(data, position)
            position += 4
            if size < 0:
                items.append(None)
                continue
            items.append(decode(self.inner, topic, data[position : position + size]))
            position += size
        if count < 0 or position != len(data):
            raise ValueError(f"{count} items end at byte {position}")
        return items

    def _read_constant(self, topic: str | None, data: bytes, size: int) -> list[Any]:
        (null_count,) = _INT.unpack_from(data, 1)
        if null_count < 0:
            raise ValueError(f"{null_count} items are None")
        nulls = set(struct.unpack_from(f">{null_count}i", data, 5))
        (count,) = _INT.unpack_from(data, 5 + 4 * null_count)
        position = 9 + 4 * null_count
        items: list[Any] = []
        for index in range(count):
            if index in nulls:
                items.append(None)
                continue
            items.append(decode(self.inner, topic, data[position : position + size]))
            position += size
        if count < 0 or position != len(data):
            raise ValueError(f"{count} items end at byte {position}")
        return items
