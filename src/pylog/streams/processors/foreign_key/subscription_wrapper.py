"""What the left side of a foreign-key join asks the right side for, and its bytes.

    byte 0       version, 7 bits; 0x80 is set if there is no hash
    byte 1       instruction
    16 bytes     hash of the left row's value, if there is one
    n bytes      primary key, as its serde writes it
    4 bytes      partition of the left row, big-endian; not in version 0

Version 0 is for readers up to Kafka Streams 3.3, see `upgrade.from`.

Source: Kafka Streams' SubscriptionWrapper, SubscriptionWrapperSerde.
"""

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Any

from pylog.streams.errors import SerializationError
from pylog.streams.processors.upgrade import is_upgrading_from
from pylog.streams.serde import Serde, decode, encode

CURRENT_VERSION = 1
HASH_SIZE = 16
HAS_NO_HASH = 0x80
#: The last release that knows version 0 only.
LAST_WITH_VERSION_0 = (3, 3)

_PARTITION = Struct(">i")


class Instruction(IntEnum):
    """What the right side is to do with a subscription."""

    DELETE_KEY_NO_PROPAGATE = 0
    """End it, answer nothing."""

    DELETE_KEY_AND_PROPAGATE = 1
    """End it and answer with no value."""

    PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE = 2
    """Begin it and answer with the row, or with no value if there is none."""

    PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE = 3
    """Begin it and answer with the row, if there is one."""


_INSTRUCTIONS = tuple(Instruction)


class SubscriptionWrapper:
    """A request of the left side for the row of a foreign key.

    Attributes:
        value_hash: of the left row's value, None for a deleted row; the answer carries it back.
        instruction: an Instruction.
        primary_key: of the left row.
        primary_partition: where the left row is; None in version 0.
        version: of the format that it came in or goes out in.
    """

    __slots__ = ("instruction", "primary_key", "primary_partition", "value_hash", "version")

    def __init__(
        self,
        value_hash: bytes | None,
        instruction: int,
        primary_key: Any,
        primary_partition: int | None,
        version: int = CURRENT_VERSION,
    ):
        self.value_hash = value_hash
        self.instruction = instruction
        self.primary_key = primary_key
        self.primary_partition = primary_partition
        self.version = version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SubscriptionWrapper):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"SubscriptionWrapper({fields})"


class SubscriptionWrapperSerde(Serde):
    """Of SubscriptionWrapper.

    Args:
        primary_key_topic: what the serde of primary keys is told, before `resolve` has put the
            application's id in front.
        primary_key_serde: None for the application's default of keys.
    """

    def __init__(self, primary_key_topic: str, primary_key_serde: Serde | None):
        self._primary_key_topic = primary_key_topic
        self._primary_key_serde = primary_key_serde
        self._writes_version_0 = False

    def resolve(self, config: Any) -> "SubscriptionWrapperSerde":
        """Return the serde for an application.

        Args:
            config: the application's StreamsConfig.
        """
        resolved = SubscriptionWrapperSerde(
            f"{config['application.id']}-{self._primary_key_topic}",
            config.key_serde_for(self._primary_key_serde),
        )
        resolved._writes_version_0 = _writes_version_0(config)
        return resolved

    def serialize(self, topic: str | None, data: SubscriptionWrapper) -> bytes:
        """Return a wrapper's bytes.

        Raises:
            SerializationError: its version is unknown.
        """
        version = 0 if self._writes_version_0 else data.version
        if not 0 <= version <= CURRENT_VERSION:
            raise SerializationError(
                f"topic {topic!r}: a subscription of version {version} cannot be written"
            )
        key = encode(self._inner(), self._primary_key_topic, data.primary_key)
        if key is None:
            raise SerializationError(f"topic {topic!r}: a subscription has no primary key")
        if data.value_hash is None:
            head = bytes((version | HAS_NO_HASH, data.instruction))
        else:
            head = bytes((version, data.instruction)) + data.value_hash
        if version == 0:
            return head + key
        if data.primary_partition is None:
            raise SerializationError(f"topic {topic!r}: a subscription says no partition")
        return head + key + _PARTITION.pack(data.primary_partition)

    def deserialize(self, topic: str | None, data: bytes) -> SubscriptionWrapper:
        """Return the wrapper that bytes are of.

        Raises:
            SerializationError: they are of none, or of a later version.
        """
        if len(data) < 2:
            raise SerializationError(f"topic {topic!r}: a subscription of {len(data)} bytes")
        version = data[0] & ~HAS_NO_HASH
        instruction = data[1]
        if version > CURRENT_VERSION or instruction >= len(_INSTRUCTIONS):
            raise SerializationError(
                f"topic {topic!r}: a subscription of version {version} with instruction "
                f"{instruction} is of an unknown kind"
            )
        start = 2 if data[0] & HAS_NO_HASH else 2 + HASH_SIZE
        end = len(data) if version == 0 else len(data) - _PARTITION.size
        if end < start:
            raise SerializationError(f"topic {topic!r}: a subscription of {len(data)} bytes")
        return SubscriptionWrapper(
            None if start == 2 else data[2:start],
            _INSTRUCTIONS[instruction],
            decode(self._inner(), self._primary_key_topic, data[start:end]),
            None if version == 0 else _PARTITION.unpack_from(data, end)[0],
            version,
        )

    def _inner(self) -> Serde:
        if self._primary_key_serde is None:
            raise SerializationError("the serde of a subscription's primary key is not known yet")
        return self._primary_key_serde


def _writes_version_0(config: Mapping[str, Any]) -> bool:
    return is_upgrading_from(config, LAST_WITH_VERSION_0)
