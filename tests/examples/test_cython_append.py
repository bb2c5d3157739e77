"""examples/cython_append: builds against the package as it is installed, and appends."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cython_append"


def run(*words: object, path: Path | None = None) -> str:
    environment = dict(os.environ)
    if path is not None:
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = str(path) + (os.pathsep + known if known else "")
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_cython_module_appends_with_the_gil_released(tmp_path: Path) -> None:
    run(EXAMPLE / "build.py", tmp_path / "module")
    out = run(EXAMPLE / "use.py", tmp_path / "log", path=tmp_path / "module")
    assert out.splitlines() == [
        "offset 999998: sensor 7 reads 999998",
        "offset 999999: sensor 7 reads 999999",
        "another thread ran meanwhile",
    ]
    check = "import pylog, sys; print(pylog.open(sys.argv[1]).topic('readings').end_offset())"
    assert run("-c", check, tmp_path / "log").strip() == "1000000"
    assert not list(EXAMPLE.glob("*.c")) and not list(EXAMPLE.glob("*.so")), (
        "built beside the source"
    )
