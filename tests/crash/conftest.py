"""Fixtures of the crash tests; the modules beside this file are importable from them."""

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faults import Faults, build_library


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be repeated: PYLOG_SEED replays the seed that a failure printed."""
    seed = int(os.environ.get("PYLOG_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PYLOG_SEED={seed}\n")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture(scope="session")
def fault_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """faults.c, compiled."""
    return build_library(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def faults(fault_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """System calls that fail on demand, for children with `env=faults.environment(folder)`."""
    return Faults(fault_library, tmp_path_factory.mktemp("control") / "faults.control")


@pytest.fixture
def fast_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where a sync costs nothing; on the disk where there is none."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="pylog-crash-", dir=memory))
    yield folder
    shutil.rmtree(folder)
