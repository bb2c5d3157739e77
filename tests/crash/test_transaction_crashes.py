"""Transactions whose program is killed at each of its writes, or whose machine loses its power.

A transaction writes its number to three partitions and to a group's offsets. Whatever dies when, it
is afterwards in all of them or in none, it is there if its commit was acknowledged, nobody is held
back by it, and the next producer with its transactional.id goes on.
"""

import itertools
import json
import os
import random
import shutil
import traceback
from pathlib import Path

import pytest
from child import Child, run, say
from faults import Call, Faults, Way, note, own_switch
from partitions import forget_boot
from power_cut import Disk, build, read_trace

import pylog
from pylog import TopicPartition
from pylog.group.commits import ConsumerGroupMetadata
from pylog.group.offsets import GroupOffsets
from pylog.log_dir import LogDir
from pylog.txn.coordinator import TransactionCoordinator
from pylog.txn.coordinator_lock import LOCK_FILE

PARTITIONS = 3
GROUP = ConsumerGroupMetadata("g")
WAYS = (Way.KILL_BEFORE, Way.KILL_HALF, Way.KILL_AFTER)

# ---- in the processes that die ----


def begin(folder: str, **conf: object) -> pylog.Producer:
    """A producer with its id, in a folder with its topics."""
    with LogDir.open(folder) as log_dir:
        if "t" not in log_dir.topics():
            log_dir.create_topic("t", PARTITIONS)
        producer = pylog.Producer(
            {"log.dir": folder, "transactional.id": "x", "linger.ms": 900_000, **conf}
        )
    producer.init_transactions()
    return producer


def write(producer: pylog.Producer, number: int, partitions: tuple[int, ...]) -> None:
    """Everything of transaction `number` but its end."""
    producer.begin_transaction()
    for partition in partitions:
        producer.produce("t", str(number), partition=partition)
    producer.send_offsets_to_transaction([TopicPartition("t", 0, number)], GROUP)


def commit_and_die(folder: str, nth: int, way: int, is_flushed: bool) -> None:
    """Commit transaction 1, then 2: killed at the nth write of that, if it has so many."""
    producer = begin(folder, acks="all" if is_flushed else 1)
    for number in (1, 2):
        if number == 2:
            own_switch().fail(Call.WRITE, nth, way=Way(way))
        write(producer, number, tuple(range(PARTITIONS)))
        producer.commit_transaction()
        say(number)
    own_switch().off()


def end_and_die(folder: str, nth: int, way: int) -> None:
    """End what was left: killed at the nth write of that, if it has so many."""
    with LogDir.open(folder) as log_dir:
        own_switch().fail(Call.WRITE, nth, way=Way(way))
        TransactionCoordinator.of(log_dir).complete_abandoned()
        own_switch().off()


def live(folder: str, seed: int) -> None:
    """Commits and aborts, by two producers in turn; notes what was acknowledged."""
    chance = random.Random(seed)
    producer = begin(folder)
    note(0)
    for number in range(1, 25):
        if chance.random() < 0.15:
            producer.close()
            producer = begin(folder)
        write(producer, number, partitions_of(seed, number))
        if chance.random() < 0.5:
            producer.flush()
        if is_committed(seed, number):
            producer.commit_transaction()
            note(number)
        else:
            producer.abort_transaction()
    producer.close()


def partitions_of(seed: int, number: int) -> tuple[int, ...]:
    chance = random.Random(f"{seed} partitions {number}")
    return tuple(sorted(chance.sample(range(PARTITIONS), chance.randint(1, PARTITIONS))))


def is_committed(seed: int, number: int) -> bool:
    return random.Random(f"{seed} end {number}").random() < 0.7


# ---- what is left ----


def settle(log_dir: LogDir) -> None:
    """Do what the housekeeper does."""
    coordinator = TransactionCoordinator.of(log_dir)
    coordinator.complete_abandoned()
    for topic, known in log_dir.topics().items():
        for partition in range(known.partitions):
            log_dir.partition(topic, partition)
    coordinator.end_hanging(log_dir.open_partitions())


def committed(log_dir: LogDir) -> list[list[int]]:
    """What a reader sees, by partition; nothing may be held back."""
    found = []
    for partition in range(PARTITIONS):
        log = log_dir.partition("t", partition)
        assert log.last_stable_offset == log.log_end_offset, "readers are held back"
        reader = log.reader(log.log_start_offset, read_committed=True)
        found.append([int(record.value or b"-1") for record in reader])
    return found


def committed_offset(log_dir: LogDir) -> int:
    offsets = GroupOffsets.of(log_dir)
    assert offsets.pending("g") == set()
    return next((value.offset for value in offsets.committed("g").values()), 0)


def check_whole(folder: Path, acknowledged: int) -> int:
    """How many transactions there are; each is in every partition, or in none."""
    with LogDir.open(folder) as log_dir:
        settle(log_dir)
        found = committed(log_dir)
        assert found[0] == found[1] == found[2], "a transaction is torn"
        assert found[0] in ([1], [1, 2])
        assert committed_offset(log_dir) == found[0][-1], "its offsets are not with it"
        assert len(found[0]) >= acknowledged, "an acknowledged transaction is lost"
        producer = begin(str(folder))
        write(producer, 3, (0, 1, 2))
        producer.commit_transaction()
        producer.close()
        assert committed(log_dir) == [[*found[0], 3]] * PARTITIONS
        assert committed_offset(log_dir) == 3
        return len(found[0])


def kill_at(folder: Path, faults: Faults, nth: int, chance: random.Random) -> tuple[int, bool]:
    """How many transactions are left after a kill, and whether there was one."""
    environment = faults.environment(folder)
    way = int(chance.choice(WAYS))
    acknowledged = 0
    with Child(
        commit_and_die, env=environment,
        folder=folder, nth=nth, way=way, is_flushed=chance.random() < 0.5,
    ) as child:  # fmt: skip
        out, _ = child.process.communicate(timeout=60)
        was_killed = child.process.returncode == -9
        assert was_killed or child.process.returncode == 0, child.errors
        for line in out.splitlines():
            kind, value = json.loads(line)
            if kind == "said":
                acknowledged = value
    assert acknowledged >= 1
    if was_killed and chance.random() < 0.4:  # who ends it dies, too
        with Child(
            end_and_die, env=environment,
            folder=folder, nth=chance.randint(1, 6), way=int(chance.choice(WAYS)),
        ) as child:  # fmt: skip
            child.process.communicate(timeout=60)
            assert child.process.returncode in (0, -9), child.errors
    faults.off()
    return check_whole(folder, acknowledged), was_killed


def test_transaction_killed_at_each_of_its_writes_is_whole_or_not_there(
    fast_path: Path, faults: Faults, chance: random.Random
):
    outcomes = []
    for nth in itertools.count(1):
        folder = fast_path / f"{nth}"
        folder.mkdir()
        outcome, was_killed = kill_at(folder, faults, nth, chance)
        if not was_killed:
            assert outcome == 2
            break
        outcomes.append(outcome)
        shutil.rmtree(folder)
    assert len(outcomes) >= 10, "so many writes a transaction has"
    assert set(outcomes) == {1, 2}
    assert outcomes.count(2) >= 4, "what was decided is rolled forward"


# ---- power cuts ----


def check_cut(root: Path, seed: int, acknowledged: int, chance: random.Random) -> None:
    for state in root.glob("*/.state"):
        if chance.random() < 0.5:
            state.unlink()
        else:
            forget_boot(state.parent)
    (root / LOCK_FILE).unlink(missing_ok=True)
    with LogDir.open(root) as log_dir:
        settle(log_dir)
        found = committed(log_dir)
        numbers = sorted(set().union(*found))
        for partition, values in enumerate(found):
            expected = [number for number in numbers if partition in partitions_of(seed, number)]
            assert values == expected, f"partition {partition} of {found}: a torn transaction"
        assert all(is_committed(seed, number) for number in numbers), "an aborted one is there"
        durable = [number for number in range(1, acknowledged + 1) if is_committed(seed, number)]
        assert numbers[: len(durable)] == durable, f"{durable} were acknowledged, left: {numbers}"
        assert committed_offset(log_dir) == max(numbers, default=0)
        producer = begin(str(root))
        write(producer, 99, (0, 1, 2))
        producer.commit_transaction()
        producer.close()
        assert committed(log_dir) == [[*values, 99] for values in found]


def cut(trace: Path, folder: Path, seed: int, chance: random.Random, wanted: int) -> list[str]:
    disk, root = Disk(), folder.with_name("cut")
    steps = list(read_trace(trace, folder))
    first = next(number for number, step in enumerate(steps) if step.kind == "n")
    chosen = set(chance.sample(range(first + 1, len(steps)), min(wanted, len(steps) - first - 1)))
    faults: list[str] = []
    acknowledged = 0
    for number, step in enumerate(steps):
        if step.kind == "n":
            acknowledged = max(acknowledged, step.number)
        else:
            disk.do(step)
        if number not in chosen:
            continue
        cut_seed = chance.randrange(1 << 32)
        build(root, *disk.after_cut(random.Random(cut_seed)))
        try:
            check_cut(root, seed, acknowledged, random.Random(cut_seed))
        except Exception:
            place = f"step {number} ({step.kind} {step.path}), cut {cut_seed}:\n"
            faults.append(place + traceback.format_exc(limit=-4))
        shutil.rmtree(root, ignore_errors=True)
    return faults


def survive_cuts(path: Path, faults: Faults, chance: random.Random, wanted: int) -> None:
    folder, trace = path / "log", path / "trace"
    folder.mkdir()
    seed = chance.randrange(1 << 32)
    run(live, env=faults.environment(folder, trace), folder=folder, seed=seed)
    found = cut(trace, folder, seed, chance, wanted)
    assert not found, f"{len(found)} of {wanted}:\n" + "\n".join(found[:3])


def test_committed_transactions_survive_power_cuts_whole(
    fast_path: Path, faults: Faults, chance: random.Random
):
    survive_cuts(fast_path, faults, chance, wanted=60)


@pytest.mark.slow
def test_committed_transactions_survive_many_power_cuts(
    fast_path: Path, faults: Faults, chance: random.Random
):
    for _ in range(int(os.environ.get("PYLOG_ROUNDS", "10"))):
        survive_cuts(fast_path, faults, chance, wanted=400)
        shutil.rmtree(fast_path / "log")
        (fast_path / "trace").unlink()
