"""Compaction that is killed, or that the disk fails, at each of its system calls.

Before and after, here and in a process that reads meanwhile, the log holds what it held: the last
value of each key, unchanged. What was left half-done is finished or cleared away by who opens the
log next, in this boot or another, or compacts it next.
"""

import contextlib
import errno
import os
import random
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from child import run
from faults import Call, Faults, Way, own_switch

sys.path.append(str(Path(__file__).parent.parent / "logcore"))

from compacted_logs import compact, fill, keyed_batch, last_values, open_log, read_all
from partition_files import fake_reboot

from logcore import layout
from logcore.errors import LogError

MAX_CALLS = 600
STAGES = (layout.CLEANED_SUFFIX, layout.SWAP_SUFFIX, layout.DELETED_SUFFIX)
CALLS = Call.WRITE | Call.OPEN | Call.TRUNCATE | Call.SYNC | Call.RENAME | Call.UNLINK


def make_history(path: str, seed: int) -> None:
    """A log whose next compaction puts several segments into one, twice."""
    source = random.Random(seed)
    with open_log(Path(path)) as log:
        for _ in range(3):
            pairs = [
                (b"key-%d" % source.randrange(40), None if source.random() < 0.2 else bytes(50))
                for _ in range(60)
            ]
            fill(log, pairs)
            compact(log)
        fill(log, [(b"key-%d" % number, b"new") for number in range(0, 40, 3)])
        log.append(keyed_batch([(b"key-1", b"active")]))


def told_of(path: str) -> dict[int, Any]:
    with open_log(Path(path)) as log:
        return {record[0]: record for record in read_all(log)}


def check(path: str, before: dict[int, Any]) -> None:
    """The log opens and holds what it must, and nothing of the dead compaction."""
    with open_log(Path(path)) as log:
        left = [name for name in os.listdir(path) if name.endswith(STAGES)]
        assert not left, left
        check_records(log, before)
        assert compact(log) is not None
        check_records(log, before)


def check_records(log: Any, before: dict[int, Any]) -> None:
    found = read_all(log)
    for record in found:
        assert record == before[record[0]]
    assert [record[0] for record in found] == sorted({record[0] for record in found})
    assert last_values(found) == last_values(before.values())


def kill_at_each_call(folder: str, way: int, reboot: bool, has_reader: bool) -> dict[str, Any]:
    switch = own_switch()
    pattern = f"{folder}.pattern"
    make_history(pattern, 7)
    before = told_of(pattern)
    faults: list[str] = []
    runs = 0
    for nth in range(1, MAX_CALLS):
        path = os.path.join(folder, "t-0")
        shutil.copytree(pattern, path)
        reading = open_log(Path(path)) if has_reader else None
        reader = reading.reader(0) if reading is not None else iter(())
        first = [next(reader) for _ in range(5)] if has_reader else []
        switch.fail(CALLS, nth, way=Way(way))
        process_id = os.fork()
        if process_id == 0:
            code = 1
            try:
                with open_log(Path(path)) as log:
                    compact(log)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(process_id, 0)
        is_killed = switch.failed > 0
        switch.off()
        runs += 1
        try:
            assert os.WIFSIGNALED(status) == is_killed
            if reading is not None:
                rest = [record.offset for record in reader]
                assert rest == sorted(set(rest))
                seen = {record.offset for record in first} | set(rest)
                table = last_values([before[offset] for offset in sorted(seen)])
                assert table == last_values(before.values()), "the reader missed something"
                check_records(reading, before)
                assert compact(reading) is not None
                check_records(reading, before)
                reading.close()
            elif reboot:
                fake_reboot(Path(path))
            check(path, before)
        except Exception:
            faults.append(f"call {nth}: {traceback.format_exc(limit=-3)}")
        finally:
            shutil.rmtree(path)
        if not is_killed:
            break
    return {"runs": runs, "faults": faults}


def is_poisoned(log: Any) -> bool:
    """Whether a flush failed: then the partition takes no more until it is opened anew."""
    try:
        log.roll()
    except LogError:
        return True
    return False


def fail_each_call(folder: str, error: int, times: int, way: int) -> dict[str, Any]:
    switch = own_switch()
    pattern = f"{folder}.pattern"
    make_history(pattern, 8)
    before = told_of(pattern)
    faults: list[str] = []
    runs = 0
    for nth in range(1, MAX_CALLS):
        path = os.path.join(folder, "t-0")
        shutil.copytree(pattern, path)
        log = open_log(Path(path))
        switch.fail(CALLS, nth, error, times, Way(way))
        with contextlib.suppress(LogError):
            compact(log)
        switch.off()
        failed = switch.failed
        runs += 1
        try:
            check_records(log, before)
            if not is_poisoned(log):
                assert compact(log) is not None
                check_records(log, before)
            log.close()
            check(path, before)
        except Exception:
            faults.append(f"call {nth}: {traceback.format_exc(limit=-3)}")
            log.close()
        finally:
            shutil.rmtree(path)
        if not failed:
            break
    return {"runs": runs, "faults": faults}


@pytest.mark.parametrize(
    ("way", "then"),
    [
        (Way.KILL_AFTER, "opened"),
        (Way.KILL_BEFORE, "opened after a reboot"),
        (Way.KILL_BEFORE, "read meanwhile"),
    ],
)
def test_a_compaction_killed_at_any_call_loses_nothing(
    faults: Faults, fast_path: Path, way: Way, then: str
) -> None:
    folder = fast_path / "log"
    folder.mkdir()
    answer = run(
        kill_at_each_call, env=faults.environment(folder), folder=folder, way=int(way),
        reboot="reboot" in then, has_reader="read" in then,
    )  # fmt: skip
    assert answer["faults"] == []
    assert 40 < answer["runs"] < MAX_CALLS - 1


@pytest.mark.parametrize(("error", "times"), [(errno.EIO, 1), (errno.ENOSPC, 1000)])
def test_a_compaction_that_the_disk_fails_loses_nothing(
    faults: Faults, fast_path: Path, error: int, times: int
) -> None:
    folder = fast_path / "log"
    folder.mkdir()
    answer = run(
        fail_each_call, env=faults.environment(folder), folder=folder, error=error, times=times,
        way=int(Way.BEFORE),
    )  # fmt: skip
    assert answer["faults"] == []
    assert 40 < answer["runs"] < MAX_CALLS - 1
