"""A helper process of our own that talks in JSON lines over its pipes.

Used where a figure must be measured between two processes: `pylog demo` and `pylog perf follow`.
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from pylog.cli.failures import CommandError

_EXIT_TIMEOUT_S = 10.0


class SecondProcess:
    """`python -m MODULE ARGUMENTS...`, started on entry and surely gone on exit.

    Args:
        module: the module to run; it answers {"ready": true} first and its result last.
        arguments: words for it.
        on_report: called in another thread with each line before the last.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        on_report: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._module = module
        self._arguments = list(arguments)
        self._on_report = on_report
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, name="pylog-second-process")
        self._ready = threading.Event()
        self._latest: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start the process and wait until it is ready."""
        if not sys.executable:
            raise CommandError("cannot start a second Python process: its program is unknown")
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Out of the terminal's reach: a Ctrl-C is for us; it ends when its stdin does.
            process_group=0,
        )
        try:
            self._reader.start()
            self._ready.wait()
            if "ready" not in self._latest:
                raise self._failure()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process, whatever happened."""
        self._stop()

    def finish(self, last_words: dict[Any, Any]) -> dict[str, Any]:
        """Send one line, wait for the process to end, and return its last report.

        Raises:
            CommandError: it failed; the message is its own.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: its last report says why
            self._process.stdin.write(json.dumps(last_words) + "\n")
            self._process.stdin.flush()
        self._reader.join()
        if self._process.wait() != 0:
            raise self._failure()
        return self._latest

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._latest = json.loads(line)
            self._ready.set()
            if self._on_report is not None:
                self._on_report(self._latest)
        self._ready.set()

    def _failure(self) -> CommandError:
        reason = self._latest.get("error", "it ended early")
        return CommandError(f"the second process failed: {reason}")

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader.is_alive():
            self._reader.join()
        if process.stdout is not None:
            process.stdout.close()
