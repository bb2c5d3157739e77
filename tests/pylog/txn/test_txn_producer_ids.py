"""Producer ids: no two producers have the same, in any process, after any crash."""

import json
import os
import subprocess
import sys
import threading

import pytest

from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir
from pylog.txn.producer_ids import BLOCK_SIZE, PRODUCER_IDS_FILE, ProducerIds

TAKE = """
import os, signal, sys
from pylog.log_dir import LogDir
from pylog.txn.producer_ids import ProducerIds
ids = ProducerIds(LogDir.open(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    print(ids.take(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path / "data") as log_dir:
        yield log_dir


def test_ids_of_a_process_rise_from_0_over_the_end_of_a_block(log_dir):
    ids = log_dir.attached(ProducerIds)
    assert [ids.take() for _ in range(BLOCK_SIZE + 2)] == list(range(BLOCK_SIZE + 2))


def test_block_is_on_the_disk_before_its_first_id_is_used(log_dir):
    first = log_dir.attached(ProducerIds).take()
    with open(os.path.join(log_dir.path, PRODUCER_IDS_FILE)) as file:
        assert json.load(file) == {
            "version": 1, "broker": 0, "block_start": "0", "block_end": str(BLOCK_SIZE - 1),
        }  # fmt: skip
    assert first == 0


def test_ids_of_many_processes_and_threads_differ_though_all_are_killed(log_dir):
    count = 5
    others = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, log_dir.path, str(count)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    taken = []
    ids = log_dir.attached(ProducerIds)
    threads = [
        threading.Thread(target=lambda: taken.extend(ids.take() for _ in range(BLOCK_SIZE)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        output, _ = other.communicate(timeout=60)
        taken += [int(line) for line in output.split()]
    assert len(taken) == 3 * BLOCK_SIZE + 3 * count
    assert len(set(taken)) == len(taken)


def test_forked_child_takes_a_block_of_its_own(log_dir):
    ids = log_dir.attached(ProducerIds)
    assert ids.take() == 0
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(ids.take()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 20)) == BLOCK_SIZE
    assert ids.take() == 1
    for fd in (reading, writing):
        os.close(fd)


def test_what_was_given_out_is_known(log_dir):
    ids = log_dir.attached(ProducerIds)
    assert not ids.was_given_out(0)
    ids.take()
    assert ids.was_given_out(0) and ids.was_given_out(BLOCK_SIZE - 1)
    assert not ids.was_given_out(BLOCK_SIZE) and not ids.was_given_out(-1)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"version":2,"block_end":"9"}', '{"version":1,"block_end":"-7"}', "\x00"],
)
def test_damaged_file_gives_out_nothing(log_dir, text):
    with open(os.path.join(log_dir.path, PRODUCER_IDS_FILE), "w") as file:
        file.write(text)
    with pytest.raises(KafkaException, match="no id may be given out twice") as raised:
        log_dir.attached(ProducerIds).take()
    assert raised.value.args[0].code() == KafkaError._BAD_MSG
