"""Instruction counts a record, by callgrind: `python -m benchmarks.instructions`.

A count hardly moves where wall time on a shared machine moves by a factor of two, so this is the
figure to compare before and after a change. Each loop runs twice under valgrind, with few and
with many records; the difference of the two counts, divided by the difference of the records, is
free of the interpreter's start and of the imports, but for some two instructions of noise.
Valgrind has no
AVX-512 and serialises threads: the counts are of the user-space work, never of waiting.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT
from benchmarks.workload import BLOCK_RECORDS, TOPIC, Order, Pair, make_pairs

FEW, MANY = 2_000, 22_000
VALUE_BYTES = 100
TIMESTAMP_MS = 1_700_000_000_000


def empty_loop(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """The Python loop itself: what to subtract in mind."""
    for _ in range(blocks):
        for _key, _value in pairs:
            pass


def encode(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """BatchBuilder.append of each record and a build for each 500."""
    for batch in _built_batches(pairs, blocks):
        assert batch


def decode(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """iter_records over batches of 500, checksums included. The encoding is counted too."""
    from logcore.batch import iter_records

    for batch in _built_batches(pairs, blocks):
        for record in iter_records(batch):
            assert record.value


def append_many(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """append_many of 1,000 pairs, acks=1."""
    import pylog

    with pylog.open(str(folder), acks=1) as log:
        topic = log.topic(TOPIC, partitions=1)
        for _ in range(blocks):
            topic.append_many(pairs)


def produce(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """A produce call for each record, acks=1, and a flush at the end."""
    import pylog

    with pylog.open(str(folder), acks=1) as log:
        log.topic(TOPIC, partitions=1)
    producer = pylog.Producer({"log.dir": str(folder), "acks": 1, "linger.ms": 1000})
    send = producer.produce
    for _ in range(blocks):
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
    producer.flush()


def consume(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """consume(1000) and the value of each. The append_many before it is counted too."""
    from benchmarks.clients import open_consumer

    append_many(pairs, blocks, folder / "log")
    consumer = open_consumer(Order(str(folder), blocks * BLOCK_RECORDS, VALUE_BYTES))
    for _ in range(blocks):
        for message in consumer.consume(BLOCK_RECORDS, 10.0):
            message.value()


def poll(pairs: list[Pair], blocks: int, folder: Path) -> None:
    """poll() and the value of each. The append_many before it is counted too."""
    from benchmarks.clients import open_consumer

    append_many(pairs, blocks, folder / "log")
    consumer = open_consumer(Order(str(folder), blocks * BLOCK_RECORDS, VALUE_BYTES))
    for _ in range(blocks * BLOCK_RECORDS):
        consumer.poll(10.0).value()


LOOPS: dict[str, Callable[[list[Pair], int, Path], None]] = {
    loop.__name__: loop
    for loop in (empty_loop, encode, decode, append_many, produce, consume, poll)
}
# What a loop does before what it is named for, and what its count is therefore lessened by.
BEFORE = {"decode": "encode", "consume": "append_many", "poll": "append_many"}


def _built_batches(pairs: list[Pair], blocks: int) -> Iterator[bytes]:
    from logcore.batch import BatchBuilder

    half = BLOCK_RECORDS // 2
    for _ in range(blocks):
        for first in (0, half):
            builder = BatchBuilder()
            append = builder.append
            for key, value in pairs[first : first + half]:
                append(TIMESTAMP_MS, key, value)
            yield builder.build()


def count(loop: str, few: int = FEW, many: int = MANY) -> float:
    """Return the instructions a record that `loop` executes."""
    # Once without valgrind: a module that has to be compiled would count for one of the two.
    _run_loop(loop, few, [])
    return (_count_run(loop, many) - _count_run(loop, few)) / (many - few)


def _count_run(loop: str, records: int) -> int:
    with TemporaryDirectory() as folder:
        report = Path(folder) / "callgrind.out"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={report}", "-q"]
        _run_loop(loop, records, valgrind)
        for line in report.read_text().splitlines():
            if line.startswith(("summary:", "totals:")):
                return int(line.split()[1])
    raise RuntimeError(f"{loop}: callgrind wrote no total")


def _run_loop(loop: str, records: int, before: list[str]) -> None:
    with TemporaryDirectory() as folder:
        command = [*before, sys.executable, "-m", "benchmarks.instructions"]
        command += ["--run", loop, "--records", str(records), "--dir", folder]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{loop}: {(done.stdout + done.stderr)[-2000:]}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.instructions", description=__doc__)
    parser.add_argument("--loops", help=f"some of: {', '.join(LOOPS)}")
    parser.add_argument("--out", type=Path, help="write the counts as JSON")
    parser.add_argument("--records", type=int, default=MANY, help=f"many ({MANY})")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--dir", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        blocks = options.records // BLOCK_RECORDS
        LOOPS[options.run](make_pairs(VALUE_BYTES), blocks, options.dir)
        return
    if shutil.which("valgrind") is None:
        print("instructions: valgrind is not installed (apt-get install valgrind)")
        return
    names = options.loops.split(",") if options.loops else list(LOOPS)
    if unknown := [name for name in names if name not in LOOPS]:
        parser.error(f"no loop {', '.join(unknown)}")
    counts: dict[str, float] = {}
    print(f"{'loop':14} {'instructions a record':>22}   {VALUE_BYTES}-byte values")
    for name in names:
        before = BEFORE.get(name)
        for needed in (before, name) if before else (name,):
            if needed not in counts:
                counts[needed] = count(needed, many=options.records)
        own = counts[name] - (counts[before] if before else 0)
        print(f"{name:14} {own:22,.1f}   {(LOOPS[name].__doc__ or '').split('. ')[0]}")
    if options.out:
        options.out.write_text(json.dumps(counts, indent=1) + "\n")


if __name__ == "__main__":
    main()
