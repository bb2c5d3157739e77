"""The housekeeper: what happens to a folder by itself, within a second or a minute."""

import logging
import os
import subprocess
import sys
import time

import pytest

from logcore import recovery_mark
from logcore.batch import BatchBuilder
from pylog.log_dir import LogDir


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path / "log") as opened:
        yield opened


def batch(value=b"v", timestamp_ms=None):
    builder = BatchBuilder()
    builder.append(int(time.time() * 1000) if timestamp_ms is None else timestamp_ms, None, value)
    return builder.build()


def wait_until(is_so):
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def threads():
    with open("/proc/self/status") as file:
        return next(line for line in file if line.startswith("Threads"))


def test_what_was_appended_becomes_durable_and_marked_by_itself(log_dir):
    log_dir.create_topic("t")
    log = log_dir.partition("t", 0)
    log.append(batch())
    wait_until(lambda: log.durable_offset == 1)
    wait_until(lambda: (recovery_mark.read(log.path) or {}).get("log_end_offset") == 1)
    log.append(batch())
    wait_until(lambda: recovery_mark.read(log.path)["log_end_offset"] == 2)


def test_a_quiet_partition_is_not_marked_again(log_dir):
    log_dir.create_topic("t")
    log = log_dir.partition("t", 0)
    log.append(batch())
    wait_until(lambda: (recovery_mark.read(log.path) or {}).get("log_end_offset") == 1)
    path = os.path.join(log.path, ".recovery")
    before = os.stat(path).st_mtime_ns
    other = log_dir.create_topic("other")
    second = log_dir.partition(other.name, 0)
    for _ in range(2):  # two more turns
        end_offset = second.append(batch()) + 1
        wait_until(lambda wanted=end_offset: second.durable_offset == wanted)
    assert os.stat(path).st_mtime_ns == before


def test_old_segments_go_and_sealed_ones_get_their_checksums(log_dir):
    log_dir.create_topic("old", configs={"retention.ms": 1000})
    log_dir.create_topic("new")
    old, new = log_dir.partition("old", 0), log_dir.partition("new", 0)
    old.append(batch(timestamp_ms=1000))
    old.roll()
    new.append(batch())
    new.roll()
    wait_until(lambda: old.log_start_offset == 1)
    wait_until(lambda: os.path.exists(os.path.join(new.path, f"{0:020d}.sum")))
    assert new.log_start_offset == 0


def test_one_process_keeps_a_partition_and_the_others_pass_it(log_dir):
    log_dir.create_topic("t")
    log = log_dir.partition("t", 0)
    code = """
import sys
from logcore.log import Log
log = Log(sys.argv[1])
assert log.try_maintenance()
print("mine", flush=True)
sys.stdin.readline()
"""
    keeper = subprocess.Popen(
        [sys.executable, "-c", code, log.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert keeper.stdout.readline() == b"mine\n"
    log.append(batch())
    wait_until(lambda: log.durable_offset == 1)  # flushing is everybody's
    assert (recovery_mark.read(log.path) or {}).get("log_end_offset") != 1
    keeper.kill()
    keeper.communicate()
    wait_until(lambda: (recovery_mark.read(log.path) or {}).get("log_end_offset") == 1)


def test_trouble_with_one_partition_is_logged_once_and_harms_no_other(log_dir, caplog):
    log_dir.create_topic("bad")
    log_dir.create_topic("good")
    bad, good = log_dir.partition("bad", 0), log_dir.partition("good", 0)
    bad.flush()
    with caplog.at_level(logging.WARNING, logger="pylog.housekeeper"):
        os.mkdir(os.path.join(bad.path, "gone"))
        recovery = os.path.join(bad.path, ".recovery")
        if os.path.exists(recovery):
            os.unlink(recovery)
        os.mkdir(recovery)  # a mark cannot be written
        bad.append(batch())
        for end_offset in (1, 2, 3):
            good.append(batch())
            wait_until(lambda wanted=end_offset: good.durable_offset == wanted)
        wait_until(lambda: caplog.records)
    assert len(caplog.records) == 1
    assert ".recovery" in caplog.text
    os.rmdir(recovery)


def test_there_is_no_thread_before_a_partition_is_open_nor_after_the_close(tmp_path):
    before = threads()
    with LogDir.open(tmp_path) as log_dir:
        log_dir.create_topic("t")
        assert threads() == before
        log_dir.partition("t", 0)
        assert threads() != before
    assert threads() == before
    with LogDir.open(tmp_path, read_only=True) as log_dir:
        log_dir.partition("t", 0)
        assert threads() == before


def test_a_topic_that_is_deleted_meanwhile_is_no_trouble(log_dir, caplog):
    """Its folder goes before this process has noticed: nothing is written there, nor need be."""
    log_dir.create_topic("t")
    log = log_dir.partition("t", 0)
    log.append(batch())
    housekeeper = log_dir._housekeeper
    os.rename(os.path.join(log_dir.path, ".topics", "t"), os.path.join(log_dir.path, "gone"))
    os.rename(log.path, os.path.join(log_dir.path, "gone-0"))
    with caplog.at_level(logging.WARNING):
        housekeeper._keep(log, True)
    assert caplog.messages == []
    assert log not in log_dir.open_logs()
