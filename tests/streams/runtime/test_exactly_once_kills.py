"""exactly_once_v2 under SIGKILL: output and state equal those of an undisturbed run, exactly."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime import kill_harness

_SEED = int(os.environ.get("PYLOG_STREAMS_KILL_SEED") or time.time_ns() % 1_000_000)
_KILLS = int(os.environ.get("PYLOG_STREAMS_KILLS", "500"))


ONE_THREAD = {"store": "in_memory"}
TWO_THREADS = {"store": "rocksDB", "threads": 2, "standbys": 1}


@pytest.mark.parametrize("kind", [ONE_THREAD, TWO_THREADS], ids=["memory", "disk"])
def test_killed_instances_leave_what_an_undisturbed_run_leaves(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    kill_harness.run(tmp_path, kill_harness.Plan(_KILLS, _SEED, **kind))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ONE_THREAD, TWO_THREADS], ids=["memory", "disk"])
def test_a_thousand_kills_of_longer_lives_and_stopped_instances(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    kill_harness.run(tmp_path, kill_harness.Plan(500, _SEED, stops=20, longest_s=0.9, **kind))
