"""README's figures are those of the results file it names, and its goals the benchmarks'."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def figures() -> ModuleType:
    return load(Path(__file__).with_name("figures.py"))


def test_the_goals_are_those_that_a_run_is_held_to(figures: ModuleType) -> None:
    rows = {row.name: row for row in load(ROOT / "benchmarks" / "rows.py").ROWS}
    for name, cells in zip(figures.ROWS, figures.cells_of(figures.README.read_text()), strict=True):
        sign, goal = re.match(r"(≤|≥) ([\d.]+)", cells[2]).groups()  # type: ignore[union-attr]
        assert float(goal) == rows[name].goal, cells[0]
        assert (sign == "≤") is rows[name].at_most, cells[0]


def test_the_figures_are_those_of_the_file_that_is_named(figures: ModuleType) -> None:
    text = figures.README.read_text()
    source = figures.source_of(text)
    if source == "none":
        assert not list((ROOT / "benchmarks" / "results").glob("*.json")), (
            "run tests/docs/figures.py"
        )
        return
    results = json.loads((ROOT / source).read_text())["results"]
    assert figures.filled(text, source, results) == text


def test_filling_puts_each_figure_into_its_line(figures: ModuleType) -> None:
    results = [
        {"row": "produce", "value_bytes": 100, "unit": "records/s",
         "figure": {"median": 5_100_000.0}, "ratio": {"median": 1.8}},
        {"row": "produce", "value_bytes": 1024, "unit": "records/s",
         "figure": {"median": 1.0}, "ratio": {"median": 1.0}},
        {"row": "disk", "value_bytes": 100, "unit": "B", "figure": {"median": 118.09}},
    ]  # fmt: skip
    text = figures.filled(figures.README.read_text(), "results.json", results)
    measured = {
        name: cells[3] for name, cells in zip(figures.ROWS, figures.cells_of(text), strict=True)
    }
    assert measured["produce"] == "**1.80 ×**, 5.1 M records/s"
    assert measured["disk"] == "**118.1 B**"
    assert measured["consume"] == ""
    assert figures.source_of(text) == "results.json"
