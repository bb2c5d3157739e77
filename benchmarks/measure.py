"""One measurement in a process of its own: `python -m benchmarks.measure NAME ORDER`.

Caches, memory and the collector's state of one measurement are then none of the next one's. The
child writes one JSON line, its figures. A child that others wait for (a reader that must be
ready, a writer that will be killed) writes the line `ready` before.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

from benchmarks.machine import ROOT
from benchmarks.workload import Figures, Order

MEASUREMENTS = {
    "raw_write": "workload",
    "raw_write_durable": "workload",
    "raw_read": "workload",
    "raw_pipe_latency": "two_processes",
    "produce": "clients",
    "append_many": "clients",
    "fill": "clients",
    "consume": "clients",
    "consume_value": "clients",
    "poll_value": "clients",
    "columns": "clients",
    "disk": "clients",
    "memory": "clients",
    "end_to_end": "two_processes",
    "end_to_end_reader": "two_processes",
    "latency": "two_processes",
    "latency_reader": "two_processes",
    "pipe_latency_reader": "two_processes",
    "raw_spin_latency": "two_processes",
    "spin_latency_reader": "two_processes",
    "produce_idempotent": "transactions",
    "produce_flushed": "transactions",
    "transactions": "transactions",
    "fill_transactions": "transactions",
    "consume_isolated": "transactions",
    "compaction": "compaction",
    "rebalance": "groups",
    "takeover": "groups",
    "group_member": "groups",
    "crash": "crash",
    "crash_fill": "crash",
    "open_partition": "crash",
    "bare_loop": "stream_work",
    "in_process": "streams",
    "fill_events": "streams",
    "folder_to_folder": "streams",
    "restore": "streams",
    "state_memory": "streams",
    "stream_latency": "streams",
    "store_append": "peers",
    "store_durable": "peers",
    "store_read": "peers",
}
"""Measurement name to the module below `benchmarks` that has it."""

READY = "ready"
_TIMEOUT_S = 1800


class MeasurementError(Exception):
    """A measuring process failed; the message is the end of what it said."""


def run(name: str, order: Order) -> Figures:
    """Make one measurement in a new process and return its figures."""
    with start(name, order) as process:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
    return read_figures(name, process.returncode, output, errors)


def start(name: str, order: Order) -> "subprocess.Popen[str]":
    """Start one measurement in a new process, with pipes to it."""
    if name not in MEASUREMENTS:
        raise ValueError(f"no measurement {name!r}")
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.measure", name, json.dumps(order.as_dict())],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def wait_ready(name: str, process: "subprocess.Popen[str]") -> None:
    """Return when the process has said that it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if line.strip() != READY:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
        raise MeasurementError(f"{name}: {(line + output + errors).strip()[-2000:]}")


def say_ready() -> None:
    """Tell the process that waits for this one."""
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()


def read_figures(name: str, return_code: int, output: str, errors: str) -> Figures:
    """Return the figures of a process that has ended."""
    if return_code != 0:
        raise MeasurementError(f"{name}: {(output + errors).strip()[-2000:]}")
    figures: Figures = json.loads(output.strip().splitlines()[-1])
    return figures


def main() -> None:
    name, text = sys.argv[1:3]
    module = import_module(f"benchmarks.{MEASUREMENTS[name]}")
    measurement: Callable[[Order], Figures] = getattr(module, name)
    figures = measurement(Order(**json.loads(text)))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
