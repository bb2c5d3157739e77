"""The benchmark of the codec runs at a tiny size; no figure decides anything here."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_every_row():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.wire", "--calls", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.stderr, done.returncode) == ("", 0)
    rows = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert rows == ["read"] * 3 + ["write"] * 3
