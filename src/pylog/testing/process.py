"""ServerProcess: a Kafka server in a process of its own, which may be killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Self

import pylog
from pylog.testing.server import MEMORY, temporary_folder

_READY = re.compile(r" on (\S+); Ctrl-C ends it\.$")
_STOP_TIMEOUT_S = 30.0


def _python_path() -> str:
    """So that the process finds the pylog that this one has."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(pylog.__file__)))
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


def _text_of(file: IO[str]) -> str:
    """All that was written to it; it is closed."""
    with file:
        file.seek(0)
        return file.read()


class ServerProcess:
    """`pylog serve` on free ports of the loopback interface. A context manager.

    Args:
        folder: of the log, which stays; or MEMORY, which lasts until `close`.
        brokers: how many virtual brokers to be.
        properties: as in Kafka's server.properties.
        listen: where to listen, as for `pylog serve --listen`.
        arguments: more words for the command.

    Attributes:
        folder: the path of the log's folder.
        bootstrap_servers: where clients connect; the same after another `start`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = MEMORY,
        *,
        brokers: int = 1,
        properties: Mapping[str, str] | None = None,
        listen: str = "127.0.0.1:0",
        arguments: Sequence[str] = (),
    ) -> None:
        self._is_temporary = os.fspath(folder) == MEMORY
        self.folder = temporary_folder() if self._is_temporary else os.fspath(folder)
        self.bootstrap_servers = ""
        self._listen = listen
        overrides = [f"--override={name}={value}" for name, value in (properties or {}).items()]
        self._arguments = [f"--brokers={brokers}", *overrides, *arguments]
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[str] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        if self._process is None:
            raise RuntimeError("the server does not run: use it in a with statement, or start()")
        return self._process.pid

    def start(self) -> Self:
        """Start it; when this returns, clients can connect.

        Raises:
            RuntimeError: it runs already, or it ended at once; the text says why.
        """
        if self._process is not None:
            raise RuntimeError("the server runs already")
        words = ["serve", self.folder, "--listen", self._listen, *self._arguments]
        # A file: of a pipe that nobody reads the server would wait, once it has written 64 KiB.
        stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "pylog", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        assert process.stdout is not None, "it is a pipe"
        ready = _READY.search(process.stdout.readline().rstrip())
        if ready is None:
            process.kill()
            process.communicate()
            raise RuntimeError(f"the server ended: {_text_of(stderr).strip()}")
        self._process, self._stderr = process, stderr
        self.bootstrap_servers = ready[1]
        port = ready[1].partition(",")[0].rpartition(":")[2]
        self._listen = f"{self._listen.rpartition(':')[0]}:{port}"
        return self

    def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> str:
        """End it with SIGTERM; what it wrote on stderr. Idempotent."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        """Stop it, and remove a folder that was MEMORY."""
        self.stop()
        if self._is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: int) -> str:
        process, self._process = self._process, None
        stderr, self._stderr = self._stderr, None
        if process is None or stderr is None:
            return ""
        process.send_signal(number)
        try:
            process.communicate(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeError(f"the server did not stop: {_text_of(stderr).strip()}") from None
        return _text_of(stderr)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self.close()
