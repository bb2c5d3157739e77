"""Fills the tables of figures in README.md and docs/streams from a results file of the benchmarks.

    python tests/docs/figures.py benchmarks/results/NAME.json

The comment before the table says which file the figures are from; test_figures.py compares.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
# The table's lines, by their names in benchmarks/rows.py.
ROWS = (
    "produce", "produce-all", "append-many", "consume", "consume-value", "poll", "columns",
    "two-processes", "idempotent", "transactions", "transactions-all", "committed",
    "latency", "latency-busy", "rebalance", "takeover", "disk", "memory",
    "open-killed", "open-rebooted",
)  # fmt: skip
STREAMS_PAGE = ROOT / "docs" / "streams" / "index.md"
# Likewise, of benchmarks/stream_rows.py.
STREAM_ROWS = (
    "filter-map", "count", "tumbling", "count-disk", "filter-map-folder", "count-folder",
    "tumbling-folder", "exactly-once", "restore", "state-bytes", "state-growth", "stream-latency",
)  # fmt: skip
VALUE_BYTES = 100

_TABLE = re.compile(r"<!-- figures: ([^ ]+) -->\n\n((?:\|.*\n)+)")


def source_of(text: str) -> str:
    """The results file that the table says it is from, "none" before the first measuring."""
    match = _TABLE.search(text)
    assert match is not None
    return match[1]


def cells_of(text: str) -> list[list[str]]:
    """The table's lines as (what, against, goal, measured)."""
    match = _TABLE.search(text)
    assert match is not None
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in match[2].splitlines()[2:]]


def show(result: dict[str, Any]) -> str:
    """A result as the table shows it: the quotient first, then the figure."""
    figure, unit = result["figure"]["median"], result["unit"]
    shown = f"{figure / 1e6:.1f} M {unit}" if unit == "records/s" else f"{figure:.4g} {unit}"
    return (
        f"**{result['ratio']['median']:.2f} ×**, {shown}" if "ratio" in result else f"**{shown}**"
    )


def filled(
    text: str, source: str, results: list[dict[str, Any]], rows: tuple[str, ...] = ROWS
) -> str:
    """A page's text with the figures of these results."""
    by_row = {r["row"]: r for r in results if r["value_bytes"] == VALUE_BYTES}
    match = _TABLE.search(text)
    assert match is not None
    head = match[2].splitlines()[:2]
    lines = [
        "| " + " | ".join([*cells[:3], show(by_row[row]) if row in by_row else ""]) + " |"
        for row, cells in zip(rows, cells_of(text), strict=True)
    ]
    table = "\n".join([*head, *lines])
    return text[: match.start()] + f"<!-- figures: {source} -->\n\n{table}\n" + text[match.end() :]


def main(path: Path) -> None:
    """Fill the table."""
    source = str(path.resolve().relative_to(ROOT))
    results = json.loads(path.read_text())["results"]
    is_of_streams = any(result["row"] in STREAM_ROWS for result in results)
    page, rows = (STREAMS_PAGE, STREAM_ROWS) if is_of_streams else (README, ROWS)
    page.write_text(filled(page.read_text(), source, results, rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
