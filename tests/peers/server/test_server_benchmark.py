"""The benchmark of the server beside Kafka gives all its figures; none decides anything here."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]


def test_every_row_of_the_servers_benchmark_gets_a_figure(
    toolchain: Callable[[str], None], tmp_path: Path
) -> None:
    toolchain("java")
    out = tmp_path / "server.json"
    command = [sys.executable, "-m", "benchmarks.server", "--rounds", "1", "--seconds", "0.05"]
    done = subprocess.run(
        [*command, "--json", out], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode in (0, 1), done.stderr  # 1: a goal was missed
    for result in json.loads(out.read_text())["results"]:
        assert result["pylog"] > 0, result
        assert ("kafka" in result) is not result["row"].startswith("start"), result
    assert all(row in done.stdout for row in ("Produce requests", "kafka-consumer-perf-test"))
