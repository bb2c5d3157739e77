"""Every command and every piece of Python in README and docs runs, and prints what the page says.

A page runs from top to bottom in an empty folder. A `console` block holds commands (`$ `) and their
output, a `python` block may be followed by a `text` block with what it prints; `...` stands for
anything. A command without output shown may print what it likes, and must end with 0. What cannot
run here has the comment `<!-- not run: why -->` before it, and stands in NOT_RUN.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_document.py")
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
TIMEOUT_S = 300.0

# (page, why) of each block that is not run; .ci/run runs the README's two commands.
NOT_RUN = {
    ("README.md", "the two commands are run by .ci/run"),
    ("README.md", "needs a package index"),
    ("README.md", "minutes of measuring"),
    ("docs/start.md", "needs a package index"),
    ("docs/guides/arrow.md", "needs a package index"),
    ("docs/guides/command_line.md", "needs a server"),
    ("docs/guides/server.md", "asks for a password"),
    ("docs/guides/server.md", "runs until Ctrl-C"),
    ("docs/guides/server.md", "tests of another project"),
    ("docs/streams/tutorial.md", "needs a package index"),
}

_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]*?) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    kind: str
    code: str
    expected: str | None
    line: int


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    previous_end, previous = -1, ""
    for match in _BLOCK.finditer(text):
        language, body = match["language"], match["body"]
        line = text.count("\n", 0, match.start("body"))
        is_answer = language == "text" and previous == "python" and not text[
            previous_end : match.start()
        ].strip()  # fmt: skip
        if match["why"] is not None:
            language = ""
        elif language == "python":
            steps.append(Step("python", body, None, line))
        elif language == "console":
            steps += console_steps(body, line)
        elif is_answer:
            last = steps.pop()
            steps.append(Step("python", last.code, body, last.line))
        previous_end, previous = match.end(), language
    return steps


def console_steps(body: str, line: int) -> list[Step]:
    steps: list[Step] = []
    for number, words in enumerate(body.splitlines(), start=line):
        if words.startswith("$ "):
            steps.append(Step("console", words[2:], None, number))
        elif words.startswith("> "):
            last = steps.pop()
            steps.append(Step("console", f"{last.code}\n{words[2:]}", None, last.line))
        else:
            last = steps.pop()
            steps.append(
                Step("console", last.code, (last.expected or "") + words + "\n", last.line)
            )
    return steps


def matches(output: str, expected: str) -> bool:
    lines = [re.escape(line.rstrip()).replace(r"\.\.\.", ".*?") for line in expected.splitlines()]
    shown = "\n".join(line.rstrip() for line in output.strip("\n").splitlines())
    return re.fullmatch("\n".join(lines), shown, re.DOTALL) is not None


def environment(home: Path) -> dict[str, str]:
    """The tests' own, with `pylog` and `python` on the path whichever way pylog is installed."""
    programs = home / "bin"
    programs.mkdir()
    for name, words in (("pylog", '-m pylog "$@"'), ("python", '"$@"')):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYLOG")}
    path = os.pathsep.join([str(programs), kept.get("PATH", "/usr/bin:/bin")])
    return {**kept, "PATH": path, "HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    steps = steps_of(page.read_text())
    if not steps:
        return
    folder = tmp_path / "empty"
    folder.mkdir()
    told, answered = tmp_path / "steps.json", tmp_path / "answers.json"
    told.write_text(json.dumps([{**step.__dict__} for step in steps]))
    done = subprocess.run(
        [sys.executable, RUNNER, told, answered],
        cwd=folder,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(answered.read_text())
    for step, answer in zip(steps, answers, strict=False):
        place = f"{name_of(page)}:{step.line}: {step.code}"
        assert not answer["failed"], f"{place}\n{answer['output']}"
        if step.expected is not None:
            told_text = f"{place}\n--- the page says\n{step.expected}--- it printed\n"
            assert matches(answer["output"], step.expected), told_text + answer["output"]
    assert len(answers) == len(steps)
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr, done.stderr


def test_what_is_not_run_is_known() -> None:
    found = set()
    for page in PAGES:
        for match in _BLOCK.finditer(page.read_text()):
            if match["why"] is not None:
                found.add((name_of(page), match["why"]))
            else:
                assert match["language"] not in ("sh", "bash", "shell", "py"), name_of(page)
    assert found == NOT_RUN


@pytest.mark.parametrize(
    ("output", "expected", "is_match"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a  \n", "a\n", True),
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("rate 17/s\n", "rate .../s\n", True),
        ("a\nb\n", "a\n", False),
        ("ab\n", "a.\n", False),
    ],
)
def test_a_page_is_compared_line_by_line(output: str, expected: str, is_match: bool) -> None:
    assert matches(output, expected) is is_match
