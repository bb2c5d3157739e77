"""Embedded programs, wire clients and the server on one folder, killed at random, lose nothing.

PYLOG_MIXED_SEED repeats a run, PYLOG_MIXED_SECONDS makes it longer; see mixed_run.py.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 300


def run_mixed(clients: ModuleType, seconds: float) -> None:
    seconds = float(os.environ.get("PYLOG_MIXED_SECONDS") or seconds)
    seed = os.environ.get("PYLOG_MIXED_SEED") or str(random.randrange(1 << 32))
    java = json.dumps(clients.java_command("MixedWriter"))
    words = ["--seed", seed, "--seconds", str(seconds), "--java", java]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.peers.server.mixed_run", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=TIMEOUT_S + 3 * seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its server too
        told, _ = process.communicate()
    sys.stdout.write(told)
    assert process.returncode == 0, told


def test_mixed_clients_and_server_killed_at_random_lose_and_double_nothing(
    clients: ModuleType, toolchain: Callable[[str], None]
) -> None:
    toolchain("java")
    run_mixed(clients, 25)


@pytest.mark.slow
def test_mixed_clients_and_server_killed_for_minutes_lose_and_double_nothing(
    clients: ModuleType, toolchain: Callable[[str], None]
) -> None:
    toolchain("java")
    run_mixed(clients, 240)
