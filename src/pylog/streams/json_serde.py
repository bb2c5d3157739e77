"""JsonSerde: values as JSON, by msgspec, which the extra `streams` brings."""

from typing import Any

from pylog.streams.serde import Serde


class JsonSerde(Serde):
    """What JSON can say: dicts, lists, text, numbers, booleans; and msgspec's types.

    Keys of dicts are sorted, so that equal values have equal bytes, as a record's key needs.

    Args:
        kind: what to make of it: a dataclass, a msgspec.Struct, a TypedDict, `list[int]`; data of
            another shape is refused. By default whatever is there.

    Raises:
        ImportError: msgspec is not installed.
    """

    def __init__(self, kind: Any = Any) -> None:
        try:
            import msgspec  # an extra
        except ImportError as error:
            raise ImportError(
                "serdes.json needs msgspec: pip install 'pylog-stream[streams]'"
            ) from error
        shown = getattr(kind, "__qualname__", str(kind))
        self.name = "serdes.json" if kind is Any else f"serdes.json_of({shown})"
        self._encode = msgspec.json.Encoder(order="deterministic").encode
        self._decode = msgspec.json.Decoder(kind).decode

    def serialize(self, topic: str | None, data: Any) -> bytes:
        """Return the value as JSON text in UTF-8."""
        return self._encode(data)

    def deserialize(self, topic: str | None, data: bytes) -> Any:
        """Return the value that the text means; `null` is None."""
        return self._decode(data)
