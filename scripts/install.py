"""Bring this tree into .venv as its users get it: build the wheel, install the wheel.

    python3 scripts/install.py demo dev     # .venv with the wheel and those extras
    python3 scripts/install.py --wheel      # build only, and print the wheel's path

What is up to date is left alone, so a second run takes a moment. Needs Python 3.11, its headers
and venv module, and a C compiler; says in one line which of them is missing. Standard library only.
"""

from __future__ import annotations  # a Python too old for pylog shall be able to say so

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VENV") or ROOT / ".venv").resolve()
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "pylog-installed.json"
WHEELS = ROOT / "build" / "wheel"
BUILD_REQUIREMENTS = ("setuptools>=77", "Cython>=3.1")
SOURCE_SUFFIXES = {".h", ".pxd", ".py", ".pyi", ".pyx", ".typed"}


def missing_tool() -> str:
    """One line on what this machine lacks to build, empty for nothing."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one may well run this file
        return f"Python 3.11 or newer is needed, this is {version}: make PYTHON=python3.11 ..."
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return f"Python's venv lacks ensurepip: apt install python{version}-venv"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"Python's C headers are missing: apt install python{version}-dev"
    compiler = (os.environ.get("CC") or "gcc").split()[0]
    if shutil.which(compiler) is None:
        return f"no C compiler ({compiler}): apt install gcc libc6-dev"
    return ""


def run(*command: object) -> None:
    """Run a step; its failure ends this program with the step's exit code."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)


def make_venv() -> None:
    """Make .venv, or make it anew when its interpreter is gone."""
    if VENV_PYTHON.exists() and (VENV / "bin" / "pip").exists():
        return
    if reason := missing_tool():
        sys.exit(f"error: {reason}")
    print(f"Making {VENV}", flush=True)
    run(sys.executable, "-m", "venv", "--clear", VENV)


def pip(*arguments: object) -> None:
    """Run the venv's pip, without its chatter."""
    run(VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "-q", *arguments)


def source_digest() -> str:
    """A digest of all that the wheel is made of, and of the interpreter."""
    names = ["LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"]
    paths = [ROOT / name for name in names if (ROOT / name).exists()]
    paths += [path for path in (ROOT / "src").rglob("*") if path.suffix in SOURCE_SUFFIXES]
    digest = hashlib.sha256(VENV_PYTHON.resolve().as_posix().encode())
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def drop_stale_build() -> None:
    """Leave only compiled modules with a source in build/lib: setuptools packs what lies there."""
    for library in (ROOT / "build").glob("lib.*"):
        for path in library.rglob("*"):
            source = ROOT / "src" / path.relative_to(library).parent / path.name.split(".")[0]
            if path.is_file() and not (
                path.suffix == ".so" and source.with_suffix(".pyx").exists()
            ):
                path.unlink()


def build_wheel() -> Path:
    """Path of the wheel of this tree as it is now, built when there is none."""
    folder = WHEELS / source_digest()[:16]
    wheels = list(folder.glob("*.whl"))
    if wheels:
        return wheels[0]
    print("Building the wheel: about a minute the first time", file=sys.stderr, flush=True)
    pip("install", *BUILD_REQUIREMENTS)
    shutil.rmtree(WHEELS, ignore_errors=True)
    drop_stale_build()
    pip("wheel", "--no-build-isolation", "--no-deps", "-w", folder, ".")
    return next(folder.glob("*.whl"))


def install(extras: list[str]) -> None:
    """Install the wheel and the extras that are not there yet."""
    try:
        done = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        done = {"digest": "", "extras": []}
    digest = source_digest()
    wanted = sorted({*done["extras"], *extras})
    if done == {"digest": digest, "extras": wanted}:
        return
    wheel = build_wheel()
    print(f"Installing {wheel.name} with {', '.join(wanted) or 'no extras'}", flush=True)
    STAMP.unlink(missing_ok=True)
    pip("install", f"{wheel}[{','.join(wanted)}]")
    pip("install", "--force-reinstall", "--no-deps", wheel)  # same version, other contents
    STAMP.write_text(json.dumps({"digest": digest, "extras": wanted}))


def main() -> None:
    """What the Makefile's targets begin with."""
    make_venv()
    if sys.argv[1:] == ["--wheel"]:
        print(build_wheel())
    else:
        install(sys.argv[1:])


if __name__ == "__main__":
    main()
