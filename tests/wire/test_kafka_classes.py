"""Random messages and headers through Kafka's own classes: read, written again, the same bytes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.wire.random_messages import RandomMessages, every_version, seeded_random
from tests.wire.reference_codec import SCHEMA_DIR

from pylog.wire import Request, encode_request, encode_response
from pylog.wire.encoder import encode
from pylog.wire.planner import plan_of

pytestmark = pytest.mark.peer

PROGRAM = Path(__file__).with_name("MessageEcho.java")
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "peers" / "kafka.py"
MESSAGES = 20  # of each


@pytest.fixture(scope="module")
def kafka() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wire_peer_kafka", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    missing = module.find_missing(("java",) if module.is_fetched() else ("java", "javac", "mvn"))
    if missing:
        pytest.skip(missing)
    module.fetch()
    return module


def answers(kafka: ModuleType, lines: list[str]) -> list[str]:
    printed: str = kafka.run_java(PROGRAM, stdin="\n".join(lines))
    return printed.splitlines()


def test_kafka_reads_and_writes_the_same_bytes(kafka: ModuleType):
    maker = RandomMessages(seeded_random("messages"))
    lines, wanted = [], []
    for cls, _, version, _ in every_version():
        for _ in range(MESSAGES):
            message = maker.make(cls, version)
            data = b"".join(encode(plan_of(cls, version), message)).hex()
            lines.append(f"message\t{cls.__name__}\t{version}\t{data}")
            wanted.append(data)
    found = answers(kafka, lines)
    assert len(found) == len(wanted)
    wrong = [trio for trio in zip(lines, wanted, found, strict=True) if trio[1] != trio[2]]
    assert wrong == []


def test_kafka_reads_the_headers(kafka: ModuleType):
    maker = RandomMessages(seeded_random("headers"))
    lines, wanted = [], []
    for number, (cls, key, version, direction) in enumerate(every_version()):
        message = maker.make(cls, version)
        size = sum(len(part) for part in encode(plan_of(cls, version), message))
        if direction == "request":
            request = Request(key, version, number, "client ✓", message)
            frame = b"".join(encode_request(request))[4:].hex()
            lines.append(f"request\t{frame}")
            wanted.append(f"{key}\t{version}\t{number}\tclient ✓\t{size}")
        else:
            frame = b"".join(encode_response(Request(key, version, number), message))[4:].hex()
            lines.append(f"response\t{key}\t{version}\t{frame}")
            wanted.append(f"{number}\t{size}")
    assert answers(kafka, lines) == wanted


def test_the_schemas_are_those_of_this_kafka(kafka: ModuleType):
    release = kafka.kafka_version().rpartition(".")[0]
    readme = (SCHEMA_DIR / "README.md").read_text()
    assert f"Of Apache Kafka {release}." in readme, "vendor its schemas: scripts/wire_codec.py"
