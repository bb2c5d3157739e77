"""Child: a function of a test module, run in a process of its own.

    child = Child(fill, folder=tmp_path)      # fill(folder: str) of the calling module
    child.heard()                             # the next thing it said with say()
    child.result()                            # what it returned

Arguments and answers travel as JSON. As a program: child.py <module> <function> <arguments>.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TIMEOUT_S = 120.0


class Child:
    """A running function.

    Args:
        function: of a module's top level.
        env: changes of the environment.
        prefix: a program that runs it, as unshare.
        arguments: of the function; paths arrive as str.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **arguments: Any,
    ):
        self.name = function.__name__
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [
                *prefix, sys.executable, __file__, function.__code__.co_filename,
                function.__name__, json.dumps(arguments, default=os.fspath),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def heard(self) -> Any:
        """The next thing that it said; it must say one."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.name} said nothing more: {self.errors}"
        kind, value = json.loads(line)
        assert kind == "said", f"{self.name} ended"
        return value

    def tell(self) -> None:
        """Let it go on from `await_word`."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def result(self, timeout_s: float = TIMEOUT_S) -> Any:
        """What it returned; it must end well."""
        out, _ = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0, (
            f"{self.name} ended with {self.process.returncode}: {self.errors}"
        )
        kind, value = json.loads(out.splitlines()[-1])
        assert kind == "returned"
        return value

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """It does not outlive the test."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()


def run(function: Callable[..., Any], *, timeout_s: float = TIMEOUT_S, **keywords: Any) -> Any:
    """Run a function in a process of its own and return its answer."""
    with Child(function, **keywords) as child:
        return child.result(timeout_s)


def say(value: Any) -> None:
    """In a child: a line for `heard`."""
    _write(["said", value])


def await_word() -> None:
    """In a child: wait for `tell`, or for the end of who started it."""
    sys.stdin.readline()


def _write(message: list[Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _main(path: str, function: str, arguments: str) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    _write(["returned", getattr(module, function)(**json.loads(arguments))])


if __name__ == "__main__":
    _main(*sys.argv[1:])
