"""exactly_once_v2 under SIGKILL: output and state equal those of an undisturbed run, exactly."""

import os
import time
from pathlib import Path

import pytest
from tests.streams.runtime import kill_harness

_SEED = int(os.environ.get("PYLOG_STREAMS_KILL_SEED") or time.time_ns() % 1_000_000)
_KILLS = int(os.environ.get("PYLOG_STREAMS_KILLS", "15"))


@pytest.mark.parametrize("store", ["in_memory", "rocksDB"])
def test_killed_instances_leave_what_an_undisturbed_run_leaves(tmp_path: Path, store: str) -> None:
    kill_harness.run(tmp_path, kill_harness.Plan(_KILLS, _SEED, store=store))


@pytest.mark.slow
@pytest.mark.parametrize("store", ["in_memory", "rocksDB"])
def test_a_thousand_kills(tmp_path: Path, store: str) -> None:
    kill_harness.run(tmp_path, kill_harness.Plan(500, _SEED, stops=20, store=store))
