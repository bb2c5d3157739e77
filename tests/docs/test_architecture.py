"""ARCHITECTURE.md's file map is the tree: nothing missing, nothing that is gone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
PACKAGES = [
    "src/logcore", "src/pylog", "src/pylog/group", "src/pylog/aio", "src/pylog/cli",
    "src/pylog/server", "src/pylog/testing", "src/pylog/streams", "src/pylog/streams/dsl",
    "src/pylog/streams/processors", "src/pylog/streams/processors/foreign_key",
    "src/pylog/streams/state",
    "src/pylog/streams/runtime",
]  # fmt: skip


def mapped(package: str) -> set[str]:
    section = re.search(
        rf"### {re.escape(package)}:.*?\n(.*?)(?=\n##)", PAGE.read_text(), re.DOTALL
    )
    assert section, package
    cells = [row.split("|")[1] for row in section[1].splitlines() if row.startswith("| `")]
    return set(re.findall(r"`([^`]+)`", " ".join(cells)))


def present(package: str) -> set[str]:
    """Source files of a package; .pxd and .pyi go with a .pyx of their name."""
    folder = ROOT / package
    files = {path.name for path in folder.iterdir() if path.suffix in (".py", ".pyx")}
    files |= {f"c/{path.name}" for path in folder.glob("c/*.h")}
    return files | {path.name for path in folder.glob("_c.pxd")}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_file_map_is_complete(package: str) -> None:
    in_map, in_tree = mapped(package), present(package)
    assert in_tree - in_map == set(), f"add to ARCHITECTURE.md, {package}"
    assert in_map - in_tree == set(), f"gone from {package}"


def test_every_folder_of_the_tree_is_named() -> None:
    text = PAGE.read_text()
    around = text[text.index("### Around them") : text.index("## The non-obvious")]
    for folder in ("tests", "fuzz", "benchmarks", "examples", "docs", "scripts"):
        assert (ROOT / folder).is_dir()
        assert f"| `{folder}/` |" in around
