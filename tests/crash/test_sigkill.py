"""Processes that are killed and stopped at random while all of them append to one partition.

A run forks writers, which append in three ways and note what was acknowledged to them in a file
that outlives them, and followers. It kills a random one, starts another in its place, or stops
one for a while. At the end: every acknowledged record is in the log exactly once, at its offset;
each process's records are in its order; offsets have no gaps; followers saw a prefix; and the
folder opens at once. `make torture` does it for longer, PYLOG_KILLS=n for n kills.
"""

import gc
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from child import run
from partitions import batch

import pylog
from logcore import Log
from pylog import KafkaError, KafkaException

# ---- in the processes that die ----


def write(folder: str, acks_path: str, name: str, kind: str, seed: int) -> None:
    """Append records `<name> <number>` until killed; note `<number> <offset>` of each."""
    chance = random.Random(seed)
    acks = os.open(acks_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def value(number: int) -> bytes:
        return b"%s %d " % (name.encode(), number) + b"." * chance.randrange(200)

    def note(first: int, offsets: list[int]) -> None:
        os.write(acks, b"".join(b"%d %d\n" % (first + n, o) for n, o in enumerate(offsets)))

    number = 0
    if kind == "produce":
        _produce(folder, note, value, chance)
        return
    with pylog.open(folder, acks=1) as event_log:
        topic = event_log.topic("t")
        while True:
            if kind == "append":
                note(number, [topic.append(value(number))])
                number += 1
            else:
                count = chance.randrange(1, 50)
                expected = topic.end_offset()
                try:
                    topic.append_many(
                        [value(number + n) for n in range(count)],
                        partition=0, expected_offset=expected,
                    )  # fmt: skip
                except KafkaException as exception:
                    if exception.args[0] != KafkaError._CONFLICT:
                        raise
                    continue  # somebody was faster
                note(number, list(range(expected, expected + count)))
                number += count
            if chance.random() < 0.002:
                topic.log().roll()
            if chance.random() < 0.002:
                topic.log().flush()
            if chance.random() < 0.0005:
                topic.log().write_recovery_mark()


def _produce(folder: str, note: Any, value: Any, chance: random.Random) -> None:
    producer = pylog.Producer({
        "log.dir": folder, "acks": 1, "linger.ms": chance.choice([0, 1, 5]),
        "batch.size": chance.choice([500, 16384]),
    })  # fmt: skip

    def delivered(error: KafkaError | None, message: pylog.Message) -> None:
        assert error is None
        note(int(message.value().split()[1]), [message.offset()])

    number = 0
    while True:
        producer.produce("t", value(number), on_delivery=delivered)
        number += 1
        producer.poll(0)
        if chance.random() < 0.01:
            producer.flush()


def follow(folder: str, seen_path: str) -> None:
    """Note `<offset> <value>` of each record as it comes, from the log's start on."""
    seen = os.open(seen_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    with pylog.open(folder, acks=1) as event_log:
        for message in event_log.topic("t").follow(partition=0, timeout=60):
            os.write(seen, b"%d %s\n" % (message.offset(), message.value()))


# ---- in the process that kills ----


class Nursery:
    """Forks the processes, and knows what became of them."""

    def __init__(self, folder: str, notes: str, chance: random.Random):
        self.folder, self.notes, self.chance = folder, notes, chance
        self.living: dict[int, str] = {}
        self.count = 0
        self.counts: Counter[str] = Counter()

    def start(self, kind: str) -> None:
        name = f"{kind}-{self.count}"
        self.count += 1
        self.counts[kind] += 1
        seed = self.chance.randrange(1 << 32)
        process_id = os.fork()
        if process_id == 0:
            try:
                if kind == "follow":
                    follow(self.folder, f"{self.notes}/{name}.seen")
                else:
                    write(self.folder, f"{self.notes}/{name}.acks", name, kind, seed)
            except BaseException:
                Path(f"{self.notes}/{name}.fault").write_text(traceback.format_exc())
            finally:
                os._exit(1)
        self.living[process_id] = kind

    def replace(self, victims: list[int]) -> None:
        """Kill processes, and start another for each."""
        process_id = self.chance.choice(victims)
        kind = self.living.pop(process_id)
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        self.counts["kills"] += 1
        self.start(kind if kind == "follow" else self.chance.choice(["append", "many", "produce"]))

    def stop_for_a_while(self) -> None:
        process_id = self.chance.choice(list(self.living))
        os.kill(process_id, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 0.05))
        if self.chance.random() < 0.5:
            self.replace([process_id])
        else:
            os.kill(process_id, signal.SIGCONT)
        self.counts["stops"] += 1

    def end(self) -> None:
        for process_id in self.living:
            os.kill(process_id, signal.SIGKILL)
        for process_id in self.living:
            os.waitpid(process_id, 0)
        self.counts["kills"] += len(self.living)
        self.living.clear()


def torture(folder: str, notes: str, seed: int, seconds: float, kills: int) -> dict[str, Any]:
    """Kill and stop for so long, or so often; then look at what is left."""
    chance = random.Random(seed)
    with pylog.open(folder, acks=1) as event_log:
        event_log.topic("t")
    nursery = Nursery(folder, notes, chance)
    for kind in ("append", "many", "produce", "append"):
        nursery.start(kind)
    nursery.start("follow")
    first_follower = next(pid for pid, kind in nursery.living.items() if kind == "follow")
    nursery.start("follow")
    gc.freeze()
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s or nursery.counts["kills"] < kills:
        time.sleep(chance.uniform(0, 0.06))  # the moment of death is what is random here
        if chance.random() < 0.25:
            nursery.stop_for_a_while()
        else:
            nursery.replace([pid for pid in nursery.living if pid != first_follower])
    nursery.end()
    return dict(nursery.counts)


# ---- what must hold ----


def read_notes(notes: Path, suffix: str) -> dict[str, list[list[bytes]]]:
    """By process: its lines, without a last one that it did not finish."""
    found = {}
    for path in notes.glob(f"*{suffix}"):
        lines = path.read_bytes().split(b"\n")[:-1]
        found[path.stem] = [line.split(b" ", 1) for line in lines]
    return found


def check_history(records: list[bytes], notes: Path) -> Counter[str]:
    """The log's values against what its writers and followers wrote down."""
    counts: Counter[str] = Counter(records=len(records))
    by_writer: defaultdict[str, list[int]] = defaultdict(list)
    for value in records:
        name, number, _ = value.split(b" ", 2)
        by_writer[name.decode()].append(int(number))
    for name, numbers in by_writer.items():
        # The first numbers, each once, in order: a writer that was killed loses only its last.
        assert numbers == list(range(len(numbers))), f"{name}: lost, doubled or out of order"
    for name, lines in read_notes(notes, ".acks").items():
        for number, offset in lines:
            value = records[int(offset)] if int(offset) < len(records) else b""
            assert value.startswith(b"%s %s " % (name.encode(), number)), (
                f"{name}: record {number!r} was acknowledged at {offset!r}, there is {value!r}"
            )
            counts["acknowledged"] += 1
    for name, lines in read_notes(notes, ".seen").items():
        seen = [value for _, value in lines]
        assert [int(offset) for offset, _ in lines] == list(range(len(lines))), name
        assert seen == records[: len(seen)], f"{name} saw something else than the log holds"
        counts["followed"] += len(seen)
    return counts


def survive(tmp_path: Path, seed: int, seconds: float, kills: int) -> None:
    folder, notes = tmp_path / "log", tmp_path / "notes"
    notes.mkdir()
    counts = run(
        torture, timeout_s=seconds + kills + 120, folder=folder, notes=notes, seed=seed,
        seconds=seconds, kills=kills,
    )  # fmt: skip
    faults = [path.read_text() for path in notes.glob("*.fault")]
    assert not faults, faults[0]
    started_s = time.monotonic()
    with Log(folder / "t-0") as log:
        opened_s = time.monotonic() - started_s
        assert log.recovered is None, "after kills alone nothing is to be recovered"
        log.append(batch(b"the end"))
        found = list(log.reader(log.log_start_offset))
        assert [record.offset for record in found] == list(range(log.log_end_offset))
        records = [record.value for record in found[:-1]]
        segments = len(log.segments())
    counts.update(check_history(records, notes))
    line = f"{dict(counts)}, {segments} segments, opened in {opened_s * 1000:.1f} ms\n"
    sys.stdout.write(line)
    assert opened_s < 1.0
    assert counts["acknowledged"] > 1000
    with pylog.open(folder) as event_log:
        assert event_log.topic("t").end_offset() == len(records) + 1


def test_processes_killed_at_random_lose_nothing(tmp_path: Path, chance: random.Random):
    kills = int(os.environ.get("PYLOG_KILLS") or 0)
    survive(tmp_path, chance.randrange(1 << 32), 0.0 if kills else 10.0, kills)


@pytest.mark.slow
def test_processes_killed_thousands_of_times_lose_nothing(tmp_path: Path, chance: random.Random):
    survive(tmp_path, chance.randrange(1 << 32), 0.0, int(os.environ.get("PYLOG_KILLS") or 3000))
