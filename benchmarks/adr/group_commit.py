"""Durable appends a second by how many wait at once: the figures of docs/adr/0012.

    python benchmarks/adr/group_commit.py [--dir FOLDER]

Each thread appends one record of 1 KiB at a time with acks=all; one process, one partition.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import pylog

SECONDS = 2.0
THREADS = (1, 4, 16, 64)
VALUE = bytes(1024)


def appends_a_second(folder: Path, count: int) -> float:
    """Appends a second that `count` threads get done together."""
    with pylog.open(folder, acks="all") as log:
        topic = log.topic("durable")
        deadline_s = time.monotonic() + SECONDS

        def append() -> None:
            while time.monotonic() < deadline_s:
                topic.append(VALUE)

        threads = [threading.Thread(target=append) for _ in range(count)]
        started_s = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return topic.end_offset() / (time.monotonic() - started_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where to write (the system's scratch folder)")
    options = parser.parse_args()
    for count in THREADS:
        with tempfile.TemporaryDirectory(dir=options.dir) as name:
            print(f"{count} threads: {appends_a_second(Path(name) / 'log', count):,.0f} appends/s")


if __name__ == "__main__":
    main()
