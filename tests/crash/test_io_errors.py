"""The nth system call fails, for every n until the workload passes untouched.

Each call may fail once or several times in a row, with EIO or a full disk, at once or half-way
through a write; or the process is killed before, in the middle of, or after it. Whatever
happens: a typed error or success, nothing that was acknowledged is lost, and the log opens.
Source: SQLite's I/O error and crash tests (method).
"""

import errno
import os
import shutil
import traceback
from pathlib import Path
from typing import Any

import pytest
from child import run
from faults import Call, Faults, Way, own_switch
from workload import Acknowledged, Workload, check

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
        except Exception:  # noqa: BLE001 - each is a finding
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


def kill_at_each_call(
    folder: str, calls: int, way: int, step: int, first: int
) -> dict[str, Any]:
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
        except Exception:  # noqa: BLE001 - each is a finding
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
    fast_path: Path, faults: Faults, calls: Call, error: int, times: int, way: Way
):
    folder = fast_path / "log"
    answer = run(
        fail_each_call, env=faults.environment(folder), folder=folder, calls=calls, error=error,
        times=times, way=way, step=1, first=1,
    )  # fmt: skip
    report(answer)
    assert answer["failures"] > 5
    assert answer["descriptors_left"] == 0


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
    fast_path: Path, faults: Faults, calls: Call, way: Way
):
    folder = fast_path / "log"
    report(run(
        kill_at_each_call, env=faults.environment(folder), folder=folder, calls=calls, way=way,
        step=1, first=1,
    ))  # fmt: skip
