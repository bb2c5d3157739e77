"""Our client properties are librdkafka's: names, aliases, defaults and ranges, asked of itself."""

import ctypes
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from pylog import config, config_table

pytestmark = pytest.mark.peer

OURS = {"log.dir", "read.only", "busy.poll"}
# What confluent_kafka takes beside librdkafka's properties.
OF_CONFLUENT = {"logger", "oauth_cb", "on_delivery", "on_commit", "delivery.report.only.error"}


class Row(NamedTuple):
    """One property as librdkafka describes it."""

    clients: str
    allowed: str
    default: str
    alias_of: str | None
    kind: str


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Return what rd_kafka_conf_properties_show prints, by name, of what can be set as text."""
    confluent = pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")
    folder = Path(confluent.__file__).parents[1] / "confluent_kafka.libs"
    (library,) = folder.glob("librdkafka*")
    path = tmp_path_factory.mktemp("librdkafka") / "properties"
    libc, librdkafka = ctypes.CDLL(None), ctypes.CDLL(str(library))
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.fclose.argtypes = librdkafka.rd_kafka_conf_properties_show.argtypes = [ctypes.c_void_p]
    file = libc.fopen(bytes(path), b"w")
    librdkafka.rd_kafka_conf_properties_show(file)
    libc.fclose(file)
    return parse_table(path.read_text())


def parse_table(text: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|", 5)]
        if len(cells) < 6 or cells[0] == "Property" or set(cells[0]) == {"-"}:
            continue
        name, clients, allowed, default, _, description = cells
        kind = description.rpartition("*Type: ")[2].rstrip("*")
        alias = re.search(r"Alias for `([^`]+)`", description)
        if kind not in {"see dedicated API", "pointer"} and name not in found:
            found[name] = Row(clients, allowed, default, alias[1] if alias else None, kind)
    assert len(found) > 100
    return found


def own(name: str) -> config.Property:
    return config.PROPERTIES[config_table.ALIASES.get(name, name)]


def test_every_property_of_librdkafka_is_known(rows: dict[str, Row]) -> None:
    known = {*config.PROPERTIES, *config_table.ALIASES}
    assert sorted(rows.keys() - known) == []


def test_every_property_of_ours_is_theirs_or_ours_on_purpose(rows: dict[str, Row]) -> None:
    more = {*config.PROPERTIES, *config_table.ALIASES} - rows.keys() - OURS - OF_CONFLUENT
    assert sorted(name for name in more if not name.endswith("_cb")) == []


def test_aliases_are_theirs(rows: dict[str, Row]) -> None:
    aliases = {name: row.alias_of for name, row in rows.items() if row.alias_of}
    assert {name: own(name).name for name in aliases} == {
        name: own(target).name for name, target in aliases.items() if target
    }


def test_defaults_are_theirs(rows: dict[str, Row]) -> None:
    different = {}
    for name, row in rows.items():
        prop = own(name)
        theirs = prop.parse(row.default, name) if row.default else None
        if prop.default != theirs and (prop.default or theirs):
            different[name] = (prop.default, theirs)
    # Their features are those of a broker connection, and a shell command is not ours to run.
    for name in ("builtin.features", "sasl.kerberos.kinit.cmd"):
        different.pop(name, None)
    assert different == {}


def test_ranges_are_theirs(rows: dict[str, Row]) -> None:
    def canonical(text: str) -> list[str]:
        return re.split(r"\s*(?:,|\.\.)\s*", text) if text else []

    different = {
        name: (own(name).allowed, row.allowed)
        for name, row in rows.items()
        if row.kind not in {"boolean"} and canonical(own(name).allowed) != canonical(row.allowed)
    }
    different.pop("builtin.features", None)
    assert different == {}


def test_a_property_belongs_to_the_same_client(rows: dict[str, Row]) -> None:
    def clients(name: str) -> str:
        prop = own(name).name
        is_producers, is_consumers = prop in config.PRODUCER, prop in config.CONSUMER
        return "*" if is_producers and is_consumers else "P" if is_producers else "C"

    assert {name: clients(name) for name in rows} == {
        name: row.clients for name, row in rows.items()
    }
