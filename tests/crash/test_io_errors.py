"""The nth system call fails, for every n until the workload passes untouched.

Each call may fail once or several times in a row, with EIO or a full disk, at once or half-way
through a write; or the process is killed before, in the middle of, or after it. Whatever
happens: a typed error or success, nothing that was acknowledged is lost, and the log opens.
Source: SQLite's I/O error and crash tests (method).
"""

import contextlib
import errno
import os
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from child import run
from faults import Call, Faults, Way, own_switch
from workload import Acknowledged, Workload, check

import pylog
from pylog import KafkaException
from pylog.admin import AdminClient, NewPartitions

MAX_CALLS = 2000


def fail_each_call(
    folder: str, calls: int, error: int, times: int, way: int, step: int, first: int
) -> dict[str, Any]:
    """Run the workload with its nth call failing, n = first, first + step, ...; list what broke."""
    switch = own_switch()
    faults: list[str] = []
    path = os.path.join(folder, "t-0")
    runs = failures = 0
    descriptors = len(os.listdir("/proc/self/fd"))
    for nth in range(first, MAX_CALLS, step):
        os.mkdir(folder)
        acknowledged = Acknowledged(f"{folder}.acks")
        work = Workload(path, acknowledged)
        switch.fail(Call(calls), nth, error, times, Way(way))
        runs += 1
        try:
            work.run()
            switch.off()
            check(path, acknowledged.end_offset)
        except Exception:
            switch.off()
            faults.append(f"call {nth}: {traceback.format_exc(limit=-4)}before: {work.errors}")
            if work.log is not None:
                work.log.close()
        acknowledged.close()
        shutil.rmtree(folder)
        failures += switch.failed
        if switch.failed == 0:
            break
    left = len(os.listdir("/proc/self/fd")) - descriptors
    return {"runs": runs, "failures": failures, "faults": faults, "descriptors_left": left}


def kill_at_each_call(folder: str, calls: int, way: int, step: int, first: int) -> dict[str, Any]:
    """The same with the process killed at its nth call, in a forked child."""
    switch = own_switch()
    faults: list[str] = []
    path = os.path.join(folder, "t-0")
    runs = 0
    for nth in range(first, MAX_CALLS, step):
        os.mkdir(folder)
        acknowledged = Acknowledged(f"{folder}.acks")
        switch.fail(Call(calls), nth, way=Way(way))
        runs += 1
        process_id = os.fork()
        if process_id == 0:
            code = 1
            try:
                Workload(path, acknowledged).run()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(process_id, 0)
        is_killed = switch.failed > 0
        switch.off()
        try:
            assert os.WIFSIGNALED(status) == is_killed
            assert is_killed or status == 0
            check(path, acknowledged.end_offset)
        except Exception:
            faults.append(f"call {nth}: {traceback.format_exc(limit=-4)}")
        acknowledged.close()
        shutil.rmtree(folder)
        if not is_killed:
            break
    return {"runs": runs, "faults": faults}


def report(answer: dict[str, Any]) -> None:
    assert not answer["faults"], f"{len(answer['faults'])} of {answer['runs']}:\n" + "\n".join(
        answer["faults"][:5]
    )
    assert answer["runs"] < MAX_CALLS - 1


# Each third call, from a random one on; all of them with `make torture`.
STEPS = pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])


@STEPS
@pytest.mark.parametrize(
    ("calls", "error", "times", "way"),
    [
        (Call.ANY, errno.EIO, 1, Way.BEFORE),
        (Call.ANY, errno.ENOSPC, 1, Way.BEFORE),
        (Call.ANY, errno.ENOSPC, 6, Way.BEFORE),
        (Call.WRITE, errno.ENOSPC, 1, Way.HALF),
        (Call.OPEN, errno.EMFILE, 2, Way.BEFORE),
    ],
    ids=["EIO", "ENOSPC", "ENOSPC six times", "half a write", "EMFILE"],
)
def test_any_call_may_fail(
    fast_path: Path, faults: Faults, chance: random.Random, calls: Call, error: int, times: int,
    way: Way, step: int,
):  # fmt: skip
    folder = fast_path / "log"
    answer = run(
        fail_each_call, env=faults.environment(folder), folder=folder, calls=calls, error=error,
        times=times, way=way, step=step, first=1 + chance.randrange(step),
    )  # fmt: skip
    report(answer)
    assert answer["failures"] > 5
    assert answer["descriptors_left"] == 0


@STEPS
@pytest.mark.parametrize(
    ("calls", "way"),
    [
        (Call.ANY, Way.KILL_BEFORE),
        (Call.WRITE, Way.KILL_HALF),
        (Call.ANY, Way.KILL_AFTER),
    ],
    ids=["before", "half a write", "after"],
)
def test_a_process_may_die_at_any_call(
    fast_path: Path, faults: Faults, chance: random.Random, calls: Call, way: Way, step: int
):
    folder = fast_path / "log"
    report(run(
        kill_at_each_call, env=faults.environment(folder), folder=folder, calls=calls, way=way,
        step=step, first=1 + chance.randrange(step),
    ))  # fmt: skip


# ---- a folder of topics ----


class FolderWorkload:
    """Topics are made, grown, changed, written to and deleted; what was acknowledged is noted."""

    def __init__(self, folder: str):
        self.folder = folder
        self.topics: dict[str, int] = {}
        self.gone: set[str] = set()
        self.values: dict[str, list[bytes]] = {}
        self.errors: list[str] = []

    def attempt(self, action: Callable[[], Any]) -> Any:
        """What it returned; None when it failed, as a client may."""
        try:
            return action()
        except KafkaException as exception:
            self.errors.append(str(exception))
            return None

    def run(self) -> None:
        """All of it."""
        for life in range(2):
            event_log = None
            for _ in range(4):
                event_log = event_log or self.attempt(lambda: pylog.open(self.folder, acks=1))
            assert event_log is not None, self.errors
            self._live(event_log, life)
            self.attempt(event_log.close)

    def _live(self, event_log: pylog.embed.EventLog, life: int) -> None:
        for name in (f"a{life}", f"b{life}"):
            topic = self.attempt(lambda name=name: event_log.topic(name, partitions=2))
            if topic is None:
                continue
            self.topics[name] = 2
            for number in range(3):
                value = b"%d" % number
                if self.attempt(lambda t=topic, v=value: t.append(v, partition=0)) is not None:
                    self.values.setdefault(name, []).append(value)
        with contextlib.suppress(KafkaException):
            admin = AdminClient({"log.dir": self.folder})
            if f"a{life}" in self.topics:
                (future,) = admin.create_partitions([NewPartitions(f"a{life}", 3)]).values()
                future.result()
                self.topics[f"a{life}"] = 3
        if f"b{life}" in self.topics:
            self.gone.add(f"b{life}")  # from here on it may be gone
            self.attempt(lambda: event_log.delete_topic(f"b{life}"))


def check_folder(work: FolderWorkload) -> None:
    with pylog.open(work.folder, acks=1) as event_log:
        for name, partitions in work.topics.items():
            if name in work.gone and name not in event_log.topics():
                continue
            topic = event_log.topic(name)
            assert topic.partitions >= partitions
            found = [message.value() for message in topic.read()]
            wanted = work.values.get(name, [])
            assert found == wanted, f"{name} holds {found}, acknowledged were {wanted}"
        for name in event_log.topics():
            topic = event_log.topic(name)
            for partition in range(topic.partitions):
                topic.append(b"next", partition=partition)
        event_log.topic("afterwards", partitions=2).append(b"value")
        for name in event_log.topics():
            event_log.delete_topic(name)
    left = [name for name in os.listdir(work.folder) if not name.startswith((".", "pylog.meta"))]
    assert left == [], f"left behind: {left}"


def fail_each_folder_call(
    folder: str, calls: int, error: int, times: int, step: int, first: int
) -> dict[str, Any]:
    switch = own_switch()
    faults: list[str] = []
    runs = failures = 0
    for nth in range(first, MAX_CALLS, step):
        work = FolderWorkload(os.path.join(folder, str(nth)))
        os.makedirs(work.folder)
        switch.fail(Call(calls), nth, error, times)
        runs += 1
        try:
            work.run()
            switch.off()
            check_folder(work)
        except Exception:
            switch.off()
            faults.append(f"call {nth}: {traceback.format_exc(limit=-4)}before: {work.errors}")
        failures += switch.failed
        if switch.failed == 0:
            break
    return {"runs": runs, "failures": failures, "faults": faults}


@pytest.mark.parametrize("step", [25, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("error", "times"), [(errno.EIO, 1), (errno.ENOSPC, 1), (errno.ENOSPC, 5)],
    ids=["EIO", "ENOSPC", "ENOSPC five times"],
)  # fmt: skip
def test_any_call_on_a_folder_of_topics_may_fail(
    fast_path: Path, faults: Faults, chance: random.Random, error: int, times: int, step: int
):
    folder = fast_path / "log"
    report(run(
        fail_each_folder_call, env=faults.environment(folder), timeout_s=600, folder=folder,
        calls=Call.ANY, error=error, times=times, step=step, first=1 + chance.randrange(step),
    ))  # fmt: skip
