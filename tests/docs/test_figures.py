"""A page's figures are those of the results file it names, and its goals the benchmarks'."""

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


@pytest.fixture(params=["README", "streams"])
def page(request: pytest.FixtureRequest, figures: ModuleType) -> tuple[str, tuple[str, ...], str]:
    """A page's text, its rows, and the module of benchmarks that has them."""
    if request.param == "README":
        return figures.README.read_text(), figures.ROWS, "rows"
    return figures.STREAMS_PAGE.read_text(), figures.STREAM_ROWS, "stream_rows"


def test_the_goals_are_those_that_a_run_is_held_to(
    figures: ModuleType, page: tuple[str, tuple[str, ...], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    text, names, module = page
    rows = {row.name: row for row in importlib.import_module(f"benchmarks.{module}").ROWS}
    for name, cells in zip(names, figures.cells_of(text), strict=True):
        sign, goal = re.match(r"(≤|≥) ([\d.]+)", cells[2]).groups()  # type: ignore[union-attr]
        assert float(goal) == rows[name].goal, cells[0]
        assert (sign == "≤") is rows[name].at_most, cells[0]


def test_the_figures_are_those_of_the_file_that_is_named(
    figures: ModuleType, page: tuple[str, tuple[str, ...], str]
) -> None:
    text, names, _ = page
    source = figures.source_of(text)
    if source == "none":
        pytest.fail(f"measure, then run tests/docs/figures.py: {names[0]}, ...")
    results = json.loads((ROOT / source).read_text())["results"]
    assert figures.filled(text, source, results, names) == text


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
