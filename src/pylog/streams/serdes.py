"""Serdes by name: `serdes.string`, `serdes.long`, `serdes.json`, and those made of others.

The bytes are those of Kafka's serializers: a Java program reads what these write. A serde of one's
own is `Serde.of(serialize, deserialize)` or a subclass of Serde.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.confluent_serde import ConfluentSerde
from pylog.streams.durations import Duration, to_ms
from pylog.streams.json_serde import JsonSerde
from pylog.streams.list_serde import ListSerde
from pylog.streams.serde import (
    BooleanSerde,
    BytesSerde,
    DoubleSerde,
    FloatSerde,
    IntegerSerde,
    Serde,
    StringSerde,
    UuidSerde,
    VoidSerde,
)
from pylog.streams.windowed_serde import SessionWindowedSerde, TimeWindowedSerde

# What a key is taken for whose serde nobody has said: after select_key, map or group_by.
assumed_string = StringSerde(
    hint="; this key came of select_key, map or group_by, so say its serde: key_serde=serdes.long, "
    "or default.key.serde in the configuration"
)
boolean = BooleanSerde()
bytes = BytesSerde()  # noqa: A001 - Kafka's names, always read with `serdes.` before them
double = DoubleSerde()
float = FloatSerde()  # noqa: A001
int = IntegerSerde(4)  # noqa: A001
long = IntegerSerde(8)
short = IntegerSerde(2)
string = StringSerde()
uuid = UuidSerde()
void = VoidSerde()
json: Serde  # made when it is asked for: it needs an extra


def __getattr__(name: str) -> Any:
    if name != "json":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    serde = globals()["json"] = JsonSerde()
    return serde


def json_of(kind: Any) -> Serde:
    """JSON of one type: a dataclass, a msgspec.Struct, a TypedDict, `dict[str, int]`.

    Raises:
        ImportError: msgspec is not installed.
    """
    return JsonSerde(kind)


def string_of(encoding: str = "utf-8", errors: str = "strict") -> Serde:
    """Text in another encoding, or of UTF-8 that may be broken: `errors="replace"` as in Java."""
    return StringSerde(encoding, errors)


def list_of(inner: Serde) -> Serde:
    """Lists of what `inner` takes."""
    return ListSerde(inner)


def time_windowed(inner: Serde | None, window_size: Duration) -> TimeWindowedSerde:
    """Windowed keys of time windows of one size; `inner` None: of the default key serde."""
    return TimeWindowedSerde(inner, to_ms(window_size, "window_size"))


def time_windowed_changelog(inner: Serde | None, window_size: Duration) -> TimeWindowedSerde:
    """Keys as the changelog of a window store has them, to read that topic."""
    return TimeWindowedSerde(inner, to_ms(window_size, "window_size"), reads_changelog=True)


def session_windowed(inner: Serde | None) -> SessionWindowedSerde:
    """Windowed keys of sessions; `inner` None: of the default key serde."""
    return SessionWindowedSerde(inner)


def from_confluent(
    serializer: Callable[[Any, Any], Any] | None,
    deserializer: Callable[[Any, Any], Any] | None,
    *,
    is_key: bool = False,
) -> Serde:
    """A serde of confluent_kafka's serializers: Avro, JSON Schema, Protobuf.

    Args:
        serializer: `AvroSerializer(registry, schema)` and its like; None to read only.
        deserializer: `AvroDeserializer(registry)` and its like; None to write only.
        is_key: whether it is for keys: they have a schema of their own in the registry.
    """
    if serializer is None and deserializer is None:
        raise TypeError("from_confluent needs a serializer or a deserializer")
    return ConfluentSerde(serializer, deserializer, "key" if is_key else "value")
