"""Forks and Ctrl-C: a child shares nothing by accident, and a program can be stopped at any moment.

A program that is interrupted ends with KeyboardInterrupt, what was acknowledged to it is in the
log, and the writer lock is free for others at once.
"""

import os
import random
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from child import TIMEOUT_S, Child, run, say
from partitions import batch

import pylog
from logcore import Log
from pylog import KafkaError

# ---- fork ----


def fork_while_threads_append(folder: str, forks: int, acks: int | str) -> dict[str, Any]:
    """Threads append to two topics; each forked child appends too, and so does its own child."""
    acknowledged: list[tuple[int, str]] = []
    stop = threading.Event()
    with pylog.open(folder, acks=acks) as event_log:
        topics = [event_log.topic(name) for name in ("t", "u")]

        def write(name: str) -> None:
            number = 0
            while not stop.is_set():
                value = f"{name} {number}"
                acknowledged.append((topics[0].append(value), value))
                topics[1].append(value)
                number += 1

        threads = [threading.Thread(target=write, args=(f"parent-{n}",)) for n in range(2)]
        for thread in threads:
            thread.start()
        failed = 0
        for number in range(forks):
            seen = len(acknowledged)
            while len(acknowledged) == seen:  # each child is forked from the midst of appends
                assert any(thread.is_alive() for thread in threads)
            process_id = os.fork()
            if process_id == 0:
                os._exit(_live_in_a_child(topics[0], f"child-{number}", levels=2))
            _, status = os.waitpid(process_id, 0)
            failed += status != 0
        stop.set()
        for thread in threads:
            thread.join()
        values = [message.value().decode() for message in topics[0].read()]
    return {"failed": failed, "acknowledged": acknowledged, "values": values}


def _live_in_a_child(topic: pylog.embed.Topic, name: str, levels: int) -> int:
    """0 when the appends of this process and its own child are in the log."""
    try:
        offsets = [topic.append(f"{name} {number}") for number in range(3)]
        if levels > 1:
            process_id = os.fork()
            if process_id == 0:
                os._exit(_live_in_a_child(topic, f"{name}-child", levels - 1))
            if os.waitpid(process_id, 0)[1] != 0:
                return 2
        for number, offset in enumerate(offsets):
            message = next(topic.read(offset=offset))
            if message.value() != f"{name} {number}".encode():
                return 3
        return 0
    except BaseException:
        traceback.print_exc()
        return 1


@pytest.mark.parametrize("acks", [1, "all"])
def test_children_forked_in_the_midst_of_appends_append_too(tmp_path: Path, acks: int | str):
    forks = 8
    told = run(fork_while_threads_append, folder=tmp_path / "log", forks=forks, acks=acks)
    assert told["failed"] == 0
    values = told["values"]
    for offset, value in told["acknowledged"]:
        assert values[offset] == value
    children = [value for value in values if value.startswith("child")]
    assert len(children) == len(set(children)) == forks * 6
    assert len(values) == len(set(values)) == len(told["acknowledged"]) + len(children)


def fork_and_be_killed(path: str) -> None:
    """Killed with a living child that has copies of its descriptors."""
    log = Log(path)
    log.append(batch(b"value"))
    process_id = os.fork()
    if process_id == 0:
        signal.pause()
    say(process_id)
    log.append(batch(b"value"))
    while True:  # dies somewhere in here, holding the lock now and then
        log.append(batch(b"value" * 1000))


def test_a_living_child_does_not_keep_its_dead_parents_lock(tmp_path: Path):
    path = tmp_path / "t-0"
    for _ in range(4):
        with (
            Child(fork_and_be_killed, path=path) as parent,
            Log(path, lock_timeout_ms=10_000) as log,
        ):
            orphan = parent.heard()
            try:
                log.append(batch(b"ours"))
                parent.signal(signal.SIGKILL)
                parent.process.wait()
                started_s = time.monotonic()
                log.append(batch(b"ours"))
                assert time.monotonic() - started_s < 5
            finally:
                os.kill(orphan, signal.SIGKILL)


def fork_a_producer(folder: str) -> int:
    """What a parent has queued is sent once, by the parent."""
    producer = pylog.Producer({"log.dir": folder, "linger.ms": 60_000})
    for number in range(100):
        producer.produce("t", b"parent %d" % number)
    process_id = os.fork()
    if process_id == 0:
        code = 1
        try:
            producer.produce("t", b"child")
            code = producer.flush(60)
        finally:
            os._exit(code)
    _, status = os.waitpid(process_id, 0)
    assert producer.flush(60) == 0
    producer.close()
    return status


def test_a_forked_producer_sends_its_own_messages_only(tmp_path: Path):
    assert run(fork_a_producer, folder=tmp_path / "log") == 0
    with pylog.open(tmp_path / "log") as event_log:
        values = sorted(message.value() for message in event_log.topic("t").read())
    assert values == sorted([b"child", *(b"parent %d" % number for number in range(100))])


# ---- Ctrl-C ----


def append_until_interrupted(folder: str, acks_path: str, acks: int | str) -> str:
    noted = os.open(acks_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with pylog.open(folder, acks=acks) as event_log:
            topic = event_log.topic("t")
            say("ready")
            while True:
                offset = topic.append(b"value")
                os.write(noted, b"%d\n" % offset)
    except KeyboardInterrupt:
        return "interrupted"


def append_many_until_interrupted(folder: str, acks_path: str, acks: int | str) -> str:
    noted = os.open(acks_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with pylog.open(folder, acks=acks) as event_log:
            topic = event_log.topic("t")
            say("ready")
            while True:
                assert topic.append_many([b"value"] * 1000) == 1000
                os.write(noted, b"%d\n" % (topic.end_offset() - 1))
    except KeyboardInterrupt:
        return "interrupted"


def produce_until_interrupted(folder: str, acks_path: str, acks: int | str) -> str:
    noted = os.open(acks_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def delivered(error: KafkaError | None, message: pylog.Message) -> None:
        assert error is None
        os.write(noted, b"%d\n" % message.offset())

    try:
        with pylog.Producer({"log.dir": folder, "acks": acks, "linger.ms": 1}) as producer:
            say("ready")
            while True:
                producer.produce("t", b"value", on_delivery=delivered)
                producer.poll(0)
    except KeyboardInterrupt:
        return "interrupted"


def consume_until_interrupted(folder: str, acks_path: str, acks: int | str) -> str:
    try:
        consumer = pylog.Consumer({
            "log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest",
        })  # fmt: skip
        consumer.assign([pylog.TopicPartition("t", 0, 0)])
        say("ready")
        expected = 0
        while True:  # it comes to the end, and sleeps there
            message = consumer.poll(60)
            if message is not None and message.error() is None:
                assert message.offset() == expected
                expected += 1
    except KeyboardInterrupt:
        consumer.close()
        return "interrupted"


def follow_until_interrupted(folder: str, acks_path: str, acks: int | str) -> str:
    try:
        with pylog.open(folder, acks=acks) as event_log:
            say("ready")
            for number, message in enumerate(event_log.topic("t").follow()):
                assert message.offset() == number
    except KeyboardInterrupt:
        return "interrupted"
    return "ended"


@pytest.mark.parametrize("acks", [1, "all"])
@pytest.mark.parametrize(
    "work",
    [
        append_until_interrupted,
        append_many_until_interrupted,
        produce_until_interrupted,
        consume_until_interrupted,
        follow_until_interrupted,
    ],
    ids=lambda work: work.__name__.removesuffix("_until_interrupted"),
)
def test_ctrl_c_at_a_random_moment(
    tmp_path: Path, chance: random.Random, work: Any, acks: int | str
):
    folder, acks_path = tmp_path / "log", tmp_path / "acks"
    with pylog.open(folder, acks=1) as event_log:
        topic = event_log.topic("t")
        topic.append_many([b"value"] * 100)
        for _ in range(2):
            with Child(work, folder=folder, acks_path=acks_path, acks=acks) as child:
                assert child.heard() == "ready"
                with pytest.raises(TimeoutError):
                    _wait(child, chance.uniform(0, 0.15))
                child.signal(signal.SIGINT)
                if chance.random() < 0.3:
                    child.signal(signal.SIGINT)  # impatient; may hit the clean-up
                    child.process.wait(TIMEOUT_S)
                else:
                    assert child.result() == "interrupted", child.errors
                started_s = time.monotonic()
                topic.append(b"next")
                assert time.monotonic() - started_s < 2, "the lock was not free"
        end = topic.end_offset()
        assert [message.offset() for message in topic.read()] == list(range(end))
    noted = acks_path.read_bytes().split() if acks_path.exists() else []
    assert all(int(offset) < end for offset in noted)
    assert len(noted) == len(set(noted))


def _wait(child: Child, seconds: float) -> None:
    """Let it work for a while: the moment is what is random here."""
    time.sleep(seconds)
    if child.process.poll() is None:
        raise TimeoutError
