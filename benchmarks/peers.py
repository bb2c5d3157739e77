"""pylog beside what pip brings: `python -m benchmarks.peers`.

Append one record a commit and 1,000 a commit, read all back, and append so that each 1, 100 and
1,000 records have reached the device. Every measurement is a process of its own; the stores take
turns, several rounds; the table shows medians. A store that cannot be imported is left out with
a line that says so.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe, facts
from benchmarks.measure import MeasurementError, run
from benchmarks.stores import STORES, Store
from benchmarks.workload import Figures, Order, blocks_of, check_count, make_pairs, rate
from pylog.cli import chart

VALUE_SIZES = (100, 1024)
DURABLE_BATCHES = (1, 100, 1000)
# One record a commit is 10 to 100 times slower than a thousand; persist-queue slower still.
SINGLE_SHARE = 10
SLOW_RECORDS = 5_000


def store_append(order: Order) -> Figures:
    """Append all records in commits of `batch`, and close."""
    store_type, batch = _store_of(order), int(str(order.extra["batch"]))
    pieces = blocks_of(make_pairs(order.value_bytes), batch)
    start = perf_counter()
    store = store_type(Path(order.folder), durable=False, batch=batch)
    for _ in range(order.total // batch):
        store.put(next(pieces))
    store.close()
    seconds = perf_counter() - start
    disk_bytes = sum(p.stat().st_blocks * 512 for p in Path(order.folder).rglob("*"))
    return rate(order, seconds, bytes_per_record=disk_bytes / order.total)


def store_durable(order: Order) -> Figures:
    """Append durably in commits of `batch` for `seconds`."""
    store_type, batch = _store_of(order), int(str(order.extra["batch"]))
    pieces = blocks_of(make_pairs(order.value_bytes), batch)
    store = store_type(Path(order.folder), durable=True, batch=batch)
    store.put(next(pieces))
    limit, count = float(str(order.extra["seconds"])), 0
    start = perf_counter()
    while (seconds := perf_counter() - start) < limit:
        store.put(next(pieces))
        count += batch
    store.close()
    return {"records": count, "seconds": seconds, "rate": count / seconds}


def store_read(order: Order) -> Figures:
    """Read all records, each key and value as bytes."""
    store_type = _store_of(order)
    start = perf_counter()
    count = store_type.read(Path(order.folder), order.total)
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def _store_of(order: Order) -> type[Store]:
    store_type = STORES[str(order.extra["store"])]
    if store_type.module is not None:
        import_module(store_type.module)  # here, where no clock runs
    return store_type


Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    folder: Path
    rounds: int
    records: int
    durable_seconds: float
    value_sizes: tuple[int, ...]
    stores: tuple[str, ...]


def measure_stores(settings: Settings, say: Callable[[str], object]) -> list[Row]:
    """Return one row for each store and value size, medians over the rounds."""
    names, rows = [], []
    for name in settings.stores:
        if STORES[name].is_available():
            names.append(name)
        else:
            say(f"left out: {STORES[name].name} (no module named {STORES[name].module})")
    for value_bytes in settings.value_sizes:
        samples: dict[str, list[Figures]] = {name: [] for name in names}
        for number in range(settings.rounds):
            for name in list(samples):
                say(f"{value_bytes} B, round {number + 1}/{settings.rounds}: {STORES[name].name}")
                try:
                    samples[name].append(_measure_store(settings, name, value_bytes))
                except MeasurementError as error:
                    say(f"left out: {STORES[name].name}: {str(error).splitlines()[-1]}")
                    del samples[name]
        rows += [_row_of(name, value_bytes, taken) for name, taken in samples.items()]
    return rows


def _row_of(name: str, value_bytes: int, samples: list[Figures]) -> Row:
    store = STORES[name]
    figures = {key: median(sample[key] for sample in samples) for key in samples[0]}
    ranges = {key: [min(s[key] for s in samples), max(s[key] for s in samples)] for key in figures}
    return {
        "store": store.name,
        "setting": store.setting,
        "kind": store.kind,
        "value_bytes": value_bytes,
        **figures,
        "ranges": ranges,
    }


def _measure_store(settings: Settings, name: str, value_bytes: int) -> Figures:
    # Equal bytes, about: 1 KiB records are ten times as large.
    records = settings.records if value_bytes <= 256 else max(1000, settings.records // 5)
    if STORES[name].slow:
        records = min(records, SLOW_RECORDS)
    single_records = max(1000, records // SINGLE_SHARE)
    figures = {}
    with TemporaryDirectory(dir=settings.folder) as folder:
        order = Order(folder, records, value_bytes, {"store": name, "batch": 1000})
        appended = run("store_append", order)
        figures["append_1000"] = appended["rate"]
        figures["bytes_per_record"] = appended["bytes_per_record"]
        figures["read"] = run("store_read", order)["rate"]
    with TemporaryDirectory(dir=settings.folder) as folder:
        order = Order(folder, single_records, value_bytes, {"store": name, "batch": 1})
        figures["append_1"] = run("store_append", order)["rate"]
    for batch in DURABLE_BATCHES:
        with TemporaryDirectory(dir=settings.folder) as folder:
            extra = {"store": name, "batch": batch, "seconds": settings.durable_seconds}
            order = Order(folder, 1000, value_bytes, extra)
            figures[f"durable_{batch}"] = run("store_durable", order)["rate"]
    return figures


COLUMNS = {
    "append_1": "append, 1 a commit",
    "append_1000": "append, 1,000 a commit",
    "read": "read",
    "durable_1": "durable, per 1",
    "durable_100": "durable, per 100",
    "durable_1000": "durable, per 1,000",
    "bytes_per_record": "bytes a record",
}


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print one table for each value size; records a second, and times the raw loop."""
    for value_bytes in dict.fromkeys(row["value_bytes"] for row in rows):
        table = Table(title=f"{value_bytes}-byte values: records/s, and times the raw loop")
        table.add_column("store")
        for heading in COLUMNS.values():
            table.add_column(heading, justify="right")
        chosen = [row for row in rows if row["value_bytes"] == value_bytes]
        raw = next((row for row in chosen if row["kind"] == "raw"), None)
        for row in chosen:
            table.add_row(row["store"], *(_cell(row, raw, column) for column in COLUMNS))
        console.print(table)
    for name, setting in {row["store"]: row["setting"] for row in rows}.items():
        console.print(f"{name}: {setting}", highlight=False, markup=False)


def _cell(row: Row, raw: Row | None, column: str) -> str:
    if column == "bytes_per_record" or raw is None:
        return chart.format_figure(row[column])
    return f"{chart.format_figure(row[column])}\n[dim]{row[column] / raw[column]:.2g} x[/dim]"


def charts_of(rows: Sequence[Row]) -> list[chart.Chart]:
    """Return the pictures of appending, reading and durable appending."""
    charts = []
    for value_bytes in dict.fromkeys(row["value_bytes"] for row in rows):
        for column in ("append_1000", "read", "durable_100"):
            chosen = [row for row in rows if row["value_bytes"] == value_bytes]
            bars = [
                _bar_of(row, column) for row in sorted(chosen, key=lambda row: -float(row[column]))
            ]
            title = f"{COLUMNS[column]}; {value_bytes}-byte values"
            charts.append(chart.Chart(title, bars, unit="records/s", log_scale=True))
    return charts


def _bar_of(row: Row, column: str) -> chart.Bar:
    low, high = row["ranges"][column]
    return chart.Bar(row["store"], row[column], low, high, kind=row["kind"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the records")
    parser.add_argument("--rounds", type=int, help="rounds, medians are taken over them (3)")
    parser.add_argument("--records", type=int, help="records of 100 bytes (1,000,000)")
    parser.add_argument("--durable-seconds", type=float, help="seconds a durable figure (2)")
    parser.add_argument("--stores", help=f"some of {', '.join(STORES)}")
    parser.add_argument("--value-bytes", help="sizes, by commas (100,1024)")
    parser.add_argument("--dir", type=Path, help="scratch folder (the system's)")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--svg", type=Path, help="write a picture")
    options = parser.parse_args(arguments)
    stores = tuple(options.stores.split(",")) if options.stores else tuple(STORES)
    if unknown := set(stores) - set(STORES):
        parser.error(f"no such store: {', '.join(sorted(unknown))}")
    sizes = tuple(map(int, options.value_bytes.split(","))) if options.value_bytes else VALUE_SIZES
    console = Console(width=None if sys.stdout.isatty() else 140)
    with TemporaryDirectory(prefix="pylog-bench-", dir=options.dir) as folder:
        settings = Settings(
            folder=Path(folder),
            rounds=options.rounds or (1 if options.quick else 3),
            records=options.records or (100_000 if options.quick else 1_000_000),
            durable_seconds=options.durable_seconds or (0.3 if options.quick else 2.0),
            value_sizes=sizes,
            stores=stores,
        )
        machine = facts(settings.folder)
        rows = measure_stores(settings, Console(stderr=True, highlight=False).print)
    console.print(describe(machine), highlight=False)
    print_rows(console, rows)
    if options.out:
        document = {"machine": machine, "rounds": settings.rounds, "peers": rows}
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    if options.svg:
        picture = chart.render(charts_of(rows), "pylog beside its peers", [describe(machine)])
        options.svg.write_text(picture)


if __name__ == "__main__":
    main()
