"""ConfluentSerde: the serializers of confluent_kafka, for Avro, JSON Schema and Protobuf."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylog.streams.serde import Serde


@dataclass(frozen=True, slots=True)
class SerializationContext:
    """What confluent_kafka's serializers ask for; it has the fields of theirs.

    Attributes:
        topic: of the record, or of the changelog of a store.
        field: "key" or "value".
        headers: always None: serdes do not see headers.
    """

    topic: str | None
    field: str
    headers: None = None


class ConfluentSerde(Serde):
    """A pair of a serializer and a deserializer that are called with (data, context).

    Args:
        serializer: such as confluent_kafka's AvroSerializer.
        deserializer: such as AvroDeserializer; None for a serde that only writes.
        field: "key" or "value".
    """

    def __init__(
        self,
        serializer: Callable[[Any, Any], bytes | None] | None,
        deserializer: Callable[[Any, Any], Any] | None,
        field: str,
    ) -> None:
        self._serializer = serializer
        self._deserializer = deserializer
        self._field = field
        self.name = f"{type(serializer or deserializer).__name__} (confluent_kafka, {field})"

    def serialize(self, topic: str | None, data: Any) -> bytes | None:
        """Call the serializer."""
        if self._serializer is None:
            raise TypeError("no serializer was given")
        return self._serializer(data, SerializationContext(topic, self._field))

    def deserialize(self, topic: str | None, data: bytes) -> Any:
        """Call the deserializer."""
        if self._deserializer is None:
            raise TypeError("no deserializer was given")
        return self._deserializer(data, SerializationContext(topic, self._field))
