"""Measurement of compaction: a warm log of records of 100 bytes, five to a key."""

import os
from pathlib import Path
from random import Random
from time import perf_counter

from benchmarks.workload import Figures, Order
from logcore import compaction as core
from logcore.batch import BatchBuilder, crc32c
from logcore.config import LogConfig
from logcore.log import Log

KEYS_MAX = 1_000_000
WRITES_A_KEY = 5
BATCH_RECORDS = 160
VALUE_BYTES = 80
"""With its key of 8 bytes and what frames it a record takes some 100 bytes."""
TIME_MS = 1_700_000_000_000
_PIECE_BYTES = 1 << 20


def compaction(order: Order) -> Figures:
    """Compact all of a log; and read and checksum its bytes alone, for comparison.

    Memory is what the process has of its own, without the files' pages, at its peak over the
    start, divided by the keys.
    """
    path = Path(order.log_dir) / "table-0"
    path.parent.mkdir(parents=True, exist_ok=True)
    config = LogConfig(cleanup_policy="compact", segment_bytes=128 << 20)
    with Log(path, config) as log:
        _fill(log, order.total)
        log.flush()
        raw_seconds = _read_and_checksum(path)
        before = peak = _private_bytes()

        def sample(_done_bytes: int) -> None:
            nonlocal peak
            peak = max(peak, _private_bytes())

        assert log.try_cleaning()
        start = perf_counter()
        done = core.compact(log, scope="all", on_progress=sample)
        seconds = perf_counter() - start
        log.end_cleaning()
    assert done is not None
    assert done.records_after == done.key_count
    return {
        "records": order.total,
        "mb_per_s": done.bytes_before / seconds / 1e6,
        "raw_mb_per_s": done.bytes_before / raw_seconds / 1e6,
        "bytes_per_key": (peak - before) / done.key_count,
    }


def _fill(log: Log, total: int) -> None:
    source = Random(1)
    key_count = max(1, min(KEYS_MAX, total // WRITES_A_KEY))
    value = source.randbytes(VALUE_BYTES)
    for first in range(0, total, BATCH_RECORDS):
        builder = BatchBuilder()
        for number in range(first, min(first + BATCH_RECORDS, total)):
            key = source.randrange(key_count).to_bytes(8, "big")
            builder.append(TIME_MS + number, key, value)
        log.append(builder.build())
    log.roll()


def _read_and_checksum(path: Path) -> float:
    """Seconds that a single pass over the bytes takes."""
    files = sorted(path.glob("*.log"))
    start = perf_counter()
    for file in files:
        with open(file, "rb", buffering=0) as opened:
            while piece := opened.read(_PIECE_BYTES):
                crc32c(piece)
    return perf_counter() - start


def _private_bytes() -> int:
    with open("/proc/self/statm") as file:
        fields = file.read().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE")
