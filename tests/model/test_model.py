"""Processes killed and stopped at random keep Kafka's promises: a run, checked by its histories.

PYLOG_MODEL_SEED repeats a run, PYLOG_MODEL_OPERATIONS makes it longer.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300


def run_model(operations: int) -> None:
    operations = int(os.environ.get("PYLOG_MODEL_OPERATIONS") or operations)
    seed = os.environ.get("PYLOG_MODEL_SEED") or str(random.randrange(1 << 32))
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.model", "--seed", seed, "--operations", str(operations),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S + operations / 500,
    )  # fmt: skip
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_hundred_thousand_operations_under_faults_show_no_anomaly():
    run_model(100_000)


@pytest.mark.slow
def test_a_million_operations_under_faults_show_no_anomaly():
    run_model(1_000_000)
