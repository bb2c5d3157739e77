"""Figures of a `pylog perf` run: percentiles, Kafka's summary line, a table, JSON, an SVG file."""

import os
import platform
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pylog.cli import console

MEGABYTE = 1024 * 1024
PERCENTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999))


@dataclass(slots=True)
class Latencies:
    """Latencies of single records in microseconds.

    Args:
        samples_us: one figure a record looked at.
    """

    samples_us: "array[float]" = field(default_factory=lambda: array("d"))

    def summary(self) -> dict[str, float]:
        """Return average, maximum and percentiles in microseconds; empty without a sample.

        >>> Latencies(array("d", range(1, 101))).summary()["p99"]
        100.0
        """
        if not self.samples_us:
            return {}
        ordered = sorted(self.samples_us)
        last = len(ordered) - 1
        figures = {"avg": sum(ordered) / len(ordered), "max": ordered[-1]}
        for name, share in PERCENTILES:
            figures[name] = ordered[min(int(share * len(ordered)), last)]
        return figures


@dataclass(slots=True)
class Report:
    """The outcome of one run.

    Args:
        test: produce, consume or follow.
        topic: the topic used.
        records: how many were done.
        payload_bytes: bytes of their keys and values.
        seconds: from the first to the last.
        latency_us: as `Latencies.summary` gives it; empty where none was measured.
        settings: what the run was asked for.
        metrics: further figures, shown with --print-metrics.
    """

    test: str
    topic: str
    records: int
    payload_bytes: int
    seconds: float
    latency_us: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def records_per_s(self) -> float:
        """Records per second over the whole run."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabytes_per_s(self) -> float:
        """Payload per second, in MiB as Kafka's tools count."""
        return self.payload_bytes / MEGABYTE / self.seconds if self.seconds > 0 else 0.0

    def producer_line(self) -> str:
        """Return the summary line of kafka-producer-perf-test.

        >>> Report("produce", "t", 1000, 100_000, 0.5, {"avg": 1000.0, "max": 2000.0,
        ...     "p50": 900.0, "p95": 1900.0, "p99": 2000.0, "p99_9": 2000.0}).producer_line()
        ... # doctest: +NORMALIZE_WHITESPACE
        '1000 records sent, 2000.000000 records/sec (0.19 MB/sec), 1.00 ms avg latency,
        2.00 ms max latency, 1 ms 50th, 2 ms 95th, 2 ms 99th, 2 ms 99.9th.'
        """
        line = (
            f"{self.records} records sent, {self.records_per_s:f} records/sec "
            f"({self.megabytes_per_s:.2f} MB/sec)"
        )
        if self.latency_us:
            milliseconds = {name: value / 1000 for name, value in self.latency_us.items()}
            line += (
                f", {milliseconds['avg']:.2f} ms avg latency, "
                f"{milliseconds['max']:.2f} ms max latency, "
                f"{milliseconds['p50']:.0f} ms 50th, {milliseconds['p95']:.0f} ms 95th, "
                f"{milliseconds['p99']:.0f} ms 99th, {milliseconds['p99_9']:.0f} ms 99.9th"
            )
        return line + "."

    def as_json(self) -> dict[str, Any]:
        """Return everything as one JSON object, units in the names."""
        report: dict[str, Any] = {
            "test": self.test,
            "topic": self.topic,
            "records": self.records,
            "payload_bytes": self.payload_bytes,
            "seconds": self.seconds,
            "records_per_s": self.records_per_s,
            "megabytes_per_s": self.megabytes_per_s,
        }
        if self.latency_us:
            report["latency_us"] = self.latency_us
        if self.metrics:
            report["metrics"] = self.metrics
        report["settings"] = self.settings
        report["machine"] = machine()
        return report


def machine() -> dict[str, Any]:
    """Return what a reader needs to judge the figures by."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
    }


def publish(
    report: Report,
    summary_lines: Sequence[str],
    *,
    json_output: bool,
    svg: Path | None,
    print_metrics: bool,
) -> None:
    """Print the report in the form asked for, and write the SVG file.

    Args:
        report: the figures.
        summary_lines: what Kafka's tool would print; left out with `json_output`.
        json_output: one JSON object instead of line and table.
        svg: file for a bar chart; None for none.
        print_metrics: a second table with everything else that was counted.
    """
    if svg is not None:
        # First: a file that cannot be written must not follow a good-looking table.
        svg.write_text(_picture(report), encoding="utf-8")
    if json_output:
        console.out_json(report.as_json())
        return
    for line in summary_lines:
        console.out(line)
    rows = [
        ("records", console.count_text(report.records)),
        ("time", f"{report.seconds:.3f} s"),
        ("rate", console.rate_text(report.records_per_s)),
        ("payload", f"{report.megabytes_per_s:.1f} MiB/s"),
    ]
    rows += [
        (f"latency {name.replace('p99_9', 'p99.9')}", _microseconds_text(value))
        for name, value in report.latency_us.items()
    ]
    console.table((f"perf {report.test}", report.topic), rows, numbers=(1,))
    if print_metrics:
        metrics = [(name, f"{value:.3f}") for name, value in sorted(report.metrics.items())]
        console.table(("Metric Name", "Value"), metrics, numbers=(1,))


def process_metrics() -> dict[str, float]:
    """Return what this process has used so far, by metric name."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    kibibyte = 1024 if sys.platform != "darwin" else 1
    return {
        "process-cpu-user-seconds": usage.ru_utime,
        "process-cpu-system-seconds": usage.ru_stime,
        "process-resident-bytes-max": float(usage.ru_maxrss * kibibyte),
        "process-context-switches-voluntary": float(usage.ru_nvcsw),
        "process-context-switches-involuntary": float(usage.ru_nivcsw),
    }


def _picture(report: Report) -> str:
    from pylog.cli import chart

    where = machine()
    charts = [
        chart.Chart(
            f"pylog perf {report.test}: rate",
            [chart.Bar(report.topic, report.records_per_s)],
            unit="records/s",
            subtitle=f"{console.count_text(report.records)} records in {report.seconds:.2f} s, "
            f"{report.megabytes_per_s:.1f} MiB/s of payload",
        )
    ]
    if report.latency_us:
        charts.append(
            chart.Chart(
                "Latency",
                [
                    chart.Bar(name.replace("p99_9", "p99.9"), value)
                    for name, value in report.latency_us.items()
                ],
                unit="µs",
                log_scale=True,
            )
        )
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items())
    return chart.render(
        charts,
        title=f"pylog perf {report.test}",
        footer=[
            settings,
            f"{where['system']}, {where['processor']}, {where['cpu_count']} CPUs, "
            f"Python {where['python']}",
        ],
    )


def _microseconds_text(value_us: float) -> str:
    if value_us < 1000:
        return f"{value_us:.1f} µs"
    return f"{value_us / 1000:.2f} ms"
