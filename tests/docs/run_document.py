"""Runs the commands and Python of one document in the current folder, in their order.

    python run_document.py STEPS ANSWERS

STEPS is JSON: a list of {"kind": "python" | "console", "code": text, "line": number}. ANSWERS gets
a list of {"output": text, "failed": bool}, as long as it came. Python steps share one namespace, as
their reader would type them; what they print is their output. Stops at the first failure.
"""

import contextlib
import io
import json
import subprocess
import sys
import traceback
from pathlib import Path

TIMEOUT_S = 120.0


def run_python(code: str, line: int, namespace: dict[str, object]) -> tuple[str, bool]:
    """Run code as typed; its traceback counts lines as the document does."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            exec(compile("\n" * line + code, "<document>", "exec"), namespace)
        except Exception:
            return output.getvalue() + traceback.format_exc(), True
    return output.getvalue(), False


def run_console(command: str) -> tuple[str, bool]:
    """Run a shell command; its errors are part of its output, as on a screen."""
    done = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout, done.returncode != 0


def main(steps_path: Path, answers_path: Path) -> None:
    """Run the steps, writing what came after each."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    answers = []
    for step in json.loads(steps_path.read_text()):
        if step["kind"] == "python":
            output, failed = run_python(step["code"], step["line"], namespace)
        else:
            output, failed = run_console(step["code"])
        answers.append({"output": output, "failed": failed})
        answers_path.write_text(json.dumps(answers))
        if failed:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
