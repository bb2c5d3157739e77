"""The server's figures in the documentation: `python -m benchmarks.server_report FILE`.

FILE is what `python -m benchmarks.server --json FILE` wrote. The table goes to
docs/guides/server_speed.md, the picture beside it.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, describe
from benchmarks.server_rows import ROWS, Row
from pylog.cli import chart

PAGE = ROOT / "docs" / "guides" / "server_speed.md"
PICTURE = ROOT / "docs" / "guides" / "server_speed.svg"
_TABLE = re.compile(r"<!-- figures: ([^ ]+) -->\n\n((?:\|.*\n)+)")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def table(document: Mapping[str, Any]) -> str:
    """The results as a table."""
    results = {result["row"]: result for result in document["results"]}
    lines = ["| what | goal | pylog | Kafka | |", "|---|---|---|---|---|"]
    for row in ROWS:
        result = results[row.name]
        judged = f"**{result['judged']:.2f} ×**" if row.is_ratio else ""
        verdict = f"{judged} {'' if result['met'] else 'missed'}".strip()
        pylog, kafka = (_figure(result.get(side), row.unit) for side in ("pylog", "kafka"))
        lines.append(f"| {row.label} | {row.goal_text} | {pylog} | {kafka} | {verdict} |")
    return "\n".join(lines) + "\n"


def fill(page: str, source: str, document: Mapping[str, Any]) -> str:
    """A page's text with these figures."""
    new = f"<!-- figures: {source} -->\n\n{table(document)}"
    return _TABLE.sub(lambda _: new, page, count=1)


def source_of(page: str) -> str:
    """The file that a page's figures are from."""
    match = _TABLE.search(page)
    assert match is not None, "the page has a table"
    return match[1]


def picture(document: Mapping[str, Any]) -> str:
    """The quotients as bars, as SVG."""
    results = {result["row"]: result for result in document["results"]}

    def bars(at_most: bool) -> list[chart.Bar]:
        return [_bar(row, results[row.name]) for row in ROWS
                if row.is_ratio and row.at_most is at_most]  # fmt: skip

    charts = [
        chart.Chart("How many times as fast as Kafka", bars(False)),
        chart.Chart("What it takes of what Kafka takes: less is better", bars(True)),
    ]
    footer = [
        describe(document["machine"]),
        f"medians of {document['rounds']} rounds, python -m benchmarks.server",
    ]
    return chart.render(charts, "pylog serve beside Apache Kafka 4.3", footer)


def _bar(row: Row, result: Mapping[str, Any]) -> chart.Bar:
    note = "× Kafka"
    if row.goal is not None:
        note += f", goal {row.goal_text.removesuffix(' × Kafka')}"
    if not result["met"]:
        note += " MISSED"
    return chart.Bar(row.label, result["judged"], goal=row.goal, note=note)


def main(path: Path) -> None:
    """Fill the page, draw the picture."""
    document = json.loads(path.read_text())
    PAGE.write_text(fill(PAGE.read_text(), str(path.resolve().relative_to(ROOT)), document))
    PICTURE.write_text(picture(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
