"""Ctrl-C and SIGTERM at any moment: a clean end, and nothing half-done under exactly_once_v2."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.streams.runtime import kill_application as application
from tests.streams.runtime.running_streams import Log
from tests.streams.runtime.tail import read_topic

_ROOT = Path(__file__).parents[3]
_SEED = int(os.environ.get("PYLOG_SEED") or time.time_ns() % 1_000_000)
_ROUNDS = 8
_PROGRAM = """
import json, sys
from tests.streams.runtime import kill_application
config = json.loads(sys.argv[1])
kill_application.run(config, sys.argv[2], lambda: print("ready", flush=True))
"""


def test_an_application_that_is_asked_to_end_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    sys.stdout.write(f"replay with PYLOG_SEED={_SEED}\n")
    choices = random.Random(_SEED)
    log = Log(tmp_path / "log", words=application.PARTITIONS, counts=4, sums=4)
    config = {
        "streams": {
            "application.id": "asked",
            **log.conf,
            "processing.guarantee": "exactly_once_v2",
            "statestore.cache.max.bytes": 0,
        }
    }
    expected: dict[bytes, int] = {}
    for number in range(_ROUNDS):
        pairs = [(f"k{choices.randrange(9)}", f"w{choices.randrange(9)}") for _ in range(1500)]
        log.write("words", pairs)
        for _, word in pairs:
            expected[word.encode()] = expected.get(word.encode(), 0) + 1
        command = [sys.executable, "-c", _PROGRAM, application.encode_config(config)]
        with subprocess.Popen(
            [*command, str(tmp_path / "state")],
            cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(choices.uniform(0, 0.3 if number < _ROUNDS - 1 else 3))
            process.send_signal(choices.choice([signal.SIGINT, signal.SIGTERM]))
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, f"seed {_SEED}: {errors}"
            assert "Traceback" not in errors, f"seed {_SEED}: {errors}"
    streams = application.streams(config, str(tmp_path / "state"))
    streams.run_to_end()
    found = read_topic(log.path, "counts")
    assert found == {key: list(range(1, count + 1)) for key, count in expected.items()}
