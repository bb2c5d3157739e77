"""What a message is made of: classes whose attributes are its fields, each with its versions.

    class PartitionProduceData(Message):
        index: int = field("int32", default=0)
        records: memoryview | None = field("records", nullable="0+", default=None)

    class ProduceRequest(Message, versions="3-13", flexible="9+"):
        topic_data: list[TopicProduceData] = array(TopicProduceData, default=())

A range of versions is written as in Kafka's schemas: `3`, `3-8`, `3+`. The classes in
pylog.wire.messages are generated from those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, dataclass_transform

from pylog.wire.shape import Shape, Struct

Buffer: TypeAlias = bytes | bytearray | memoryview
Records: TypeAlias = Buffer | Sequence[Buffer]
"""What may be written: one buffer, or several that are sent one after another."""

NO_UUID = bytes(16)
LAST_VERSION = 0x7FFF


@dataclass(frozen=True)
class Versions:
    """A range of versions, both ends included; empty when `first` is above `last`."""

    first: int
    last: int

    @classmethod
    @cache
    def parse(cls, text: str) -> "Versions":
        """Read `3`, `3-8`, `3+` or nothing."""
        if text in ("", "none"):
            return cls(0, -1)
        if text.endswith("+"):
            return cls(int(text[:-1]), LAST_VERSION)
        first, _, last = text.partition("-")
        return cls(int(first), int(last or first))

    def __contains__(self, version: int) -> bool:
        return self.first <= version <= self.last


@dataclass(frozen=True)
class Field:
    """One field of a struct.

    Attributes:
        kind: the name of a primitive type, or the class of a struct.
        is_array: whether it is an array of those.
        versions: that have it.
        nullable: versions in which it may be None.
        tagged: versions in which it is written behind, with its tag, if it has not its default.
        tag: its number there.
        is_ignorable: whether a value is dropped by a version that cannot carry it, not refused.
        default: of versions that lack it; `()` is an empty list, a class an object of it.
    """

    kind: Any
    is_array: bool
    versions: Versions
    nullable: Versions
    tagged: Versions
    tag: int
    is_ignorable: bool
    default: Any


def field(
    kind: str | type,
    versions: str = "0+",
    *,
    nullable: str = "",
    tagged: str = "",
    tag: int = 0,
    ignorable: bool = False,
    default: object,
    is_array: bool = False,
) -> Any:
    """Declare a field that holds one value; the arguments are Field's."""
    return Field(
        kind,
        is_array,
        Versions.parse(versions),
        Versions.parse(nullable),
        Versions.parse(tagged),
        tag,
        ignorable,
        default,
    )


def array(kind: str | type, versions: str = "0+", *, default: object, **options: Any) -> Any:
    """Declare a field that holds a list of values."""
    return field(kind, versions, default=default, is_array=True, **options)


@dataclass(frozen=True)
class Layout:
    """What a class was declared with.

    Attributes:
        fields: by name, in the order of the bytes.
        versions: of the message; empty for a struct inside one.
        flexible: versions with compact lengths and tagged fields.
        shape: where the fields lie in an object.
    """

    fields: dict[str, Field]
    versions: Versions
    flexible: Versions
    shape: Shape


@dataclass_transform(kw_only_default=True, field_specifiers=(field, array))
class MessageType(type):
    """Makes slots of fields, as a dataclass with slots would."""

    layout: Layout

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        versions: str = "",
        flexible: str = "",
    ) -> "MessageType":
        """Make the class of a message, or of a struct inside one."""
        fields = {key: value for key, value in namespace.items() if isinstance(value, Field)}
        body = {key: value for key, value in namespace.items() if key not in fields}
        cls = super().__new__(mcs, name, bases, body | {"__slots__": tuple(fields)})
        if fields or bases != (Struct,):
            shape = Shape(cls, {key: value.default for key, value in fields.items()})
            parse = Versions.parse
            cls.layout = Layout(fields, parse(versions), parse(flexible), shape)
        return cls


class Message(Struct, metaclass=MessageType):
    """Base of the messages and of the structs inside them."""
