"""Fixtures of the comparisons with a real Kafka: `make peers` once, then `make test-peers`.

Without a JDK these tests are skipped with the reason; with one, a failed download or a broker that
does not start is a failure.
"""

import importlib.util
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from golden_copies import GoldenCopies
from sides import Side

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "peers" / "kafka.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peer_kafka", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_KAFKA = _load()


def _find_missing() -> str | None:
    fetched = _KAFKA.is_fetched()
    return _KAFKA.find_missing(("java",) if fetched else ("java", "javac", "mvn"))


def pytest_report_header() -> str:
    """Say in the first lines of the output which peer there is, or why there is none."""
    return f"peer: {_find_missing() or 'Kafka ' + _KAFKA.kafka_version()}"


@pytest.fixture(scope="session")
def kafka() -> ModuleType:
    """Return scripts/peers/kafka.py with Kafka's jars fetched: its tools, no broker."""
    missing = _find_missing()
    if missing:
        pytest.skip(missing)
    _KAFKA.fetch()
    return _KAFKA


@pytest.fixture(scope="session")
def broker(kafka: ModuleType) -> Iterator["_KAFKA.KafkaBroker"]:
    """Return a running broker that all tests share; topics are theirs to name."""
    with kafka.KafkaBroker() as running:
        yield running


@pytest.fixture
def random_source(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator whose seed is printed with a failure; PYLOG_SEED=n replays it."""
    seed = int(os.environ.get("PYLOG_SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"{request.node.name}: replay with PYLOG_SEED={seed}\n")
    return random.Random(seed)


@pytest.fixture
def golden_copy(tmp_path: Path) -> GoldenCopies:
    """Return a function from a golden partition's name to a copy of its folder."""
    return GoldenCopies(tmp_path)


@pytest.fixture
def sides(broker: "_KAFKA.KafkaBroker", tmp_path: Path) -> tuple[Side, Side, Side]:
    """Return confluent_kafka with the broker, pylog with a folder, pylog with the broker."""
    confluent = pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")
    import confluent_kafka.admin

    import pylog
    import pylog.admin

    cluster = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 2}
    folder = {"log.dir": str(tmp_path / "log")}
    return (
        Side(confluent, confluent_kafka.admin, cluster),
        Side(pylog, pylog.admin, folder),
        Side(pylog, pylog.admin, cluster),
    )
