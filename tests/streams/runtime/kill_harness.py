"""Runs an application in several processes and kills them at random; then judges what is there.

The input is written while instances are killed, so that there is work at any moment. When the kills
are done all instances end by themselves, one run to the end finishes the work, and output and
changelogs are compared with what an undisturbed run of the same input gives.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tests.streams.runtime.kill_application as application
from tests.streams.runtime.tail import Tail, read_topic

import pylog
from pylog.admin import NewTopic
from pylog.streams.app import Streams

_ROOT = Path(__file__).parents[3]
_SHORTEST_S = 0.02
_LOCKED_S = 15.0  # longer than a transaction's timeout
_STOPPED_S = 2.5  # longer than the session's timeout, below
_WORDS = [f"word-{number}" for number in range(40)]
_KEYS = [f"key-{number}" for number in range(25)]


@dataclass
class Plan:
    """What a run does.

    Attributes:
        kills: how many.
        stops: how many instances are stopped until the others take over, and go on then.
        seed: of all that is random.
        instances: how many processes.
        store: default.dsl.store.
        threads: of each process.
        standbys: num.standby.replicas.
        rate: input records a second.
        longest_s: between two kills at most.
    """

    kills: int
    seed: int
    stops: int = 0
    instances: int = 3
    store: str = "in_memory"
    threads: int = 1
    standbys: int = 0
    rate: int = 600
    longest_s: float = 0.25


class Nursery:
    """The process that forks instances."""

    def __init__(self, folder: Path, config: dict[str, Any]):
        self.folder = folder
        self.pids: dict[str, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.runtime.kill_nursery",
             application.encode_config(config)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT, bufsize=1,
        )  # fmt: skip

    def start(self, name: str) -> None:
        """Start an instance; its state directory is its own, whoever lived before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"start {name} {self.folder / f'state-{name}'}\n")
        told, pid = self._process.stdout.readline().split()
        assert told == name
        self.pids[name] = int(pid)

    def kill(self, name: str, number: int) -> None:
        """Send a signal to an instance."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def is_alive(self, name: str) -> bool:
        """Whether the instance lives."""
        try:
            os.kill(self.pids[name], 0)
        except ProcessLookupError:
            return False
        return True

    def explain(self) -> None:
        """Have the instances write down where their threads stand."""
        for name in self.pids:
            self.kill(name, signal.SIGUSR1)
        time.sleep(0.5)

    def end(self) -> None:
        """Stop forking; instances are killed."""
        for name in self.pids:
            self.kill(name, signal.SIGKILL)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("end\n")
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def run(folder: Path, plan: Plan) -> None:
    """Run the plan and judge it; the seed is in every failure.

    Raises:
        AssertionError: what was lost, doubled or out of order.
    """
    sys.stdout.write(f"{plan}\n")
    log_dir = folder / "log"
    config = {
        "journal": str(folder),
        "streams": {
            "application.id": "killed",
            "log.dir": str(log_dir),
            "processing.guarantee": "exactly_once_v2",
            "default.dsl.store": plan.store,
            "num.stream.threads": plan.threads,
            "num.standby.replicas": plan.standbys,
            "statestore.cache.max.bytes": 0,
            "session.timeout.ms": 1500,
            "heartbeat.interval.ms": 200,
        },
    }
    with pylog.AdminClient({"log.dir": str(log_dir)}) as admin:
        names = ("words", *application.OUTPUTS)
        topics = [NewTopic(name, application.PARTITIONS) for name in names]
        for future in admin.create_topics(topics).values():
            future.result()
    written = _disturb(folder, log_dir, config, plan)
    _finish(folder, config)
    for topic in application.OUTPUTS:
        _judge(topic, read_topic(log_dir, topic), written[topic], plan)
    for store, topic in zip(application.STORES, application.OUTPUTS, strict=True):
        changelog = read_topic(log_dir, f"killed-{store}-changelog")
        last = {key: values[-1] for key, values in changelog.items()}
        expected = {key: values[-1] for key, values in written[topic].items()}
        assert last == expected, f"seed {plan.seed}: the changelog of {store} differs"


def _disturb(
    folder: Path, log_dir: Path, config: dict[str, Any], plan: Plan
) -> dict[str, dict[bytes, list[int]]]:
    """Write input, kill and start instances: what the outputs must be, by topic and key."""
    choices = random.Random(plan.seed)
    names = [f"i{number}" for number in range(plan.instances)]
    written = Written(log_dir, choices)
    stops = set(choices.sample(range(plan.kills), min(plan.stops, plan.kills)))
    nursery = Nursery(folder, config)
    tail = Tail(log_dir, application.OUTPUTS[0])
    try:
        for name in names:
            nursery.start(name)
        written.write(500)
        for kill in range(plan.kills):
            _write_for(written, plan, choices.uniform(_SHORTEST_S, plan.longest_s))
            # Now and then all of them get somewhere: a run of nothing but starts proves little.
            if kill % 10 == 9:
                tail.wait_for_more(30, f"seed {plan.seed}, after {kill} kills", folder)
            name = choices.choice(names)
            if kill in stops:
                nursery.kill(name, signal.SIGSTOP)
                # One that was stopped with a lock of the log in its hand holds all others up.
                if tail.has_more(_LOCKED_S):
                    _write_for(written, plan, _STOPPED_S)
                nursery.kill(name, signal.SIGCONT)
                _write_for(written, plan, choices.uniform(_SHORTEST_S, plan.longest_s))
            nursery.kill(name, signal.SIGKILL)
            nursery.start(name)
        tail.wait_for_more(30, f"seed {plan.seed}, after all kills", folder)
        for name in names:
            nursery.kill(name, signal.SIGTERM)
        until_s = time.monotonic() + 30
        while any(nursery.is_alive(name) for name in names):
            assert time.monotonic() < until_s, f"seed {plan.seed}: instances do not end"
            time.sleep(0.02)
    except AssertionError:
        nursery.explain()
        raise
    finally:
        tail.close()
        nursery.end()
        written.close()
    return written.expected


def _write_for(written: "Written", plan: Plan, duration_s: float) -> None:
    """Write input at the plan's rate for a while."""
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        written.write(max(1, plan.rate // 50))
        time.sleep(0.02)


def _finish(folder: Path, config: dict[str, Any]) -> None:
    """The undisturbed end of the run."""
    state_dir = str(folder / "state-last")
    Streams(application.topology(), {**config["streams"], "state.dir": state_dir}).run_to_end()


class Written:
    """The input, and what it must come to."""

    def __init__(self, log_dir: Path, choices: random.Random):
        self._choices = choices
        self._producer = pylog.Producer({"log.dir": str(log_dir), "partitioner": "murmur2_random"})
        self._sums: defaultdict[str, int] = defaultdict(int)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self.expected: dict[str, dict[bytes, list[int]]] = {
            topic: defaultdict(list) for topic in application.OUTPUTS
        }

    def write(self, count: int) -> None:
        """Write so many records."""
        for _ in range(count):
            key, word = self._choices.choice(_KEYS), self._choices.choice(_WORDS)
            self._producer.produce("words", word, key)
            self._counts[word] += 1
            self._sums[key] += len(word)
            self.expected["counts"][word.encode()].append(self._counts[word])
            self.expected["sums"][key.encode()].append(self._sums[key])
        self._producer.flush(0)

    def close(self) -> None:
        """All of it is in the log."""
        self._producer.flush()
        self._producer.close()


def _judge(
    topic: str, found: dict[bytes, list[int]], expected: dict[bytes, list[int]], plan: Plan
) -> None:
    """Every key's updates are those of an undisturbed run, in order, each of them once."""
    for key, values in expected.items():
        own = found.get(key, [])
        if own != values:
            place = next(
                (
                    n
                    for n, (one, other) in enumerate(zip(own, values, strict=False))
                    if one != other
                ),
                min(len(own), len(values)),
            )
            raise AssertionError(
                f"seed {plan.seed}: {topic}, key {key!r}: {len(own)} updates, {len(values)} "
                f"expected; from number {place}: {own[place : place + 5]} instead of "
                f"{values[place : place + 5]}"
            )
    assert found.keys() == expected.keys()
