"""Runs the real command line in a process of its own."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 120.0
PROGRAM = (sys.executable, "-m", "pylog")


@dataclass
class Outcome:
    """How a command ended."""

    exit_code: int
    out_bytes: bytes
    err: str

    @property
    def out(self) -> str:
        return self.out_bytes.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def notes(self) -> list[str]:
        return self.err.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Our own environment without what would change a command's answer."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYLOG", "FORCE_COLOR", "NO_COLOR", "COLUMNS"))
    }
    for name, value in (changes or {}).items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return kept


@dataclass
class Cli:
    """The program on one folder.

    Args:
        folder: passed as --dir to every command.
        cwd: where it runs; relative paths of a test begin here.
    """

    folder: Path
    cwd: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __call__(self, *words: object, **keywords: Any) -> Outcome:
        """Run a command on the folder and return how it ended."""
        return self.bare("--dir", self.folder, *words, **keywords)

    def bare(
        self,
        *words: object,
        stdin: bytes | str = b"",
        env: Mapping[str, str | None] | None = None,
        timeout_s: float = TIMEOUT_S,
        **keywords: Any,
    ) -> Outcome:
        """Run a command without --dir."""
        done = subprocess.run(
            [*PROGRAM, *map(str, words)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdout=keywords.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env=environment(env),
            cwd=self.cwd,
            timeout=timeout_s,
            check=False,
            **keywords,
        )
        outcome = Outcome(done.returncode, done.stdout or b"", done.stderr.decode())
        assert "Traceback" not in outcome.err, outcome.err
        return outcome

    def ok(self, *words: object, **keywords: Any) -> Outcome:
        """Run a command that must succeed."""
        outcome = self(*words, **keywords)
        assert outcome.exit_code == 0, f"{words}: {outcome}"
        return outcome

    def fails(self, *words: object, exit_code: int = 1, **keywords: Any) -> str:
        """Run a command that must fail; return its one line without `pylog: `."""
        return failure_line(self(*words, **keywords), exit_code)

    def start(self, *words: object, **keywords: Any) -> "subprocess.Popen[bytes]":
        """Start a command on the folder with pipes; the fixture ends it if the test does not."""
        process = subprocess.Popen(
            [*PROGRAM, "--dir", str(self.folder), *map(str, words)],
            stdin=keywords.pop("stdin", subprocess.PIPE),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(keywords.pop("env", None)),
            cwd=self.cwd,
            **keywords,
        )
        self.started.append(process)
        return process

    def end_all(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def consumed(self, topic: str, *words: object) -> list[str]:
        """All messages of a topic, one string each, through `-f`."""
        return self.ok("consume", topic, "-e", "-q", *words).lines


def failure_line(outcome: Outcome, exit_code: int = 1) -> str:
    """The one line that a failed command says."""
    assert outcome.exit_code == exit_code, outcome
    last = outcome.notes[-1]
    assert last.startswith("pylog: "), outcome
    others = [line for line in outcome.notes[:-1] if line.startswith("pylog: ")]
    assert not others, outcome
    return last.removeprefix("pylog: ")


MANY = """
import io, json, sys
from pylog.cli.main import main
answers = []
for words in json.load(sys.stdin):
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO()) for _ in range(2))
    code = main(words)
    answers.append([code, *(stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr)
                            if not stream.flush())])
json.dump(answers, sys.__stdout__)
"""


def run_many(commands: list[list[str]]) -> list[Outcome]:
    """Run commands one after the other in one process, to save its start; stdin is empty."""
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=TIMEOUT_S,
        check=True,
    )
    outcomes = [Outcome(code, out.encode(), err) for code, out, err in json.loads(done.stdout)]
    for outcome in outcomes:
        assert "Traceback" not in outcome.err, outcome.err
    return outcomes


def interrupt(process: "subprocess.Popen[bytes]") -> Outcome:
    """Send Ctrl-C and return how the command ended."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    outcome = Outcome(process.returncode, out, err.decode())
    assert "Traceback" not in outcome.err, outcome.err
    return outcome


def seeded_random() -> random.Random:
    """Chance that can be repeated: PYLOG_TEST_SEED replays the seed that a failure printed."""
    seed = int(os.environ.get("PYLOG_TEST_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PYLOG_TEST_SEED={seed}\n")
    return random.Random(seed)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Look until something another process does has happened."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"did not happen: {what}"
        time.sleep(0.01)
