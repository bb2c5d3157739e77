"""The keys of the subscription store: foreign key, then primary key.

    4 bytes    size of the foreign key, big-endian
    n bytes    foreign key
    rest       primary key

All subscriptions to one foreign key lie next to each other.

Source: Kafka Streams' CombinedKey, CombinedKeySchema.
"""

from struct import Struct
from typing import Any, NamedTuple

from pylog.streams.errors import SerializationError
from pylog.streams.node import ProcessorContext
from pylog.streams.serde import Serde, decode, encode

_SIZE = Struct(">i")


class CombinedKey(NamedTuple):
    """A foreign key, None where a left row has none, and the left row's primary key."""

    foreign_key: Any
    primary_key: Any


class CombinedKeySchema:
    """Writes and reads combined keys.

    Args:
        foreign_key_topic: what the serde of foreign keys is told, without the application's id.
        foreign_key_serde: None for the application's default of keys.
        primary_key_topic: what the serde of primary keys is told, without the application's id.
        primary_key_serde: None for the application's default of keys.
    """

    def __init__(
        self,
        foreign_key_topic: str,
        foreign_key_serde: Serde | None,
        primary_key_topic: str,
        primary_key_serde: Serde | None,
    ):
        self._foreign_key_topic = foreign_key_topic
        self._foreign_key_serde = foreign_key_serde
        self._primary_key_topic = primary_key_topic
        self._primary_key_serde = primary_key_serde

    def bind(self, context: ProcessorContext) -> "BoundCombinedKeySchema":
        """Return the schema for an application: with its id, and with serdes."""
        key_serde_for = context.config.key_serde_for
        return BoundCombinedKeySchema(
            f"{context.application_id}-{self._foreign_key_topic}",
            key_serde_for(self._foreign_key_serde),
            f"{context.application_id}-{self._primary_key_topic}",
            key_serde_for(self._primary_key_serde),
        )


class BoundCombinedKeySchema:
    """Writes and reads combined keys of one application."""

    def __init__(
        self,
        foreign_key_topic: str,
        foreign_key_serde: Serde,
        primary_key_topic: str,
        primary_key_serde: Serde,
    ):
        self._foreign_key_topic = foreign_key_topic
        self._foreign_key_serde = foreign_key_serde
        self._primary_key_topic = primary_key_topic
        self._primary_key_serde = primary_key_serde

    def prefix_bytes(self, foreign_key: Any) -> bytes:
        """Return what the keys of all subscriptions to a foreign key begin with."""
        raw = encode(self._foreign_key_serde, self._foreign_key_topic, foreign_key)
        if raw is None:
            raise SerializationError(f"topic {self._foreign_key_topic!r}: no foreign key")
        return _SIZE.pack(len(raw)) + raw

    def to_bytes(self, foreign_key: Any, primary_key: Any) -> bytes:
        """Return the key of a subscription."""
        raw = encode(self._primary_key_serde, self._primary_key_topic, primary_key)
        if raw is None:
            raise SerializationError(f"topic {self._primary_key_topic!r}: no primary key")
        return self.prefix_bytes(foreign_key) + raw

    def from_bytes(self, data: bytes) -> CombinedKey:
        """Return the key that bytes are of."""
        end = _SIZE.size + _SIZE.unpack_from(data)[0]
        foreign_key = data[_SIZE.size : end]
        return CombinedKey(
            decode(self._foreign_key_serde, self._foreign_key_topic, foreign_key),
            self.primary_key(data, end),
        )

    def primary_key(self, data: bytes, start: int) -> Any:
        """Return the primary key that begins at a byte, the end of the prefix."""
        return decode(self._primary_key_serde, self._primary_key_topic, data[start:])
