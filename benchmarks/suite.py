"""The side-by-side run: `python -m benchmarks.suite`, or `make bench`.

Every figure stands beside the raw loop's of the same round, and the quotient of the two is what
a goal is about, since machines differ and a shared one differs from minute to minute. Each
measurement is a process of its own. The probes take turns, forwards in one round and backwards
in the next, so that a machine that slowly grows slower favours nobody. A missed goal is printed,
and fails nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from benchmarks.machine import ROOT, describe, facts
from benchmarks.measure import MeasurementError, run
from benchmarks.plot import print_results, write_svg
from benchmarks.rows import LOGS, Probe, Row, Suite
from benchmarks.stream_rows import STREAMS
from benchmarks.workload import BLOCK_RECORDS, Figures, Order

GOAL_VALUE_BYTES = 100
VALUE_SIZES = (100, 1024)
RESULTS_DIR = ROOT / "benchmarks" / "results"
# 1 KiB records are nearly ten times as large; a quarter of the count keeps a run short.
LARGE_VALUE_SHARE = 0.25

Samples = dict[str, list[Figures]]
Result = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    folder: Path
    rounds: int
    records: int
    crash_bytes: int
    value_sizes: tuple[int, ...]
    rows: list[Row]
    suite: Suite

    def order(self, probe: Probe, value_bytes: int, folder: str) -> Order:
        share = probe.share * (LARGE_VALUE_SHARE if value_bytes > GOAL_VALUE_BYTES else 1)
        records = max(BLOCK_RECORDS, int(self.records * share))
        extra = dict(probe.extra)
        if "bytes" in extra:
            extra["bytes"] = self.crash_bytes
        return Order(folder, records, value_bytes, extra)


def measure(settings: Settings, say: Callable[[str], object]) -> list[Result]:
    """Return one result for each row and value size."""
    results = []
    for value_bytes in settings.value_sizes:
        samples = _measure_probes(settings, value_bytes, say)
        results += [
            _result_of(row, value_bytes, samples)
            for row in settings.rows
            if samples.get(row.probe) and (row.against is None or samples.get(row.against))
        ]
    return results


def _measure_probes(settings: Settings, value_bytes: int, say: Callable[[str], object]) -> Samples:
    names = settings.suite.probes_of(settings.rows)
    probes = settings.suite.probes
    samples: Samples = {name: [] for name in names}
    failed: set[str] = set()
    with TemporaryDirectory(dir=settings.folder) as shared:
        for kind in sorted({probes[name].reads for name in names} - {None}):
            say(f"{value_bytes} B: writing what is read, {kind}")
            _fill(settings, value_bytes, os.path.join(shared, kind), kind, say)
        for number in range(settings.rounds):
            for name in names if number % 2 == 0 else reversed(names):
                if name in failed or (probes[name].once and number):
                    continue
                say(f"{value_bytes} B, round {number + 1}/{settings.rounds}: {name}")
                try:
                    samples[name].append(_measure_probe(settings, name, value_bytes, shared))
                except MeasurementError as error:
                    failed.add(name)
                    samples[name].clear()
                    say(f"left out: {name}: {str(error).splitlines()[-1]}")
    return samples


def _fill(
    settings: Settings, value_bytes: int, folder: str, kind: str, say: Callable[[str], object]
) -> None:
    os.mkdir(folder)
    for probe in settings.suite.fills[kind]:
        try:
            run(probe.measurement, settings.order(probe, value_bytes, folder))
        except MeasurementError as error:
            say(f"{probe.measurement}: {str(error).splitlines()[-1]}")


def _measure_probe(settings: Settings, name: str, value_bytes: int, shared: str) -> Figures:
    probe = settings.suite.probes[name]
    if probe.reads:
        folder = os.path.join(shared, probe.reads)
        return run(probe.measurement, settings.order(probe, value_bytes, folder))
    # A new folder each time, removed at the end: no dirty page burdens the next probe.
    with TemporaryDirectory(dir=settings.folder) as folder:
        return run(probe.measurement, settings.order(probe, value_bytes, folder))


def _result_of(row: Row, value_bytes: int, samples: Samples) -> Result:
    figures = [sample[row.figure] for sample in samples[row.probe]]
    result: Result = {
        "row": row.name,
        "label": row.label,
        "kind": row.kind,
        "value_bytes": value_bytes,
        "records": samples[row.probe][0].get("records"),
        "unit": row.unit,
        "figure": _spread(figures),
        "also": {
            name: {"median": median(sample[name] for sample in samples[row.probe]), "unit": unit}
            for name, unit in row.also.items()
        },
    }
    judged = figures
    if row.against is not None:
        others = [sample[row.figure] for sample in samples[row.against]]
        judged = [figure / other for figure, other in zip(figures, others, strict=False)]
        result["against"] = row.against
        result["ratio"] = _spread(judged)
    if row.goal is not None and value_bytes == GOAL_VALUE_BYTES:
        middle = median(judged)
        result["goal"] = row.goal
        result["at_most"] = row.at_most
        result["met"] = middle <= row.goal if row.at_most else middle >= row.goal
    return result


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}


def parse_settings(options: argparse.Namespace, suite: Suite, folder: Path) -> Settings:
    quick = options.quick
    # Events of the streams have one size.
    value_sizes = options.value_bytes if suite is LOGS else str(GOAL_VALUE_BYTES)
    return Settings(
        folder=folder,
        rounds=options.rounds or (3 if quick else 5),
        records=options.records or (300_000 if quick else suite.records),
        crash_bytes=options.crash_bytes or (1 << 27 if quick else 1 << 30),
        value_sizes=tuple(int(size) for size in value_sizes.split(",")),
        rows=suite.choose(options.rows),
        suite=suite,
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.suite", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer records and rounds")
    parser.add_argument("--streams", action="store_true", help="the rows of pylog.streams")
    names = [", ".join(row.name for row in suite.rows) for suite in (LOGS, STREAMS)]
    parser.add_argument("--rows", help=f"some of: {'; with --streams: '.join(names)}")
    parser.add_argument("--rounds", type=int, help="medians are taken over them (5)")
    parser.add_argument(
        "--records", type=int, help="records (2,000,000 of 100 bytes; 1,000,000 events)"
    )
    parser.add_argument("--crash-bytes", type=int, help="size of the crashed partition (1 GiB)")
    parser.add_argument("--value-bytes", default="100,1024", help="value sizes (100,1024)")
    parser.add_argument("--dir", type=Path, help="where to write (the system's scratch folder)")
    parser.add_argument("--out", type=Path, help="results as JSON")
    parser.add_argument("--svg", type=Path, help="results as a picture")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    suite = STREAMS if options.streams else LOGS
    with TemporaryDirectory(prefix="pylog-bench-", dir=options.dir) as folder:
        try:
            settings = parse_settings(options, suite, Path(folder))
        except ValueError as error:
            parser.error(str(error))
        machine = facts(settings.folder)
        say = Console(stderr=True, highlight=False, markup=False).print
        results = measure(settings, say)
    document = {"machine": machine, "rounds": settings.rounds, "results": results}
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(describe(machine), highlight=False)
    print_results(console, results, suite)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    if options.svg:
        write_svg(options.svg, document, suite)


if __name__ == "__main__":
    main()
