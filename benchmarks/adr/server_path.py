"""What the server's data path is made of: the figures of docs/adr/0022.

    python -m benchmarks.adr.server_path [--dir FOLDER]

    append    check and append a batch in the loop, beside handing nothing to a thread and back
    fetch     one slice of a partition in its mapping, beside a copy of it
    wake      from an append to the answer of a Fetch that waited: by a client of the server, and
              by another process that embeds the log
    flush     acks=all, batches a second over so many connections, and how many flushes those took

Medians, in microseconds, but for flush.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT

import pylog
from logcore import Log
from logcore.batch import BatchBuilder
from pylog.server.listener import new_loop
from pylog.server.produced_batch import ProducedBatch
from pylog.testing import Server

sys.path.insert(0, str(ROOT / "tests" / "server"))

from produced import create, fetch_request, list_offset, produce, wanted
from wire_client import WireClient

ROUNDS = 2000
SIZES = {"1 KiB": 1 << 10, "64 KiB": 64 << 10, "1 MB": 1_000_000}
SECONDS = 2.0


def batch_of(size: int) -> bytes:
    builder = BatchBuilder(0)
    for _ in range(max(1, size // 1000)):
        builder.append(time.time_ns() // 1_000_000, None, bytes(min(size, 1000)))
    return builder.build()


def median_us(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        start_ns = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start_ns)
    return statistics.median(times) / 1000


def measure_append(folder: Path) -> Iterator[str]:
    with Log(str(folder / "append-0")) as log:
        log.producers()
        for label, size in SIZES.items():
            data = batch_of(size)

            def append(data: bytes = data) -> None:
                batch = ProducedBatch(bytearray(data))
                batch.check(log, 1 << 20)
                batch.append(log, 2)

            yield f"append {label} in the loop: {median_us(append, ROUNDS // 10):.1f}"

    async def hand_over() -> float:
        loop = asyncio.get_running_loop()
        times = []
        with ThreadPoolExecutor(4) as threads:
            for _ in range(ROUNDS):
                start_ns = time.perf_counter_ns()
                await loop.run_in_executor(threads, os.getpid)
                times.append(time.perf_counter_ns() - start_ns)
        return statistics.median(times) / 1000

    loop = new_loop()
    yield f"to a thread and back: {loop.run_until_complete(hand_over()):.1f}"
    loop.close()


def measure_fetch(folder: Path) -> Iterator[str]:
    with Log(str(folder / "fetch-0")) as log:
        data = batch_of(30_000)
        for _ in range(64):
            log.append(data)
        for label, size in SIZES.items():
            if size < len(data):
                continue

            def look(size: int = size) -> Any:
                return log.read_slice(0, size, at_least_one=True)

            in_place, copied = median_us(look), median_us(lambda look=look: look().tobytes())
            yield f"fetch {label}: in place {in_place:.1f}, with a copy {copied:.1f}"


def embedded(folder: str, orders: Connection) -> None:
    """Another process: append when it is told to, and say when."""
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t")
        orders.send(None)
        while orders.recv():
            now_ns = time.perf_counter_ns()
            topic.append(bytes(100))
            orders.send(now_ns)


def measure_wake(folder: Path) -> Iterator[str]:
    with Server(folder / "wake") as server, WireClient(server) as reader:
        create(reader, "t")
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        with WireClient(server) as writer:

            def by_client() -> int:
                now_ns = time.perf_counter_ns()
                produce(writer, "t", batch_of(100))
                return now_ns

            yield f"wake by a client: {_wake_us(reader, by_client):.0f}"
        process = multiprocessing.get_context("spawn").Process(
            target=embedded, args=(server.folder, theirs)
        )
        process.start()
        ours.recv()

        def by_program() -> int:
            ours.send(True)
            now_ns: int = ours.recv()
            return now_ns

        yield f"wake by another process: {_wake_us(reader, by_program):.0f}"
        ours.send(False)
        process.join()


def _wake_us(reader: WireClient, append: Callable[[], int]) -> float:
    times = []
    answers: list[int] = []

    def read() -> None:
        response = reader.receive()
        answers.append(time.perf_counter_ns())
        (answer,) = response.responses[0].partitions
        assert answer.error_code == 0

    for _ in range(300):
        offset = list_offset(reader, "t", -1)[1]
        request = fetch_request(("t", [wanted(0, offset)]), max_wait_ms=20_000, min_bytes=1)
        reader.send(request, 12)
        time.sleep(0.002)  # it is taken up, and the thread sleeps on the bell
        thread = threading.Thread(target=read)
        thread.start()
        start_ns = append()
        thread.join()
        times.append(answers.pop() - start_ns)
    return statistics.median(times) / 1000


def produce_for_a_while(client: WireClient, log: Log, flushed: set[int]) -> int:
    """How many batches; adds where the log was durable up to after each."""
    deadline_s = time.monotonic() + SECONDS
    data = batch_of(1 << 10)
    count = 0
    while time.monotonic() < deadline_s:
        assert produce(client, "t", data, acks=-1).error_code == 0
        flushed.add(log.durable_offset)
        count += 1
    return count


def measure_flush(folder: Path) -> Iterator[str]:
    for count in (1, 4, 16):
        with Server(folder / f"flush-{count}") as server, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(WireClient(server)) for _ in range(count)]
            create(clients[0], "t")
            log = server.broker.log_dir.partition("t", 0)
            flushed: set[int] = set()
            with ThreadPoolExecutor(count) as threads:
                work = partial(produce_for_a_while, log=log, flushed=flushed)
                total = sum(threads.map(work, clients))
            yield (
                f"flush, {count} connections: {total / SECONDS:,.0f} batches a second, "
                f"{total / len(flushed):.1f} a flush"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where to write (the system's scratch folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        for measure in (measure_append, measure_fetch, measure_wake, measure_flush):
            for line in measure(Path(name)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
