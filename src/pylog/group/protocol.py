"""Kafka's consumer protocol: what members of a group tell its leader, and what it tells them.

A subscription goes with the request to join, an assignment comes with the answer to sync. The
coordinator does not look inside. Big-endian, no field tagged or compact:

```
subscription                                  assignment
  version            int16                      version            int16
  topics             int32 count, strings       partitions         int32 count, each:
  user_data          int32 size or -1, bytes      topic            string
  owned, v1+         int32 count, each:           numbers          int32 count, int32s
    topic            string                     user_data          int32 size or -1, bytes
    numbers          int32 count, int32s
  generation, v2+    int32, -1 unknown        string: int16 size, UTF-8
  rack, v3+          int16 size or -1, UTF-8

user data of `sticky`                         user data of `cooperative-sticky`
  partitions         as in an assignment        generation         int32
  generation, v1     int32
```

Versions only ever add fields at the end, so a newer one is read as the newest known here, and what
follows is left alone. Source: Kafka ConsumerProtocol, ConsumerProtocolSubscription.json,
ConsumerProtocolAssignment.json, StickyAssignor, CooperativeStickyAssignor.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pylog.errors import KafkaError, KafkaException

PROTOCOL_TYPE = "consumer"
VERSION = 3  # of both, as written

Partition = tuple[str, int]


@dataclass(frozen=True)
class Subscription:
    """What a member says when it joins.

    Attributes:
        topics: names it subscribes to.
        owned: partitions it holds while it joins.
        generation: of the group when it got them; -1 unknown.
        user_data: the strategy's own bytes.
        rack: where it runs.
        version: of the bytes it was read from.
    """

    topics: tuple[str, ...]
    owned: tuple[Partition, ...] = ()
    generation: int = -1
    user_data: bytes | None = None
    rack: str | None = None
    version: int = VERSION


@dataclass(frozen=True)
class Assignment:
    """What the leader gives to a member.

    Attributes:
        partitions: to read from now on.
        user_data: the strategy's own bytes.
        version: of the bytes it was read from.
    """

    partitions: tuple[Partition, ...]
    user_data: bytes | None = None
    version: int = VERSION


def encode_subscription(
    topics: Iterable[str],
    owned: Iterable[Partition] = (),
    generation: int = -1,
    user_data: bytes | None = None,
    rack: str | None = None,
) -> bytes:
    """Return a subscription's bytes, version 3; topics and partitions are put in order.

    Raises:
        KafkaException: _INVALID_ARG for a name or number that does not fit.
    """
    names = sorted(topics)
    return b"".join(
        [
            struct.pack(">hi", VERSION, len(names)),
            *(_string(name) for name in names),
            _nullable_bytes(user_data),
            _partitions(owned),
            struct.pack(">i", generation),
            struct.pack(">h", -1) if rack is None else _string(rack),
        ]
    )


def decode_subscription(data: bytes) -> Subscription:
    """Read a subscription of any version.

    Raises:
        KafkaException: _BAD_MSG when the bytes are no subscription.
    """
    reader = _Reader(data, "subscription")
    version = reader.version()
    topics = tuple(reader.string("topic") for _ in range(reader.count("topics", 2)))
    user_data = reader.nullable_bytes("user data")
    owned = reader.partitions("owned partitions") if version >= 1 else ()
    generation = reader.int32("generation") if version >= 2 else -1
    rack = reader.nullable_string("rack") if version >= 3 else None
    return Subscription(topics, owned, max(generation, -1), user_data, rack or None, version)


def encode_assignment(partitions: Iterable[Partition], user_data: bytes | None = None) -> bytes:
    """Return an assignment's bytes, version 3; partitions are put in order.

    Raises:
        KafkaException: _INVALID_ARG for a name or number that does not fit.
    """
    return struct.pack(">h", VERSION) + _partitions(partitions) + _nullable_bytes(user_data)


def decode_assignment(data: bytes) -> Assignment:
    """Read an assignment of any version.

    Raises:
        KafkaException: _BAD_MSG when the bytes are no assignment.
    """
    reader = _Reader(data, "assignment")
    version = reader.version()
    partitions = reader.partitions("partitions")
    return Assignment(partitions, reader.nullable_bytes("user data"), version)


def encode_sticky_user_data(partitions: Iterable[Partition], generation: int) -> bytes:
    """Return what a member of the strategy `sticky` says of its last assignment."""
    return _partitions(partitions) + struct.pack(">i", generation)


def decode_sticky_user_data(data: bytes) -> tuple[tuple[Partition, ...], int]:
    """Read (partitions, generation); version 0 has no generation and gives -1.

    Raises:
        KafkaException: _BAD_MSG when the bytes are of neither version.
    """
    reader = _Reader(data, "sticky user data")
    partitions = reader.partitions("previous assignment")
    return partitions, reader.int32("generation") if reader.has_more else -1


def encode_cooperative_user_data(generation: int) -> bytes:
    """Return what a member of the strategy `cooperative-sticky` adds to its subscription."""
    return struct.pack(">i", generation)


def decode_cooperative_user_data(data: bytes) -> int:
    """Read the generation.

    Raises:
        KafkaException: _BAD_MSG when it is not there.
    """
    return _Reader(data, "cooperative-sticky user data").int32("generation")


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) > 0x7FFF:
        raise KafkaException(
            KafkaError(
                KafkaError._INVALID_ARG,
                f"{text[:40]!r}...: {len(data)} bytes, and the group protocol takes 32767",
            )
        )
    return struct.pack(">h", len(data)) + data


def _nullable_bytes(data: bytes | None) -> bytes:
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def _partitions(partitions: Iterable[Partition]) -> bytes:
    by_topic: dict[str, list[int]] = {}
    for topic, number in sorted(partitions):
        if not 0 <= number <= 0x7FFFFFFF:
            raise KafkaException(
                KafkaError(KafkaError._INVALID_ARG, f"{topic} [{number}] is no partition")
            )
        by_topic.setdefault(topic, []).append(number)
    parts = [struct.pack(">i", len(by_topic))]
    for topic, numbers in by_topic.items():
        parts += [_string(topic), struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)]
    return b"".join(parts)


class _Reader:
    """Takes fields from the front of bytes, and says which one is wrong, and where."""

    def __init__(self, data: bytes, kind: str):
        self._data = bytes(data)
        self._kind = kind
        self._position = 0

    @property
    def has_more(self) -> bool:
        return self._position < len(self._data)

    def _wrong(self, field: str, found: str) -> KafkaException:
        return KafkaException(
            KafkaError(
                KafkaError._BAD_MSG,
                f"consumer protocol, {self._kind}, {field}, at byte {self._position} of "
                f"{len(self._data)}: {found}",
            )
        )

    def _take(self, field: str, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            left = len(self._data) - self._position
            raise self._wrong(field, f"{size} bytes expected, {left} found")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def int16(self, field: str) -> int:
        return int.from_bytes(self._take(field, 2), "big", signed=True)

    def int32(self, field: str) -> int:
        return int.from_bytes(self._take(field, 4), "big", signed=True)

    def version(self) -> int:
        version = self.int16("version")
        if version < 0:
            raise self._wrong("version", f"{version} is none")
        return version

    def count(self, field: str, item_bytes: int) -> int:
        count = self.int32(field)
        left = len(self._data) - self._position
        if not 0 <= count * item_bytes <= left:
            raise self._wrong(field, f"{count} items in {left} bytes")
        return count

    def nullable_string(self, field: str) -> str | None:
        size = self.int16(field)
        if size < -1:
            raise self._wrong(field, f"a string of {size} bytes")
        if size == -1:
            return None
        try:
            return self._take(field, size).decode()
        except UnicodeDecodeError as error:
            raise self._wrong(field, f"no UTF-8: {error.reason}") from None

    def string(self, field: str) -> str:
        text = self.nullable_string(field)
        if text is None:
            raise self._wrong(field, "null")
        return text

    def nullable_bytes(self, field: str) -> bytes | None:
        size = self.int32(field)
        if size < -1:
            raise self._wrong(field, f"{size} bytes")
        return None if size == -1 else self._take(field, size)

    def partitions(self, field: str) -> tuple[Partition, ...]:
        found = []
        for _ in range(self.count(field, 6)):
            topic = self.string("topic")
            count = self.count(f"partitions of {topic!r}", 4)
            numbers = struct.unpack(f">{count}i", self._take(field, 4 * count))
            if count and min(numbers) < 0:
                raise self._wrong(field, f"{topic} [{min(numbers)}] is no partition")
            found += [(topic, number) for number in numbers]
        return tuple(found)
