"""A mixed run: programs that embed the log, clients of the server and the server, on one folder.

    python -m tests.peers.server.mixed_run --seconds 25 --seed 7

Two producers embed the log, one idempotent, one with transactions; a Java program writes
transactions over the wire. Three groups read what they write: one embeds the log and copies exactly
once, one is of confluent_kafka and the classic protocol and commits what it read, one is of the
consumer protocol and copies exactly once over the wire. Any of them, and the server, is killed with
SIGKILL at moments drawn from the seed, and another takes its place. In the end nobody is killed any
more, the writers are gone, and each group must come to the end of the log. Everybody has written
down what it began and what it was told (tests/model/history.py), and the checks of tests/model
judge it.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.model import producers, readers, transactions
from tests.model.facts import Anomaly
from tests.model.history import Journal, count_operations, count_refusals, read_all
from tests.model.layout import (
    EVENT_KEYS,
    EVENTS,
    KEYS,
    PARTITIONS,
    TOPIC_CONFIGS,
    TOPICS,
    partition,
)
from tests.model.members import tell_offsets
from tests.model.nemesis import _die_with_parent, in_child
from tests.model.run import fresh_folder
from tests.model.verdict import describe
from tests.model.worker import Worker
from tests.peers.server import mixed_workers
from tests.peers.server.mixed_checks import CLASSIC, CONSUMER, EMBEDDED, GROUPS, find_anomalies

import pylog
from pylog import KafkaError
from pylog.log_dir import LogDir
from pylog.testing.process import ServerProcess

INTERVAL_S = 1.4
LONGEST_PAUSE_S = 1.0
DRAIN_S = 60.0
SERVER = "server"
PROPERTIES = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": str(mixed_workers.SESSION_TIMEOUT_MS),
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "500",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}
FINAL = 1 << 28
"""The first process number of those that read when all others have ended."""


@dataclass(frozen=True)
class Slot:
    """A place that is always taken by one process.

    Args:
        role: what the process does.
        run: does it.
        facts: for the history's header.
        is_writer: ends before the groups come to the end of the log.
    """

    role: str
    run: Callable[[Worker], None]
    facts: Mapping[str, object]
    is_writer: bool = False


def slots(bootstrap: str, java: list[str], notes: str) -> list[Slot]:
    """The processes of a run."""
    write_in_java = partial(
        mixed_workers.write_in_java, command=java, bootstrap=bootstrap, notes=notes
    )
    write = partial(transactions.write, transactional_id="writer")
    return [
        Slot("idempotent", partial(producers.produce, is_idempotent=True), {}, is_writer=True),
        Slot("writer", write, {"transactional_id": "writer"}, is_writer=True),
        Slot("java-writer", write_in_java, {"transactional_id": "java"}, is_writer=True),
        *(_copier(number) for number in range(2)),
        *(_wire_member(bootstrap) for _ in range(2)),
        *(_wire_copier(bootstrap, number) for number in range(2)),
    ]


def _facts(group: str, **more: object) -> dict[str, object]:
    return {"group": group, "isolation": "read_committed", **more}


def _copier(number: int) -> Slot:
    name = f"copier-{number}"
    work = partial(
        transactions.copy, transactional_id=name, group=EMBEDDED, strategy="cooperative-sticky"
    )
    return Slot("copier", work, _facts(EMBEDDED, transactional_id=name))


def _wire_member(bootstrap: str) -> Slot:
    work = partial(
        mixed_workers.belong_on_the_wire, bootstrap=bootstrap, group=CLASSIC, protocol="classic"
    )
    return Slot("wire-member", work, _facts(CLASSIC))


def _wire_copier(bootstrap: str, number: int) -> Slot:
    name = f"wire-copier-{number}"
    work = partial(
        mixed_workers.copy_on_the_wire,
        bootstrap=bootstrap,
        transactional_id=name,
        group=CONSUMER,
        protocol="consumer",
    )
    return Slot("wire-copier", work, _facts(CONSUMER, transactional_id=name))


class MixedNemesis:
    """Runs the processes, kills them and the server, and starts others.

    Args:
        log: the folder of the log.
        notes: the folder of the histories.
        server: runs.
        processes: who runs at any time.
        seed: of everything that is drawn.
    """

    def __init__(
        self, log: str, notes: Path, server: ServerProcess, processes: Sequence[Slot], seed: int
    ):
        self._log, self._notes, self._server, self._seed = log, notes, server, seed
        self._slots = processes
        self._chance = random.Random(f"{seed} nemesis")
        self._living: dict[int, tuple[int, int]] = {}  # slot -> (process id, process)
        self._next_process = 1
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Start everybody, and kill until the time is over."""
        for index in range(len(self._slots)):
            self._start(index)
        end_s = time.monotonic() + seconds
        for interval_s, victims, pause_s in self._faults():
            due_s = time.monotonic() + interval_s
            while time.monotonic() < min(due_s, end_s):
                self._reap()
                time.sleep(0.005)  # the moment of the fault is what is random here
            if due_s >= end_s:
                return
            self._fault(victims, pause_s)

    def _faults(self) -> Iterator[tuple[float, list[int], float]]:
        """When (after the one before), which slots (-1: the server), how long it stays away."""
        while True:
            # Everybody has a turn, the server three, and once it goes with some of the others.
            bag = [[index] for index in range(-1, len(self._slots))] + [[-1]]
            bag.append([-1, *self._chance.sample(range(len(self._slots)), 3)])
            self._chance.shuffle(bag)
            for victims in bag:
                interval_s = self._chance.expovariate(1 / INTERVAL_S)
                yield interval_s, victims, self._chance.uniform(0, LONGEST_PAUSE_S)

    def _fault(self, victims: list[int], pause_s: float) -> None:
        for index in victims:
            if index < 0:
                self._server.kill()
                self.counts[f"kill {SERVER}"] += 1
            else:
                self._kill(index)
        if -1 in victims:
            time.sleep(pause_s)
            self._server.start()
        for index in victims:
            if index >= 0:
                self._start(index)

    def _start(self, index: int) -> None:
        slot, process = self._slots[index], self._next_process
        self._next_process += 1
        process_id = os.fork()
        if process_id == 0:
            self._work(slot, process)
        self._living[index] = (process_id, process)

    def _work(self, slot: Slot, process: int) -> None:
        """In the new process."""
        status = 1
        stem = f"{self._notes}/{process:06d}-{slot.role}"
        try:
            _die_with_parent()
            with open(f"{stem}.stderr", "wb") as file:
                os.dup2(file.fileno(), 2)
            journal = Journal(self._notes, process, slot.role, **slot.facts)
            slot.run(mixed_workers.PacedWorker(self._log, journal, f"{self._seed} {process}"))
            status = 0
        except BaseException:
            Path(f"{stem}.fault").write_text(traceback.format_exc())
        finally:
            os._exit(status)

    def _kill(self, index: int) -> None:
        process_id, process = self._living.pop(index)
        os.kill(process_id, signal.SIGKILL)
        _, status = os.waitpid(process_id, 0)
        role = self._slots[index].role
        if os.WIFEXITED(status) and status:
            self._raise(process, role, status)
        self.counts[f"kill {role}"] += 1

    def _reap(self) -> None:
        """Start others for those that ended by themselves."""
        for index, (process_id, process) in list(self._living.items()):
            found, status = os.waitpid(process_id, os.WNOHANG)
            if not found:
                continue
            del self._living[index]
            role = self._slots[index].role
            is_hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            if status and not is_hung:
                self._raise(process, role, status)
            self.counts[f"{'hung' if is_hung else 'end'} {role}"] += 1
            self._start(index)

    def _raise(self, process: int, role: str, status: int) -> None:
        stem = self._notes / f"{process:06d}-{role}"
        text = "".join(
            path.read_text()[-4000:]
            for path in (stem.with_suffix(".fault"), stem.with_suffix(".stderr"))
            if path.exists()
        )
        raise RuntimeError(f"process {process}, {role}, ended with {status}: {text}")

    def drain(self) -> list[Anomaly]:
        """Kill the writers; wait until the groups have read all, whoever ends meanwhile.

        Returns:
            Which group did not come to the end.
        """
        for index, slot in enumerate(self._slots):
            if slot.is_writer:
                self._kill(index)
        process_id = os.fork()
        if process_id == 0:
            self._await_ends()
        while True:
            found, status = os.waitpid(process_id, os.WNOHANG)
            if found:
                break
            self._reap()
            time.sleep(0.02)
        return [Anomaly("stuck", (self._notes / "drain").read_text())] if status else []

    def _await_ends(self) -> None:
        """In a process of its own."""
        status = 1
        try:
            _die_with_parent()
            await_ends(self._log)
            status = 0
        except BaseException:
            (self._notes / "drain").write_text(traceback.format_exc())
        finally:
            os._exit(status)

    def kill_all(self) -> None:
        """End everybody."""
        for process_id, _ in self._living.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)
        self._living.clear()


def await_ends(log: str) -> None:
    """Wait until each group has committed the end of what is committed of each partition."""
    deadline_s = time.monotonic() + DRAIN_S
    for group in GROUPS:
        consumer = pylog.Consumer({
            "log.dir": log,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        })  # fmt: skip
        for key in EVENT_KEYS:
            while True:
                (at,) = consumer.committed([partition(key)])
                consumer.assign([partition(key, max(at.offset, 0))])
                message = consumer.poll(DRAIN_S)
                assert message is not None, f"{PARTITIONS[key]} has no end"
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    # The end may lie before a transaction that is still open.
                    _, end = consumer.get_watermark_offsets(partition(key))
                    if message.offset() == end:
                        break
                assert time.monotonic() < deadline_s, (
                    f"group {group} stays at {at.offset} of {PARTITIONS[key]}: {error or message}"
                )
                time.sleep(0.1)  # others work; what is asked is whether they come to an end
        consumer.close()


def _make_topics(log: str) -> None:
    with LogDir.open(log) as log_dir:
        for topic, count in TOPICS.items():
            log_dir.create_topic(topic, count, TOPIC_CONFIGS)


def _read_finally(log: str, notes: Path, bootstrap: str) -> None:
    number = FINAL
    for isolation in ("read_uncommitted", "read_committed"):
        journal = Journal(notes, number, "wire-reader", isolation=isolation)
        mixed_workers.read_on_the_wire(bootstrap, journal, isolation)
        journal = Journal(notes, number + 1, "final", isolation=isolation, is_final=True)
        readers.read_all(log, journal, isolation)
        number += 2
    for group in GROUPS:
        journal = Journal(notes, number, "final", group=group, is_final=True)
        tell_offsets(log, journal, group)
        number += 1


def run(folder: Path, seed: int, seconds: float, java: list[str]) -> list[Anomaly]:
    """Make one run in an empty folder, judge it, and say what it was."""
    log, notes = str(folder / "log"), folder / "notes"
    notes.mkdir()
    assert [KEYS[EVENTS, number] for number in range(len(EVENT_KEYS))] == EVENT_KEYS
    in_child(partial(_make_topics, log))
    server = ServerProcess(log, properties=PROPERTIES).start()
    processes = slots(server.bootstrap_servers, java, str(notes))
    nemesis = MixedNemesis(log, notes, server, processes, seed)
    started_s = time.monotonic()
    told = ""
    try:
        nemesis.run(seconds)
        stuck = nemesis.drain()
        nemesis.kill_all()
        drained_s = time.monotonic()
        in_child(partial(_read_finally, log, notes, server.bootstrap_servers))
    finally:
        nemesis.kill_all()
        told = server.stop()
        _say(f"faults: {_listed(nemesis.counts)}")
    histories = read_all(notes)
    anomalies = stuck + find_anomalies(histories)
    if "Traceback" in told:
        anomalies.append(Anomaly("server-error", told[-3000:]))
    operations = count_operations(histories)
    _say(f"{sum(operations.values()):,} operations: {_listed(operations)}")
    _say(f"refused, by code: {_listed(count_refusals(histories)) or 'none'}")
    spent_s = time.monotonic() - drained_s
    _say(f"took {drained_s - started_s:.1f} s, and {spent_s:.1f} s for reading and checking")
    return anomalies


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 1 when something was found; its folder is then kept."""
    parser = argparse.ArgumentParser(
        prog="tests.peers.server.mixed_run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=25, help="of faults")
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    parser.add_argument("--java", help="command of MixedWriter, as JSON")
    parser.add_argument("--dir", type=Path, help="where the folder is made (in memory)")
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    folder = fresh_folder(options.dir)
    _say(f"PYLOG_MIXED_SEED={seed} PYLOG_MIXED_SECONDS={options.seconds:g} in {folder}")
    java = json.loads(options.java) if options.java else _java_command()
    anomalies = run(folder, seed, options.seconds, java)
    if anomalies:
        _say(describe(anomalies))
        return 1
    shutil.rmtree(folder)
    return 0


def _java_command() -> list[str]:
    sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts" / "peers"))
    import clients  # type: ignore[import-not-found]

    clients.TOOLCHAINS["java"].fetch()
    command: list[str] = clients.java_command("MixedWriter")
    return command


if __name__ == "__main__":
    sys.exit(main())
