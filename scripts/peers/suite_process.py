"""A suite as a process: it runs to its end or its timeout, and what it prints goes to a file."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import clients

TIMEOUT_S = 1800
LOG_DIR = clients.CLIENTS_DIR / "logs"
STATES = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
STATES |= {"PASSED": "passed", "FAILED": "failed", "SKIPPED": "skipped", "ERROR": "failed"}
STATES |= {"ok": "passed", "ignored": "skipped"}
"""Words of the suites' own reports, and ours for them."""


def run_logged(
    command: Sequence[str],
    settings: Mapping[str, str],
    folder: Path,
    name: str,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a suite in a folder, with settings in its environment; return what it printed.

    That is also left in LOG_DIR, as NAME.log; a suite that is stopped says so in its last line.
    """
    LOG_DIR.mkdir(parents=True, exist_ok=True)
    path = LOG_DIR / f"{name}.log"
    path.unlink(missing_ok=True)  # another run's file stays its own
    with path.open("w+", errors="replace") as log:
        try:
            subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {timeout_s} s\n")
        log.seek(0)
        return log.read()
