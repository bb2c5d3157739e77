"""pylog's server beside a real Kafka: `python -m benchmarks.server`.

    load      a generator in C (server_load.c): Produce with one valid batch of 1 KiB, 64 KiB,
              1 MiB, five requests under way, acks=1
    perf      kafka-producer-perf-test and kafka-consumer-perf-test
    client    confluent_kafka: produce and consume 1,000-byte values, and one by one with a flush
    durable   the generator with acks=all, where Kafka syncs each batch (flush.messages=1)
    many      p99 of the generator's requests, 1,000 a second by turns on 100 connections beside
              500 silent ones, against that of the same on one connection
    start     from the command to the first answer, and the memory of a server that rests

Both servers run at the same time and take turns, round after round; the table shows medians and
what they are held to. Kafka is fetched by `make peers`, and runs with the options of its own
scripts. `--json` writes all figures, and `python -m benchmarks.server_report FILE` puts them into
the documentation.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import facts
from benchmarks.server_rows import ROWS, Row
from benchmarks.server_work import Bench, Figures, Side
from pylog.testing import ServerProcess

Samples = dict[str, dict[str, list[Figures]]]  # by measurement, by server


def run(rounds: int, seconds: float, kinds: set[str]) -> dict[str, Any]:
    """Both servers, all measurements; what came of them."""
    samples: Samples = {}
    rows = [row for row in ROWS if row.kind in kinds]
    kafka_module = import_module("kafka")
    with (
        TemporaryDirectory() as name,
        kafka_module.KafkaBroker(
            properties={"log.segment.delete.delay.ms": "100"},
            java_options=kafka_module.KAFKA_OPTIONS,
        ) as kafka,
        ServerProcess(os.path.join(name, "data")) as server,
    ):
        sides = [
            Side("pylog", server.bootstrap_servers, server.pid),
            Side("kafka", kafka.bootstrap_servers, kafka.process_id),
        ]
        bench = Bench(Path(name), seconds)
        for number in range(rounds + 1):  # the first warms the JVM up, and does not count
            turn = sides if number % 2 else sides[::-1]
            for measurement in dict.fromkeys(row.measurement for row in rows if row.measurement):
                _measure(bench, measurement, turn, samples if number else {})
        machine = facts(Path(name))
    results = [_result(row, samples) for row in rows]
    return {"machine": machine, "rounds": rounds, "results": results, "samples": samples}


def _measure(bench: Bench, measurement: str, sides: Sequence[Side], samples: Samples) -> None:
    name, *arguments = measurement.split()
    for side in sides:
        call = getattr(bench, name)
        before_s = side.cpu_seconds()
        figures = call(side, *map(int, arguments))
        if figures is None:  # it is not for this one
            continue
        figures["server_cpu_s"] = side.cpu_seconds() - before_s
        figures.setdefault("resident_mib", side.resident_mib())
        samples.setdefault(measurement, {}).setdefault(side.name, []).append(figures)


def _result(row: Row, samples: Samples) -> dict[str, Any]:
    """The medians of a row, and the quotient that has the goal where there is one."""
    by_side = samples[row.measurement] if row.measurement else _most(samples, row.figure)
    figures = {side: median(each[row.figure] for each in all_) for side, all_ in by_side.items()}
    judged = figures["pylog"]
    if row.is_ratio:
        judged /= figures["kafka"]
    is_met = row.goal is None or (judged <= row.goal if row.at_most else judged >= row.goal)
    return {"row": row.name, **figures, "judged": judged, "goal": row.goal, "met": is_met}


def _most(
    samples: Mapping[str, Mapping[str, list[Figures]]], figure: str
) -> dict[str, list[Figures]]:
    """The most that each server ever showed."""
    sides = {side for by_side in samples.values() for side in by_side}
    return {
        side: [max(
            (each for by_side in samples.values() for each in by_side.get(side, ())),
            key=lambda each: each[figure],
        )]
        for side in sides
    }  # fmt: skip


def main() -> int:
    """Run what the arguments say, and write a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    kinds = ",".join(dict.fromkeys(row.kind for row in ROWS))
    parser.add_argument("--kinds", default=kinds, help=f"some of {kinds}")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    document = run(options.rounds, options.seconds, set(options.kinds.split(",")))
    by_name = {row.name: row for row in ROWS}
    for result in document["results"]:
        row = by_name[result["row"]]
        beside = f"kafka {result['kafka']:12,.4g}" if "kafka" in result else ""
        sys.stdout.write(
            f"{row.label:52} pylog {result['pylog']:12,.4g}  {beside:18}  "
            f"{result['judged']:8.4g} {row.describe_goal(result)}\n"
        )
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(result["met"] for result in document["results"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
