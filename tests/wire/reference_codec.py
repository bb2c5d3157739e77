"""Kafka's message format a second time: slow, plain, straight from the JSON schemas.

It shares nothing with pylog.wire but the objects whose fields it reads, so that a mistake in the
generator, the plans or the codec shows as a difference. It can also put fields behind every struct
that no reader knows.
"""

import json
import re
import struct
from pathlib import Path
from typing import Any

SCHEMA_DIR = Path(__file__).resolve().parents[2] / "scripts" / "wire" / "schema"
FORMATS = {"int8": ">b", "int16": ">h", "int32": ">i", "int64": ">q", "float64": ">d", "bool": ">?"}
UNKNOWN_TAGS = (37, 10_000)


def read_schema(name: str) -> dict[str, Any]:
    lines = (SCHEMA_DIR / f"{name}.json").read_text().splitlines()
    code = [re.sub(r"\s//.*$", "", line) for line in lines if not line.lstrip().startswith("//")]
    schema: dict[str, Any] = json.loads("\n".join(code))
    return schema


def has(versions: str | None, version: int) -> bool:
    if versions is None or versions == "none":
        return False
    first, _, last = versions.replace("+", "-99").partition("-")
    return int(first) <= version <= int(last or first)


def snake_case(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def uvarint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found + bytes([value]))


class ReferenceWriter:
    """Writes messages of one schema.

    Args:
        name: of the schema.
        version: to write.
        with_unknown: add tagged fields that nobody knows to every struct.
    """

    def __init__(self, name: str, version: int, with_unknown: bool = False) -> None:
        self._schema = read_schema(name)
        self._commons = {
            item["name"]: item["fields"] for item in self._schema.get("commonStructs", ())
        }
        self._version = version
        self._is_flexible = has(self._schema["flexibleVersions"], version)
        self._with_unknown = with_unknown

    def write(self, message: object) -> bytes:
        return self._struct(self._schema["fields"], message)

    def _struct(self, fields: list[dict[str, Any]], value: object) -> bytes:
        plain, tagged = b"", {}
        for field in fields:
            if not has(field["versions"], self._version):
                continue
            content = getattr(value, snake_case(field["name"]))
            if not has(field.get("taggedVersions"), self._version):
                plain += self._field(field, content)
            elif not self._is_default(field, content):
                tagged[field["tag"]] = self._field(field, content)
        if not self._is_flexible:
            return plain
        if self._with_unknown:
            tagged |= {tag: b"\xff" * tag for tag in UNKNOWN_TAGS}
        plain += uvarint(len(tagged))
        for tag in sorted(tagged):
            plain += uvarint(tag) + uvarint(len(tagged[tag])) + tagged[tag]
        return plain

    def _is_default(self, field: dict[str, Any], value: object) -> bool:
        kind, default = field["type"], field.get("default")
        if value is None:
            return default == "null" or kind[0].isupper()
        if isinstance(value, list | str):
            return not value and default is None
        if kind == "uuid":
            return value == bytes(16)
        if kind == "bool":
            return value == (default == "true")
        return not kind[0].isupper() and value == int(default or "0", 0)

    def _field(self, field: dict[str, Any], value: Any) -> bytes:
        kind = field["type"]
        fields = field.get("fields") or self._commons.get(kind.removeprefix("[]"))
        if kind.startswith("[]"):
            if value is None:
                return self._length(-1, "i")
            elements = [self._value(kind[2:], fields, element) for element in value]
            return self._length(len(elements), "i") + b"".join(elements)
        if kind[0].isupper() and has(field.get("nullableVersions"), self._version):
            return b"\xff" if value is None else b"\x01" + self._value(kind, fields, value)
        return self._value(kind, fields, value)

    def _value(self, kind: str, fields: list[dict[str, Any]] | None, value: Any) -> bytes:
        if kind in FORMATS:
            return struct.pack(FORMATS[kind], value)
        if kind == "uuid":
            return bytes(value)
        if fields is not None:
            return self._struct(fields, value)
        size = "h" if kind == "string" else "i"
        if value is None:
            return self._length(-1, size)
        content = value.encode() if kind == "string" else bytes(value)
        return self._length(len(content), size) + content

    def _length(self, length: int, size: str) -> bytes:
        return uvarint(length + 1) if self._is_flexible else struct.pack(f">{size}", length)
