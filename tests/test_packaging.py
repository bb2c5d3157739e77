"""The wheel and the sdist: what is in them, and that the wheel needs neither compiler nor tree.

`scripts/install.py --wheel` gives the wheel of the tree as it is, built anew only when a source
changed: the same one that `make test` runs against.
"""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_WHEEL_BYTES = 8 << 20
HEAVY_MODULES = {"cramjam", "lmdb", "msgspec", "numpy", "pyarrow", "rich", "typer"}


def run(*command: object, cwd: Path = ROOT, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=kept | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel() -> Path:
    # This interpreter's own environment builds it, wherever that is.
    return Path(run(sys.executable, "scripts/install.py", "--wheel", VENV=sys.prefix).strip())


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_all_that_an_embedder_needs(wheel_names: set[str]):
    source = ROOT / "src"
    for pattern in ("**/*.py", "**/*.pyi", "**/*.pxd", "*/c/*.h", "*/py.typed"):
        wanted = {str(path.relative_to(source)) for path in source.glob(pattern)}
        assert wanted, pattern
        assert wanted <= wheel_names
    for path in source.rglob("*.pyx"):
        stem = str(path.relative_to(source).with_suffix(""))
        assert any(name.startswith(stem + ".") and name.endswith(".so") for name in wheel_names)


def test_the_wheel_holds_nothing_else_and_is_small(wheel: Path, wheel_names: set[str]):
    suffixes = {Path(name).suffix for name in wheel_names if ".dist-info/" not in name}
    assert suffixes == {".py", ".pyi", ".pyx", ".pxd", ".h", ".so", ".typed"}
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {
        "logcore", "pylog", "pylog_stream",
    }  # fmt: skip
    modules = [name for name in wheel_names if name.endswith(".so")]
    assert len(modules) == len(list((ROOT / "src").rglob("*.pyx")))
    assert wheel.stat().st_size < MOST_WHEEL_BYTES


def test_the_wheel_carries_the_licence_the_command_and_few_dependencies(
    wheel: Path, wheel_names: set[str]
):
    folder = next(name for name in wheel_names if name.endswith(".dist-info/METADATA"))[:-8]
    assert folder + "licenses/LICENSE" in wheel_names
    with zipfile.ZipFile(wheel) as archive:
        assert "pylog = pylog.cli.main:main" in archive.read(folder + "entry_points.txt").decode()
        metadata = archive.read(folder + "METADATA").decode()
    required = [
        line.split()[1].split(">")[0].split("=")[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(required) == ["cramjam", "numpy", "rich", "typer", "xxhash"]


def test_the_wheel_runs_in_an_empty_environment_without_a_compiler(wheel: Path, tmp_path: Path):
    # The dependencies come from this environment's folder: a wheel brings none of its own.
    target = tmp_path / "venv"
    venv.create(target, symlinks=True, with_pip=False)
    python = target / "bin" / "python"
    library = run(python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))").strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(library)
    program = (
        "import logcore.log, pylog\n"
        "with pylog.open('data', acks=1) as log:\n"
        "    topic = log.topic('t')\n"
        "    topic.append(b'value', key=b'key')\n"
        "    print(pylog.__file__, [message.value() for message in topic.read()])\n"
    )
    printed = run(python, "-c", program, cwd=tmp_path, PATH="/nonexistent", CC="/nonexistent")
    assert printed == f"{library}/pylog/__init__.py [b'value']\n"


def test_importing_pylog_loads_nothing_heavy():
    program = "import sys, logcore, pylog; print(*sys.modules)"
    modules = run(sys.executable, "-c", program).split()
    loaded = {name.split(".")[0] for name in modules}
    assert "pylog" in loaded
    assert "pylog.streams" not in modules
    assert loaded & HEAVY_MODULES == set()


def test_the_sdist_holds_the_sources_and_nothing_that_was_built(tmp_path: Path):
    run(
        sys.executable, "-c",
        "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))",
        tmp_path,
    )  # fmt: skip
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for pattern in ("src/**/*.py", "src/**/*.pyx", "src/**/*.pxd", "src/**/*.pyi", "src/*/c/*.h"):
        wanted = {str(source.relative_to(ROOT)) for source in ROOT.glob(pattern)}
        assert wanted <= names
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.py"} <= names
    assert not [name for name in names if name.endswith((".c", ".so", ".html"))]
    assert not [name for name in names if name.startswith("build/")]
