"""Opening a large partition after its writer was killed, and after a simulated reboot.

A reboot is simulated by what it changes: the `.state` page carries the boot's id, and a page of
another boot is not believed. Then the log is scanned from the durable mark in `.recovery`; with
the mark taken away, all of it. The files are in the page cache, so the figure is that of the
scan, not of the disk.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from benchmarks.measure import run, say_ready, start, wait_ready
from benchmarks.workload import TOPIC, Figures, Order, make_pairs

if TYPE_CHECKING:
    from logcore.log import Log

BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")
REPEATS = 5
EXTRA_APPENDS = 3
_WAIT_S = 60


def crash(order: Order) -> Figures:
    """Fill a partition, kill the writer, and open it in new processes."""
    partition = Path(order.log_dir) / f"{TOPIC}-0"
    _write_and_kill(order, int(str(order.extra["bytes"])))
    size_bytes = sum(path.stat().st_size for path in partition.glob("*.log"))
    killed_ms = []
    for _ in range(REPEATS):
        killed_ms.append(run("open_partition", order)["open_ms"])
        _write_and_kill(order, 0)
    figures = {
        "bytes": size_bytes,
        "killed_ms": median(killed_ms),
        "killed_max_ms": max(killed_ms),
        "rebooted_ms": _open_rebooted(order, partition, with_mark=True),
    }
    scan_ms = _open_rebooted(order, partition, with_mark=False)
    return {**figures, "scan_ms": scan_ms, "scan_gb_s": size_bytes / 1e6 / scan_ms}


def crash_fill(order: Order) -> Figures:
    """Append `bytes`, and a little more once those are durable; say so and wait to be killed."""
    import pylog

    target_bytes = int(str(order.extra["bytes"]))
    pairs = make_pairs(order.value_bytes)
    pair_bytes = sum(len(key) + len(value) for key, value in pairs)
    log = pylog.open(order.log_dir, acks=1)
    topic = log.topic(TOPIC, partitions=1)
    for _ in range(target_bytes // pair_bytes):
        topic.append_many(pairs)
    if target_bytes:
        _wait_until_durable(topic.log())
    for _ in range(EXTRA_APPENDS):
        topic.append_many(pairs)
    say_ready()
    sys.stdin.read()
    raise RuntimeError("the writer was to be killed, not told to end")


def open_partition(order: Order) -> Figures:
    """Open the partition for writing; the imports are not counted."""
    from logcore.log import Log

    path = Path(order.log_dir) / f"{TOPIC}-0"
    start = perf_counter()
    log = Log(path)
    seconds = perf_counter() - start
    figures = {"open_ms": seconds * 1e3, "log_end_offset": log.log_end_offset}
    log.close()
    return figures


def _wait_until_durable(log: "Log") -> None:
    """Wait for the background flush and the mark that follows it, as in a quiet second."""
    from logcore import recovery_mark

    deadline = perf_counter() + _WAIT_S
    while (recovery_mark.read(log.path) or {}).get("log_end_offset") != log.log_end_offset:
        if perf_counter() > deadline:
            raise RuntimeError("nothing made the log durable in the background")
        sleep(0.05)


def _write_and_kill(order: Order, size_bytes: int) -> None:
    fill_order = Order(
        order.folder, order.records, order.value_bytes, {**order.extra, "bytes": size_bytes}
    )
    writer = start("crash_fill", fill_order)
    with writer:
        wait_ready("crash_fill", writer)
        writer.kill()
        writer.wait(_WAIT_S)


def _open_rebooted(order: Order, partition: Path, *, with_mark: bool) -> float:
    """Return the median milliseconds of opening the same crashed folder after a reboot."""
    samples = []
    for number in range(REPEATS):
        folder = Path(order.folder) / f"rebooted-{with_mark}-{number}"
        copy = folder / "log" / partition.name
        copy.parent.mkdir(parents=True)
        _copy_partition(partition, copy)
        if not with_mark:
            (copy / ".recovery").unlink(missing_ok=True)
        _change_boot(copy / ".state")
        copied = Order(str(folder), order.records, order.value_bytes)
        samples.append(run("open_partition", copied)["open_ms"])
        shutil.rmtree(folder)
    return median(samples)


def _copy_partition(source: Path, target: Path) -> None:
    """Copy the files as a reboot leaves them: with their holes, and with nothing unwritten."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(target)], check=True)
    for path in target.iterdir():
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())


def _change_boot(state: Path) -> None:
    """Put another boot's id where this boot's stands."""
    page = state.read_bytes()
    boot_id = bytes.fromhex(BOOT_ID_PATH.read_text().strip().replace("-", ""))
    if boot_id not in page:
        raise RuntimeError("the .state page does not hold this boot's id")
    state.write_bytes(page.replace(boot_id, bytes(len(boot_id))))
