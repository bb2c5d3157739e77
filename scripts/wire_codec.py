"""Makes the classes of pylog.wire.messages from Kafka's message schemas, one module an API.

    python scripts/wire_codec.py                             write src/pylog/wire/messages
    python scripts/wire_codec.py check                       1 when they are not up to date
    python scripts/wire_codec.py vendor kafka-clients.jar    take the schemas of another Kafka

The schemas are those inside kafka-clients.jar (Apache License 2.0) of the APIs that
src/pylog/wire/apis.py lists; scripts/wire/schema holds them with their licence and notice. What
they say of a field (versions, nullable, tagged, ignorable, default) is kept; what they say in words
is left to them. Fields that no supported version has are dropped. A tagged struct that is not there
is None, so that an answer costs no objects that nobody looks at.

To go to another Kafka: vendor its jar, write the messages, correct the versions in apis.py, run
`make test ARGS=tests/wire`, and `make test-peers ARGS=tests/wire`, which asks Kafka's own classes.
"""

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_DIR = ROOT / "scripts" / "wire" / "schema"
MESSAGES_DIR = ROOT / "src" / "pylog" / "wire" / "messages"
JAR_FOLDER = "common/message/"
JAR_PROPERTIES = "kafka/kafka-version.properties"
LINE_LENGTH = 100
PYTHON_TYPES = {
    "bool": "bool",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "int",
    "float64": "float",
    "uuid": "bytes",
    "string": "str",
    "bytes": "bytes",
    "records": "memoryview",  # in requests, which are read; responses are written
}
ZEROES = {"bool": "False", "float64": "0.0", "uuid": "NO_UUID", "string": '""', "bytes": 'b""'}

README = """# Kafka's message schemas

Of Apache Kafka {version}, as they are inside its kafka-clients.jar, under the Apache License 2.0:
LICENSE and NOTICE are theirs. Of the APIs that pylog.wire has, and unchanged;
`scripts/wire_codec.py vendor` takes those of another version.
"""

Schema = dict[str, Any]


class SchemaError(Exception):
    """A schema that this generator does not understand."""


# Reading


def without_comments(text: str) -> str:
    """Return JSON without the comments that Kafka's schemas have, `//` outside of strings."""
    return re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*', lambda match: match.group(1) or "", text)


def read_schema(name: str) -> Schema:
    """Read the schema of a message, such as ProduceRequest."""
    schema: Schema = json.loads(without_comments((SCHEMA_DIR / f"{name}.json").read_text()))
    return schema


def api_names() -> list[str]:
    """Return the APIs whose schemas are there, by key."""
    names = [path.name.removesuffix("Request.json") for path in SCHEMA_DIR.glob("*Request.json")]
    return sorted(names, key=lambda name: int(read_schema(f"{name}Request")["apiKey"]))


def versions_of(text: str) -> range:
    """Return the versions that `3`, `3-8`, `3+` or `none` stands for."""
    if text == "none":
        return range(0)
    if text.endswith("+"):
        return range(int(text[:-1]), 1 << 15)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def snake_case(name: str) -> str:
    """TimeoutMs to timeout_ms."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


# From a schema to classes


@dataclass(frozen=True)
class FieldLine:
    """One field of a class: `name: annotation = function(arguments)`."""

    name: str
    annotation: str
    function: str
    arguments: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield it as ruff would format it."""
        start = f"    {self.name}: {self.annotation} = {self.function}("
        arguments = ", ".join(self.arguments)
        if len(start + arguments) < LINE_LENGTH:
            yield f"{start}{arguments})"
        elif len(arguments) + 8 <= LINE_LENGTH:
            yield from (start, f"        {arguments}", "    )")
        else:
            yield from (start, *(f"        {argument}," for argument in self.arguments), "    )")


@dataclass(frozen=True)
class ClassBody:
    """One class: a message, with its versions, or a struct inside one."""

    name: str
    options: tuple[str, ...]
    summary: str
    fields: tuple[FieldLine, ...]

    def lines(self) -> Iterator[str]:
        """Yield the class."""
        yield f"class {self.name}({', '.join(('Message', *self.options))}):"
        yield f'    """{self.summary}"""'
        if self.fields:
            yield ""
        for line in self.fields:
            yield from line.lines()


@dataclass
class MessageWriter:
    """Turns one schema into classes, those of inner structs first."""

    schema: Schema
    taken: frozenset[str]  # names of structs that the API's other message has too
    classes: list[ClassBody] = field(default_factory=list)

    def write(self) -> list[ClassBody]:
        """Return the classes; the last one is the message's."""
        schema = self.schema
        commons = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
        used = self._structs_in(schema["fields"], schema["name"], commons)
        options = [f'versions="{schema["validVersions"]}"']
        if schema["flexibleVersions"] != "none":
            options.append(f'flexible="{schema["flexibleVersions"]}"')
        summary = f"{schema['type'].capitalize()} of API key {schema['apiKey']}."
        self._add(schema["name"], tuple(options), summary, schema["fields"])
        if unused := set(commons) - used:
            raise SchemaError(f"{schema['name']}: nobody uses {', '.join(sorted(unused))}")
        return self.classes

    def _structs_in(self, fields: list[Schema], owner: str, commons: Schema) -> set[str]:
        """Add the structs that fields are made of; return the names of the common ones."""
        used: set[str] = set()
        for item in self._kept(fields):
            kind = item["type"].removeprefix("[]")
            inner = item.get("fields")
            if kind in commons and inner is None:
                used.add(kind)
                inner = commons[kind]
            if inner is None or any(body.name == self._class_name(kind) for body in self.classes):
                continue
            used |= self._structs_in(inner, self._class_name(kind), commons)
            summary = f"Of {owner}.{snake_case(item['name'])}."
            self._add(self._class_name(kind), (), summary, inner)
        return used

    def _add(self, name: str, options: tuple[str, ...], summary: str, fields: list[Schema]) -> None:
        lines = tuple(self._field_line(item) for item in self._kept(fields))
        self.classes.append(ClassBody(name, options, summary, lines))

    def _kept(self, fields: list[Schema]) -> list[Schema]:
        """Return the fields that some supported version has."""
        valid = versions_of(self.schema["validVersions"])
        return [item for item in fields if overlap(versions_of(item["versions"]), valid)]

    def _class_name(self, kind: str) -> str:
        prefix = self.schema["type"].capitalize() if kind in self.taken else ""
        return prefix + kind

    def _field_line(self, item: Schema) -> FieldLine:
        kind = item["type"].removeprefix("[]")
        is_array = item["type"].startswith("[]")
        is_struct = kind[0].isupper()
        if kind not in PYTHON_TYPES and not is_struct:
            raise SchemaError(f"{self.schema['name']}.{item['name']}: unknown type {kind}")
        default = self._default(item, kind, is_array, is_struct)
        annotation = self._class_name(kind) if is_struct else PYTHON_TYPES[kind]
        if kind == "records" and self.schema["type"] == "response":
            annotation = "Records"
        if is_array:
            annotation = f"list[{annotation}]"
        if "nullableVersions" in item or default == "None":
            annotation += " | None"
        arguments = (
            self._class_name(kind) if is_struct else f'"{kind}"',
            *self._version_arguments(item),
            f"default={default}",
        )
        name = snake_case(item["name"])
        return FieldLine(name, annotation, "array" if is_array else "field", arguments)

    def _version_arguments(self, item: Schema) -> Iterator[str]:
        valid = versions_of(self.schema["validVersions"])
        if not covers(versions_of(item["versions"]), valid):
            yield f'"{item["versions"]}"'
        nullable = item.get("nullableVersions", "none")
        if overlap(versions_of(nullable), valid):
            yield f'nullable="{nullable}"'
        if "taggedVersions" in item:
            yield f'tagged="{item["taggedVersions"]}"'
            yield f"tag={item['tag']}"
        if item.get("ignorable"):
            yield "ignorable=True"

    def _default(self, item: Schema, kind: str, is_array: bool, is_struct: bool) -> str:
        default = item.get("default")
        if default == "null" or (kind == "records" and not is_array):
            return "None"
        if is_array:
            return "()"
        if is_struct:
            return "None" if "taggedVersions" in item else self._class_name(kind)
        if default is None:
            return ZEROES.get(kind, "0")
        if kind == "bool":
            return str(default).capitalize()
        if kind in ("string", "bytes", "uuid", "float64"):
            if default == "":
                return ZEROES[kind]
            raise SchemaError(f"{self.schema['name']}.{item['name']}: default {default!r}")
        return str(int(str(default), 0))


def overlap(some: range, others: range) -> bool:
    """Whether a version is in both."""
    return max(some.start, others.start) < min(some.stop, others.stop)


def covers(some: range, others: range) -> bool:
    """Whether `some` has all the versions of `others`."""
    return some.start <= others.start and some.stop >= others.stop


# From classes to files


def struct_names(schema: Schema) -> set[str]:
    """Return the names of the structs inside a message."""

    def walk(fields: Iterable[Schema]) -> Iterator[str]:
        for item in fields:
            if item["type"].removeprefix("[]")[0].isupper():
                yield item["type"].removeprefix("[]")
            yield from walk(item.get("fields", ()))

    commons = schema.get("commonStructs", [])
    common_fields = [item for struct in commons for item in struct["fields"]]
    return set(walk(schema["fields"] + common_fields))


def module_text(api: str) -> str:
    """Return the module of an API."""
    request, response = read_schema(f"{api}Request"), read_schema(f"{api}Response")
    taken = frozenset(struct_names(request) & struct_names(response))
    classes = MessageWriter(request, taken).write() + MessageWriter(response, taken).write()
    body = "\n".join(line for each in classes for line in ("", "", *each.lines()))
    names = [
        name
        for name in ("NO_UUID", "Message", "Records", "array", "field")
        if re.search(rf"\b{name}\b", body)
    ]
    flexible = versions_of(request["flexibleVersions"])
    summary = f"{api}, API key {request['apiKey']}, versions {request['validVersions']}" + (
        f", flexible from {flexible.start}." if flexible else "."
    )
    head = [
        f'"""{summary}',
        "",
        "Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).",
        '"""',
        "",
        f"from pylog.wire.fields import {', '.join(names)}",
    ]
    return "\n".join(head) + "\n" + body + "\n"


def module_name(api: str) -> str:
    """Return the name of an API's module: api_00_produce."""
    return f"api_{read_schema(f'{api}Request')['apiKey']:02}_{snake_case(api)}"


def wanted_modules() -> dict[Path, str]:
    """Return what should be in MESSAGES_DIR, but for __init__.py."""
    return {MESSAGES_DIR / f"{module_name(api)}.py": module_text(api) for api in api_names()}


def stale_modules() -> list[Path]:
    """Return the modules that are missing, too many, or not what their schemas say."""
    wanted = wanted_modules()
    found = {path: path.read_text() for path in MESSAGES_DIR.glob("api_*.py")}
    return sorted(path for path in wanted | found if wanted.get(path) != found.get(path))


def write_modules() -> None:
    """Make MESSAGES_DIR what the schemas say."""
    wanted = wanted_modules()
    for path in stale_modules():
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
        print(path.relative_to(ROOT))


def vendor(jar: Path) -> None:
    """Replace the schemas by those of a kafka-clients.jar."""
    with zipfile.ZipFile(jar) as archive:
        for path in SCHEMA_DIR.glob("*.json"):
            path.write_bytes(archive.read(JAR_FOLDER + path.name))
        for name in ("LICENSE", "NOTICE"):
            (SCHEMA_DIR / name).write_bytes(archive.read(name))
        properties = archive.read(JAR_PROPERTIES).decode()
    version = re.search(r"^version=(.*)$", properties, re.MULTILINE)
    if version is None:
        raise SchemaError(f"{jar}: {JAR_PROPERTIES} names no version")
    (SCHEMA_DIR / "README.md").write_text(README.format(version=version.group(1)))


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("check", help="1 when the messages are not what the schemas say")
    commands.add_parser("vendor", help="take the schemas of a jar").add_argument("jar", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "check":
        stale = stale_modules()
        for path in stale:
            print(f"{path.relative_to(ROOT)}: not up to date; run scripts/wire_codec.py")
        return 1 if stale else 0
    if arguments.command == "vendor":
        vendor(arguments.jar)
    write_modules()
    return 0


if __name__ == "__main__":
    sys.exit(main())
