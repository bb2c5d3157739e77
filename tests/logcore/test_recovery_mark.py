"""The recovery mark: two slots by turns, every flipped bit or torn write leaves the older one."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from partition_files import append_values

from logcore import recovery_mark
from logcore.log import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def mark_ends(path: Path) -> int:
    mark = recovery_mark.read(str(path))
    assert mark is not None
    return mark["log_end_offset"]


def test_a_new_partition_has_a_mark_at_its_begin(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"not marked")
    assert mark_ends(path) == 0


def test_a_mark_is_durable_and_says_where_the_log_stood(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a", b"b")
        log.write_recovery_mark()
        assert log.durable_offset == 2
        mark = recovery_mark.read(str(path))
        commit = log.commit()
        assert mark is not None
        assert {name: commit[name] for name in mark} == mark


def test_the_slots_take_turns(path: Path) -> None:
    with Log(path) as log:
        for count in range(1, 6):
            append_values(log, b"x")
            log.write_recovery_mark()
            assert mark_ends(path) == count
    assert (path / ".recovery").stat().st_size == 1024


def test_a_damaged_slot_leaves_the_older_one(path: Path) -> None:
    with Log(path) as log:
        for _ in range(3):
            append_values(log, b"x")
            log.write_recovery_mark()
    good = (path / ".recovery").read_bytes()
    newest = 3 % 2 * 512  # the first was made with the partition
    for bit in range(newest * 8, (newest + 144) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        (path / ".recovery").write_bytes(flipped)
        assert mark_ends(path) == 2
    for size in range(newest, newest + 144):
        torn = good[:size] + bytes(512 - size % 512)
        (path / ".recovery").write_bytes(torn[: newest + 512] + good[newest + 512 :])
        assert mark_ends(path) == 2


@pytest.mark.parametrize("data", [b"", b"x", bytes(1024), b"\xff" * 1024])
def test_garbage_is_no_mark(path: Path, data: bytes) -> None:
    path.mkdir()
    (path / ".recovery").write_bytes(data)
    assert recovery_mark.read(str(path)) is None
    (path / ".recovery").unlink()
    assert recovery_mark.read(str(path)) is None


def test_marks_of_many_writers_never_go_back(path: Path) -> None:
    ends: list[int] = []
    with Log(path) as log, Log(path) as other:

        def work(each: Log) -> None:
            for _ in range(25):
                append_values(each, b"x")
                each.write_recovery_mark()
                ends.append(mark_ends(path))

        threads = [threading.Thread(target=work, args=(each,)) for each in (log, other)]
        for thread in threads:
            thread.start()
        seen = 0
        while any(thread.is_alive() for thread in threads):
            now = mark_ends(path)
            assert now >= seen
            seen = now
    assert mark_ends(path) == 50


FORK_WHILE_LOCKED = """
import os, sys, time
from logcore import recovery_mark
from logcore.log import Log
with Log(sys.argv[1]) as log:
    with recovery_mark._locked(sys.argv[1]):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
    log.write_recovery_mark()  # not held by the child's copy of the descriptor
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""


def test_a_child_forked_meanwhile_does_not_keep_the_mark_locked(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK_WHILE_LOCKED, str(path)], timeout=30, env=os.environ
    )
    assert done.returncode == 0
