"""What the right side of a foreign-key join answers, and its bytes.

    byte 0       version, 7 bits, 0; 0x80 is set if there is no hash
    16 bytes     hash that the subscription came with, if it did
    n bytes      value of the right row, as its serde writes it; none of them for no row

Where the answer goes is not written: it says so to the partitioner of the topic.

Source: Kafka Streams' SubscriptionResponseWrapper, SubscriptionResponseWrapperSerde.
"""

from typing import Any

from pylog.streams.errors import SerializationError
from pylog.streams.processors.foreign_key.subscription_wrapper import HAS_NO_HASH, HASH_SIZE
from pylog.streams.serde import Serde, decode, encode

CURRENT_VERSION = 0


class SubscriptionResponseWrapper:
    """An answer to the left side.

    Attributes:
        original_value_hash: of the left row's value as the subscription had it, None for none.
        foreign_value: of the right row, None for none.
        primary_partition: where the left row is; None after it was read, and in answer to a
            subscription of version 0.
        version: of the format.
    """

    __slots__ = ("foreign_value", "original_value_hash", "primary_partition", "version")

    def __init__(
        self,
        original_value_hash: bytes | None,
        foreign_value: Any,
        primary_partition: int | None,
        version: int = CURRENT_VERSION,
    ):
        self.original_value_hash = original_value_hash
        self.foreign_value = foreign_value
        self.primary_partition = primary_partition
        self.version = version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SubscriptionResponseWrapper):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"SubscriptionResponseWrapper({fields})"


class SubscriptionResponseWrapperSerde(Serde):
    """Of SubscriptionResponseWrapper.

    Args:
        foreign_value_serde: None for the application's default of values.
    """

    def __init__(self, foreign_value_serde: Serde | None):
        self._foreign_value_serde = foreign_value_serde

    def resolve(self, config: Any) -> "SubscriptionResponseWrapperSerde":
        """Return the serde for an application.

        Args:
            config: the application's StreamsConfig.
        """
        where = "the right side of a foreign-key join"
        return SubscriptionResponseWrapperSerde(
            config.value_serde_for(self._foreign_value_serde, where)
        )

    def serialize(self, topic: str | None, data: SubscriptionResponseWrapper) -> bytes:
        """Return an answer's bytes.

        Raises:
            SerializationError: its version is unknown.
        """
        if data.version != CURRENT_VERSION:
            raise SerializationError(
                f"topic {topic!r}: an answer of version {data.version} cannot be written"
            )
        value = b""
        if data.foreign_value is not None:
            value = encode(self._inner(), topic, data.foreign_value) or b""
        if data.original_value_hash is None:
            return bytes((CURRENT_VERSION | HAS_NO_HASH,)) + value
        return bytes((CURRENT_VERSION,)) + data.original_value_hash + value

    def deserialize(self, topic: str | None, data: bytes) -> SubscriptionResponseWrapper:
        """Return the answer that bytes are of.

        Raises:
            SerializationError: they are of none, or of a later version.
        """
        start = 1 if data[:1] >= b"\x80" else 1 + HASH_SIZE
        if len(data) < start:
            raise SerializationError(f"topic {topic!r}: an answer of {len(data)} bytes")
        version = data[0] & ~HAS_NO_HASH
        if version != CURRENT_VERSION:
            raise SerializationError(f"topic {topic!r}: an answer of version {version} is unknown")
        value = data[start:]
        return SubscriptionResponseWrapper(
            None if start == 1 else data[1:start],
            decode(self._inner(), topic, value) if value else None,
            None,
        )

    def _inner(self) -> Serde:
        if self._foreign_value_serde is None:
            raise SerializationError("the serde of an answer's value is not known yet")
        return self._foreign_value_serde


def response_partitioner(
    topic: str, key: Any, value: SubscriptionResponseWrapper, partition_count: int
) -> int | None:
    """Say where an answer goes: to the partition of the left row, or where its key hashes to."""
    return value.primary_partition
