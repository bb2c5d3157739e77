"""The Kafka listener as other makers' clients meet it: a server process, and what fetches clients.

`make peers` lays the clients; a test whose client this machine cannot have is skipped with what is
missing. A client that can be had and does not work is a failure.
"""

import importlib
import itertools
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.peers.server.secure_peers import SecureServer, serving

from pylog.testing.process import ServerProcess

SCRIPTS_DIR = Path(__file__).resolve().parents[3] / "scripts" / "peers"
PROPERTIES = {"num.partitions": "4", "group.initial.rebalance.delay.ms": "0"}
_numbers = itertools.count()


def _load(name: str) -> ModuleType:
    if str(SCRIPTS_DIR) not in sys.path:
        sys.path.append(str(SCRIPTS_DIR))
    return importlib.import_module(name)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """Return a running server that the tests share; topics are theirs to name."""
    with ServerProcess(properties=PROPERTIES) as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[ServerProcess]:
    """Return three virtual brokers in one process."""
    with ServerProcess(properties=PROPERTIES, brokers=3) as running:
        yield running


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """Return a running server that knows users and certificates."""
    with serving(tmp_path_factory, {}) as server:
        yield server


@pytest.fixture(scope="session")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """Return such a server whose sessions end after a second and a half."""
    with serving(tmp_path_factory, {"connections.max.reauth.ms": "1500"}) as server:
        yield server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a name for topics and groups that no other test has."""
    return f"{request.node.originalname.removeprefix('test_')[:40]}-{next(_numbers)}"


@pytest.fixture(scope="session")
def clients() -> ModuleType:
    """Return scripts/peers/clients.py."""
    return _load("clients")


@pytest.fixture(scope="session")
def suites() -> ModuleType:
    """Return scripts/peers/client_suites.py."""
    return _load("client_suites")


@pytest.fixture(scope="session")
def toolchain(clients: ModuleType) -> Callable[[str], None]:
    """Return a function that fetches a toolchain's clients, or skips where it is missing."""

    def fetch(which: str) -> None:
        missing = clients.TOOLCHAINS[which].find_missing()
        if missing:
            pytest.skip(missing)
        clients.TOOLCHAINS[which].fetch()

    return fetch


@pytest.fixture(scope="session")
def kcat() -> str:
    """Return the program kcat."""
    path = shutil.which("kcat") or shutil.which("kafkacat")
    if path is None:
        pytest.skip("kcat is not on PATH (Debian: apt install kcat)")
    return path


@pytest.fixture
def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
