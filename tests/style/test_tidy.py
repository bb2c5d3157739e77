"""What keeps the tree one architecture: who may import whom, a stub a module, names in order.

Reads .py, .pyx and .pxd: linters of imports do not see Cython files. ARCHITECTURE.md draws ALLOWED.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"

# A package may import itself and these; "*" is all. A package that is not here belongs to the
# longest name that it begins with.
ALLOWED: dict[str, set[str]] = {
    "logcore": set(),
    "pylog": {"logcore"},
    "pylog.cli": {"*"},
    "pylog.server": {"logcore", "pylog", "pylog.wire"},
    "pylog.streams": {"pylog"},
    "pylog.testing": {"pylog", "pylog.server", "pylog.wire"},
    "pylog.wire": set(),
    "pylog.__main__": {"pylog.cli"},
}

# What pylog.streams may see of pylog: the clients, so that it runs on a cluster as on a folder, and
# the names of their properties.
CLIENTS = {
    "pylog", "pylog.admin", "pylog.config", "pylog.config_table", "pylog.errors", "pylog.message",
    "pylog.partitioner", "pylog.types",
}  # fmt: skip

_CYTHON_IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w., ]+))", re.MULTILINE
)
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home)/[\w.-]+")
_TEXT_SUFFIXES = {
    "", ".c", ".cfg", ".h", ".in", ".ini", ".java", ".json", ".md", ".pxd", ".py", ".pyi", ".pyx",
    ".svg", ".toml", ".txt", ".xml",
}  # fmt: skip


def layer_of(module: str) -> str | None:
    """Return the package of ALLOWED that a module belongs to, None for foreign ones."""
    names = [name for name in ALLOWED if module == name or module.startswith(name + ".")]
    return max(names, key=len, default=None)


def imports_of(path: Path, text: str) -> Iterator[str]:
    """Yield the modules that a file imports or cimports."""
    if path.suffix in (".pyx", ".pxd"):
        for source, plain in _CYTHON_IMPORT.findall(text):
            for name in [source] if source else plain.split(","):
                if name.strip():
                    yield name.split(" as ")[0].strip()
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            # `from pylog import cli` imports pylog.cli; a name that is no module does no harm.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden_imports(module: str, path: Path, text: str) -> list[str]:
    """Return the imports that the layer of `module` may not make."""
    layer = layer_of(module)
    assert layer is not None
    allowed = ALLOWED[layer] | {layer}
    return sorted(
        name
        for name in set(imports_of(path, text))
        if (target := layer_of(name)) is not None and "*" not in allowed and target not in allowed
    )


def behind_the_clients(path: Path, text: str) -> list[str]:
    """Return the modules of pylog that a file of pylog.streams imports beside CLIENTS."""
    modules = {module_of(source) for source in source_files()}
    found = {
        name if name in modules else name.rpartition(".")[0] for name in imports_of(path, text)
    }
    return sorted(name for name in found - CLIENTS if layer_of(name) == "pylog")


def module_of(path: Path) -> str:
    """Return the dotted name of a source file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def source_files() -> list[Path]:
    return sorted(
        path for path in SOURCE.rglob("*") if path.suffix in (".py", ".pyi", ".pyx", ".pxd")
    )


def test_imports_go_down_the_layers_only():
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in source_files()
        if (wrong := forbidden_imports(module_of(path), path, path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.py", "import pylog.types"),
        ("x.py", "def f():\n    from pylog import types"),
        ("x.pyx", "from pylog.message cimport Message"),
        ("x.pyx", "    import os, pylog.types as t"),
        ("x.pxd", "cimport pylog.message"),
    ],
)
def test_an_import_against_the_layers_is_seen(name: str, text: str):
    assert forbidden_imports("logcore.x", Path(name), text)
    assert not forbidden_imports("pylog.x", Path(name), text)


def test_the_clients_do_not_import_the_command_line():
    assert forbidden_imports("pylog.x", Path("x.py"), "from pylog import cli") == ["pylog.cli"]


def test_streams_see_the_clients_only():
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in (SOURCE / "pylog" / "streams").rglob("*")
        if path.suffix in (".py", ".pyi", ".pyx", ".pxd")
        and (wrong := behind_the_clients(path, path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize("name", ["pylog.log_dir", "pylog.consumer", "pylog.group.member"])
def test_an_import_from_behind_the_clients_is_seen(name: str):
    package, _, module = name.rpartition(".")
    for text in (f"import {name}", f"from {package} import {module}", f"from {name} import X"):
        assert name in behind_the_clients(Path("x.py"), text)
    assert not behind_the_clients(Path("x.py"), "from pylog import Consumer\nimport pylog.errors")


def test_streams_do_not_import_the_storage_core():
    assert forbidden_imports("pylog.streams.x", Path("x.pyx"), "cimport logcore.log")
    assert forbidden_imports("pylog.x", Path("x.py"), "import pylog.streams")


def test_each_cython_module_has_a_stub_and_each_stub_a_module():
    modules = {path.with_suffix("") for path in SOURCE.rglob("*.pyx")}
    stubs = {path.with_suffix("") for path in SOURCE.rglob("*.pyi")}
    assert modules == stubs


@pytest.mark.parametrize("package", ["logcore", "pylog", "pylog.streams"])
def test_public_names_are_sorted_and_there(package: str):
    def constants_then_classes_then_functions(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    module = importlib.import_module(package)
    names = list(module.__all__)
    assert names == sorted(set(names), key=constants_then_classes_then_functions)
    missing = [name for name in names if not hasattr(module, name)]
    assert missing == []


def project_files() -> Iterator[Path]:
    folders = (".ci", "benchmarks", "docs", "examples", "fuzz", "scripts", "src", "tests")
    # `.git` is a file in a second work tree.
    yield from (path for path in ROOT.glob("*") if path.is_file() and path.name != ".git")
    for folder in folders:
        yield from (ROOT / folder).rglob("*")


def test_no_file_names_a_place_of_somebodys_machine():
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in project_files()
        if path.is_file() and path.suffix in _TEXT_SUFFIXES and "cache" not in str(path)
        for match in _MACHINE_PATH.finditer(path.read_text(errors="replace"))
    ]
    assert found == []
