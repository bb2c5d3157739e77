"""The table of APIs and the generated messages are what the vendored schemas say."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.wire.reference_codec import SCHEMA_DIR, read_schema

from pylog.wire import APIS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "wire_codec.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wire_codec", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_messages_are_up_to_date():
    done = subprocess.run([sys.executable, SCRIPT, "check"], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_each_schema_has_its_api():
    names = {api.name + suffix for api in APIS.values() for suffix in ("Request", "Response")}
    assert {path.stem for path in SCHEMA_DIR.glob("*.json")} == names
    assert list(APIS) == sorted(APIS)


@pytest.mark.parametrize("api", APIS.values(), ids=lambda api: api.name)
def test_versions_are_those_of_the_schemas(api):
    request, response = read_schema(f"{api.name}Request"), read_schema(f"{api.name}Response")
    assert request["apiKey"] == response["apiKey"] == api.key
    assert request["validVersions"] == response["validVersions"]
    assert request["flexibleVersions"] == response["flexibleVersions"]
    first, _, last = request["validVersions"].partition("-")
    assert (api.versions.first, api.versions.last) == (int(first), int(last or first))
    assert api.request.layout.versions == api.response.layout.versions == api.versions
    is_unstable = request.get("latestVersionUnstable", False)
    assert api.offered.last == api.versions.last - is_unstable
    assert api.offered.first == (0 if api.name == "Produce" else api.versions.first)
    assert "broker" in request["listeners"]


def test_messages_are_loaded_when_they_are_asked_for():
    program = (
        "import sys, pylog.wire; from pylog.wire import APIS\n"
        "loaded = lambda: [name for name in sys.modules if '.wire.messages.' in name]\n"
        "before = loaded(); APIS[18].request; print(before, loaded())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    printed = subprocess.check_output([sys.executable, "-c", program], text=True, env=environment)
    assert printed == "[] ['pylog.wire.messages.api_18_api_versions']\n"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("TimeoutMs", "timeout_ms"), ("Name", "name"), ("IsrNodes", "isr_nodes"), ("ACLs", "ac_ls")],
)
def test_names_become_snake_case(generator: ModuleType, name: str, wanted: str):
    assert generator.snake_case(name) == wanted


def test_comments_are_taken_from_schemas_and_not_from_strings(generator: ModuleType):
    text = '{"a": "http://x", // "b": 1\n "c": "\\"//"}'
    assert generator.without_comments(text) == '{"a": "http://x", \n "c": "\\"//"}'


def schema(**fields: object) -> dict[str, object]:
    field = {"name": "Field", "type": "int32", "versions": "0+", **fields}
    return {
        "name": "XRequest", "type": "request", "apiKey": 1, "validVersions": "1-3",
        "flexibleVersions": "none", "fields": [field],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, 'field: int = field("int32", default=0)'),
        ({"versions": "2+"}, 'field: int = field("int32", "2+", default=0)'),
        ({"default": "0x7f"}, 'field: int = field("int32", default=127)'),
        ({"ignorable": True}, 'field: int = field("int32", ignorable=True, default=0)'),
        ({"type": "bool", "default": "true"}, 'field: bool = field("bool", default=True)'),
        ({"type": "[]string"}, 'field: list[str] = array("string", default=())'),
        (
            {"type": "string", "nullableVersions": "2+", "default": "null"},
            'field: str | None = field("string", nullable="2+", default=None)',
        ),
        (
            {"type": "uuid", "taggedVersions": "3+", "tag": 7},
            'field: bytes = field("uuid", tagged="3+", tag=7, default=NO_UUID)',
        ),
    ],
)
def test_a_field_becomes_a_line(generator: ModuleType, fields: dict[str, object], line: str):
    (body,) = generator.MessageWriter(schema(**fields), frozenset()).write()
    assert [each.strip() for each in body.lines()][-1] == line


def test_a_field_that_no_supported_version_has_is_dropped(generator: ModuleType):
    (body,) = generator.MessageWriter(schema(versions="0"), frozenset()).write()
    assert body.fields == ()


def test_a_type_that_is_not_known_is_refused(generator: ModuleType):
    with pytest.raises(generator.SchemaError, match="unknown type int12"):
        generator.MessageWriter(schema(type="int12"), frozenset()).write()
