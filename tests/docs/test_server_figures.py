"""The page of the server's speed says what its results file says."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.server_report")


def results(report: ModuleType, judged: float) -> dict[str, object]:
    """Results of which each has the same quotient."""
    return {
        "machine": dict.fromkeys(
            ("cpu", "cpus", "memory_gib", "kernel", "file_system", "python"), "x"
        ),
        "rounds": 1,
        "results": [
            {"row": row.name, "pylog": 1234.5, "kafka": 6.789, "judged": judged, "goal": row.goal,
             "met": not row.at_most}
            for row in report.ROWS
        ],
    }  # fmt: skip


def test_the_figures_are_those_of_the_file_that_is_named(report: ModuleType) -> None:
    page = report.PAGE.read_text()
    source = report.source_of(page)
    document = json.loads((ROOT / source).read_text())
    assert report.fill(page, source, document) == page
    assert report.picture(document) == report.PICTURE.read_text()


def test_filling_changes_the_table_alone_and_names_what_is_missed(report: ModuleType) -> None:
    page = "before\n\n<!-- figures: none -->\n\n| a |\n|---|\n| 1 |\n\nafter\n"
    filled = report.fill(page, "new.json", results(report, 4.0))
    assert filled.startswith("before\n\n<!-- figures: new.json -->\n\n| what |")
    assert filled.endswith(" |\n\nafter\n")
    lines = {row.label: line for row in report.ROWS for line in filled.splitlines()
             if line.startswith(f"| {row.label} |")}  # fmt: skip
    for row in report.ROWS:
        assert ("missed" in lines[row.label]) is row.at_most, row.name
        assert ("**4.00 ×**" in lines[row.label]) is row.is_ratio, row.name
        assert "1,234" in lines[row.label] and "6.79" in lines[row.label]


def test_the_picture_has_a_bar_for_each_quotient(report: ModuleType) -> None:
    svg = report.picture(results(report, 4.0))
    ElementTree.fromstring(svg)
    for row in report.ROWS:
        assert (row.goal_text.removesuffix(" × Kafka") in svg) or not row.is_ratio
