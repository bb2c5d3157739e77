"""The results of the suite as a table and as a picture.

python -m benchmarks.plot benchmarks/results/NAME.json docs/benchmarks.svg
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.rows import LOGS, Suite
from benchmarks.stream_rows import STREAMS
from pylog.cli import chart

Result = dict[str, Any]

RATE_UNIT = "records/s"


def print_results(console: Console, results: Sequence[Result], suite: Suite = LOGS) -> None:
    """Print one table for each value size."""
    for value_bytes in dict.fromkeys(result["value_bytes"] for result in results):
        title = suite.heading.format(value_bytes=value_bytes)
        table = Table(title=title, title_justify="left")
        table.add_column("what")
        for heading in ("median", "min", "max", "ratio", "min", "max"):
            table.add_column(heading, justify="right")
        table.add_column("goal")
        table.add_column("also")
        for result in results:
            if result["value_bytes"] == value_bytes:
                table.add_row(*_cells(result))
        console.print(table)


def _cells(result: Result) -> list[str]:
    figure, ratio = result["figure"], result.get("ratio")
    cells = [
        result["label"],
        chart.format_figure(figure["median"], result["unit"]),
        chart.format_figure(figure["min"]),
        chart.format_figure(figure["max"]),
    ]
    if ratio is None:
        cells += ["", "", ""]
    else:
        cells += [f"{ratio[key]:.2f}" for key in ("median", "min", "max")]
    also = ", ".join(
        f"{name.rpartition('_')[0].replace('_', ' ')} "
        f"{chart.format_figure(value['median'], value['unit'])}"
        for name, value in result["also"].items()
    )
    return [*cells, describe_goal(result), also]


def describe_goal(result: Result) -> str:
    """Return the goal in words, met or missed; empty where there is none."""
    if "goal" not in result:
        return ""
    sign = "≤" if result["at_most"] else "≥"
    times = " ×" if "ratio" in result else ""
    return f"{sign} {result['goal']:g}{times} {'met' if result['met'] else 'MISSED'}"


def charts_of(results: Sequence[Result], suite: Suite) -> list[chart.Chart]:
    """Return rates as bars for each value size, then the latencies."""
    charts = []
    for value_bytes in dict.fromkeys(result["value_bytes"] for result in results):
        chosen = [result for result in results if result["value_bytes"] == value_bytes]
        rates = [_bar_of(result) for result in chosen if result["unit"] == RATE_UNIT]
        if rates:
            charts.append(
                chart.Chart(
                    suite.heading.format(value_bytes=value_bytes),
                    rates,
                    subtitle="medians, with the smallest and the largest; × is the loop's "
                    "figure of the same round",
                )
            )
        waits = [_bar_of(result) for result in chosen if result["unit"] == "µs"]
        if waits:
            title = "Latency, µs"
            if suite is LOGS:
                title = f"Latency of following at 10,000 messages/s, {value_bytes}-byte values, µs"
            charts.append(chart.Chart(title, waits, log_scale=True))
    return charts


def _bar_of(result: Result) -> chart.Bar:
    figure, ratio = result["figure"], result.get("ratio")
    notes = []
    if ratio is not None:
        against = "" if result["against"].startswith(("raw-", "bare-")) else f" {result['against']}"
        notes.append(f"{ratio['median']:.2f} ×{against}")
    if "goal" in result:
        notes.append(f"goal {describe_goal(result)}")
    return chart.Bar(
        result["label"],
        figure["median"],
        figure["min"],
        figure["max"],
        note=", ".join(notes),
        kind=result["kind"],
    )


def write_svg(path: Path, document: dict[str, Any], suite: Suite) -> None:
    """Write the picture of a results document."""
    footer = [describe(document["machine"]), f"{document['rounds']} rounds, {suite.command}"]
    picture = chart.render(charts_of(document["results"], suite), suite.title, footer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture)


if __name__ == "__main__":
    read = json.loads(Path(sys.argv[1]).read_text())
    is_of_streams = any(result["row"] == STREAMS.rows[0].name for result in read["results"])
    write_svg(Path(sys.argv[2]), read, STREAMS if is_of_streams else LOGS)
