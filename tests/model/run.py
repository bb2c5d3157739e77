"""A run: topics are made, workers work under faults, everything is read and checked."""

import os
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.model import cleaners, members, producers, readers, transactions
from tests.model.facts import Anomaly
from tests.model.history import Journal, count_operations, count_refusals, read_all
from tests.model.layout import EVENT_KEYS, TOPIC_CONFIGS, TOPICS
from tests.model.nemesis import Nemesis, Slot, in_child
from tests.model.verdict import find_anomalies

from pylog.log_dir import LogDir


@dataclass
class Report:
    """What a run was and what it found."""

    seed: int
    operations: dict[str, int]
    refusals: dict[str, int]
    faults: Counter[str]
    anomalies: list[Anomaly]
    seconds: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """A few lines for a person."""
        total = sum(self.operations.values())
        kinds = ", ".join(f"{name} {n:,}" for name, n in sorted(self.operations.items()))
        faults = ", ".join(f"{name} {n:,}" for name, n in sorted(self.faults.items()))
        spent = ", ".join(f"{name} {s:.1f} s" for name, s in self.seconds.items())
        refusals = ", ".join(f"{name}: {n:,}" for name, n in sorted(self.refusals.items()))
        return [
            f"{total:,} operations: {kinds}",
            f"refused, by code: {refusals or 'none'}",
            f"faults: {faults}",
            f"took: {spent}",
        ]


STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")
MEMBERS = "members"
COPIERS = "copiers"


def slots(seed: int) -> list[Slot]:
    """The processes of a run; how its groups share partitions out is drawn too."""
    chance = random.Random(f"{seed} slots")
    strategies = {group: chance.choice(STRATEGIES) for group in (MEMBERS, COPIERS)}
    return [
        Slot("producer", partial(producers.produce, is_idempotent=False), {}, ("send",)),
        Slot("idempotent", partial(producers.produce, is_idempotent=True), {}, ("send",)),
        _writer("writer-1"),
        _writer("writer-2"),
        _reader("read_uncommitted"),
        _reader("read_committed"),
        *(_member(strategies[MEMBERS], instance) for instance in ("static", None, None)),
        *(_copier(f"copier-{number}", strategies[COPIERS]) for number in range(3)),
        Slot("cleaner", cleaners.clean, {}, ("clean",)),
    ]


def _reader(isolation: str) -> Slot:
    return Slot(
        "reader", partial(readers.read, isolation=isolation), {"isolation": isolation}, ("read",)
    )


def _writer(transactional_id: str) -> Slot:
    work = partial(transactions.write, transactional_id=transactional_id)
    facts = {"transactional_id": transactional_id}
    return Slot("writer", work, facts, ("send", "end-transaction"), 2)


def _member(strategy: str, instance: str | None) -> Slot:
    work = partial(members.belong, group=MEMBERS, strategy=strategy, instance=instance)
    facts = {
        "group": MEMBERS,
        "isolation": "read_uncommitted",
        "strategy": strategy,
        "instance": instance,
    }
    return Slot("member", work, facts, ("read", "commit"), 2)


def _copier(transactional_id: str, strategy: str) -> Slot:
    work = partial(
        transactions.copy, transactional_id=transactional_id, group=COPIERS, strategy=strategy
    )
    facts = {
        "group": COPIERS,
        "isolation": "read_committed",
        "strategy": strategy,
        "transactional_id": transactional_id,
    }
    return Slot("copier", work, facts, ("read", "send", "end-transaction"), 3)


def run(folder: Path, seed: int, operations: int) -> Report:
    """Make one run in an empty folder, and judge it.

    Args:
        folder: for the log and the histories.
        seed: of workers and faults.
        operations: how many, as history.count_operations counts them.
    """
    log, notes = str(folder / "log"), folder / "notes"
    notes.mkdir()
    times = {}
    started_s = time.monotonic()
    in_child(partial(_make_topics, log))
    nemesis = Nemesis(log, str(notes), slots(seed), seed)
    nemesis.run(operations)
    check_faults(notes)
    times["faults"] = time.monotonic() - started_s
    started_s = time.monotonic()
    in_child(partial(_read_finally, log, str(notes)))
    times["reading"] = time.monotonic() - started_s
    started_s = time.monotonic()
    histories = read_all(notes)
    anomalies = find_anomalies(histories, {COPIERS: EVENT_KEYS}, operations)
    times["checking"] = time.monotonic() - started_s
    return Report(
        seed,
        count_operations(histories),
        count_refusals(histories),
        nemesis.counts,
        anomalies,
        times,
    )


def check_faults(notes: Path) -> None:
    """Raise what a worker met and should not have.

    Raises:
        RuntimeError: the first worker's traceback.
    """
    for path in sorted(notes.glob("*.fault")):
        raise RuntimeError(f"{path.stem}: {path.read_text()}")


def _make_topics(log: str) -> None:
    with LogDir.open(log) as log_dir:
        for topic, count in TOPICS.items():
            log_dir.create_topic(topic, count, TOPIC_CONFIGS)
        cleaners.configure(log_dir)


def _read_finally(log: str, notes: str) -> None:
    for process, isolation in ((0, "read_uncommitted"), (1 << 30, "read_committed")):
        journal = Journal(notes, process, "final", isolation=isolation, is_final=True)
        readers.read_all(log, journal, isolation)
    for process, group in ((2 << 30, MEMBERS), (3 << 30, COPIERS)):
        journal = Journal(notes, process, "final", group=group, is_final=True)
        members.tell_offsets(log, journal, group)


def fresh_folder(parent: Path | None) -> Path:
    """A new folder, in memory by default, where a sync costs nothing."""
    if parent is None:
        memory = Path("/dev/shm")
        parent = memory if os.access(memory, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="pylog-model-", dir=parent))
