"""A disk that refuses to sync: nobody is told that a record is safe when it may be gone.

Linux reports a failed write-back once; the next fdatasync says yes while the data is lost. So the
first failure poisons the partition for every process, until all have closed it.
"""

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from child import Child, await_word, run, say
from faults import Call, Faults, own_switch
from partitions import batch, value_at, values

import pylog
from logcore import Log
from logcore.errors import FsyncError
from pylog import KafkaError, KafkaException


def flush_on_a_failing_disk(path: str, error: int, rolls: int, nth: int) -> dict[str, Any]:
    switch = own_switch()
    with Log(path) as log:
        for offset in range(10):
            log.append(batch(value_at(offset)))
        log.flush()
        for offset in range(10, 20):
            if rolls:
                log.roll()
            log.append(batch(value_at(offset)))
        switch.fail(Call.SYNC, nth=nth, error=error)
        with pytest.raises(FsyncError):
            log.flush()
        assert switch.failed == 1
        syncs = switch.syncs
        for _ in range(3):
            with pytest.raises(FsyncError):
                log.flush()
            with pytest.raises(FsyncError):
                log.append(batch(b"refused"))
        assert switch.syncs == syncs, "a failed fdatasync was tried again"
        assert [bytes(value or b"") for value in values(log)] == [value_at(n) for n in range(20)]
        return {"durable": log.durable_offset, "end": log.log_end_offset, "epoch": log.leader_epoch}


@pytest.mark.parametrize(
    ("error", "rolls", "nth"),
    [
        (errno.EIO, 0, 1),
        (errno.ENOSPC, 0, 1),
        (errno.EIO, 1, 1),
        (errno.EIO, 1, 2),
        (errno.EDQUOT, 1, 30),
        (errno.EIO, 1, 31),
    ],
)
def test_a_failed_sync_is_told_and_not_tried_again(
    tmp_path: Path, faults: Faults, error: int, rolls: int, nth: int
):
    """Of the active segment, a sealed one, the folder; EIO or an error that sounds harmless."""
    path = tmp_path / "t-0"
    before = run(
        flush_on_a_failing_disk, env=faults.environment(path),
        path=path, error=error, rolls=rolls, nth=nth,
    )  # fmt: skip
    assert before["durable"] == 10
    assert before["end"] == 20
    with Log(path) as log:
        assert log.recovered is not None, "it was opened without a look at the disk"
        assert log.leader_epoch > before["epoch"]
        kept = values(log)
        assert kept == [value_at(n) for n in range(len(kept))]
        assert len(kept) >= before["durable"]
        assert log.append(batch(b"next")) == len(kept)
        assert log.flush() == len(kept) + 1


def flush_while_others_look_on(path: str) -> None:
    switch = own_switch()
    with Log(path) as log:
        log.append(batch(value_at(0)))
        log.flush()
        say("open")
        await_word()
        log.append(batch(value_at(1)))
        switch.fail(Call.SYNC)
        with pytest.raises(FsyncError):
            log.flush()
        say("failed")
        await_word()


def look_on(path: str) -> str:
    with Log(path) as log:
        say("open")
        await_word()
        for act in (lambda: log.append(batch(b"refused")), log.flush):
            with pytest.raises(FsyncError) as caught:
                act()
        assert values(log) == [value_at(0), value_at(1)]
        assert log.durable_offset == 1
        return str(caught.value)


def test_every_process_hears_of_a_failed_sync(tmp_path: Path, faults: Faults):
    path = tmp_path / "t-0"
    with (
        Child(flush_while_others_look_on, env=faults.environment(path), path=path) as first,
        Child(look_on, path=path) as second,
    ):
        assert first.heard() == second.heard() == "open"
        first.tell()
        assert first.heard() == "failed"
        second.tell()
        assert "opened anew" in second.result()
        with Log(path) as late:  # its own descriptors know nothing of the error
            with pytest.raises(FsyncError):
                late.append(batch(b"refused"))
            with pytest.raises(FsyncError):
                late.flush()
        first.tell()
        first.result()
    with Log(path) as log:
        assert log.leader_epoch == 1
        assert values(log)[:1] == [value_at(0)]
        log.append(batch(b"next"))
        log.flush()


def append_from_threads(folder: str, nth: int) -> dict[str, Any]:
    """acks=all from four threads; the nth sync fails. What was acknowledged and what refused."""
    switch = own_switch()
    acknowledged: list[int] = []
    errors: list[str] = []

    def write(topic: pylog.embed.Topic) -> None:
        while True:
            try:
                offset = topic.append(b"value")
            except KafkaException as exception:
                error = exception.args[0]
                assert error == KafkaError.KAFKA_STORAGE_ERROR
                assert not error.retriable()
                errors.append(type(exception.__cause__).__name__)
                return
            assert log.durable_offset > offset
            acknowledged.append(offset)

    with pylog.open(folder) as event_log:
        topic = event_log.topic("t")
        log = topic.log()
        switch.fail(Call.SYNC, nth=nth)
        threads = [threading.Thread(target=write, args=(topic,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answer = {
            "acknowledged": sorted(acknowledged),
            "errors": errors,
            "durable": log.durable_offset,
        }
        try:
            event_log.close()
        except KafkaException as exception:
            answer["close"] = str(exception)
    return answer


@pytest.mark.parametrize("nth", [1, 2, 5, 40])
def test_no_thread_gets_a_false_acknowledgement(tmp_path: Path, faults: Faults, nth: int):
    told = run(append_from_threads, env=faults.environment(tmp_path), folder=tmp_path, nth=nth)
    assert told["errors"] == ["FsyncError"] * 4
    assert all(offset < told["durable"] for offset in told["acknowledged"])
    with pylog.open(tmp_path) as event_log:
        topic = event_log.topic("t")
        assert topic.end_offset() >= told["durable"]
        assert topic.log().leader_epoch == 1
        topic.append(b"next")


def produce_on_a_failing_disk(folder: str) -> dict[str, Any]:
    switch = own_switch()
    reports: list[tuple[int, int]] = []

    def report(error: KafkaError | None, message: pylog.Message) -> None:
        reports.append((0 if error is None else error.code(), int(message.value())))

    producer = pylog.Producer({"log.dir": folder, "acks": "all", "linger.ms": 1})
    for number in range(100):
        producer.produce("t", b"%d" % number, on_delivery=report)
    assert producer.flush() == 0
    switch.fail(Call.SYNC)
    for number in range(100, 200):
        producer.produce("t", b"%d" % number, on_delivery=report)
    left = producer.flush(60)
    raised = ""
    producer.produce("t", b"200")  # without a callback: flush says it
    try:
        producer.flush(60)
    except KafkaException as exception:
        raised = exception.args[0].name()
    close = ""
    try:
        producer.close(10)
    except KafkaException as exception:
        close = exception.args[0].name()
    return {"reports": reports, "left": left, "raised": raised, "close": close}


def test_a_producers_callbacks_get_the_error(tmp_path: Path, faults: Faults):
    told = run(produce_on_a_failing_disk, env=faults.environment(tmp_path), folder=tmp_path)
    storage = KafkaError.KAFKA_STORAGE_ERROR
    assert told["reports"][:100] == [[0, number] for number in range(100)]
    assert told["reports"][100:] == [[storage, number] for number in range(100, 200)]
    assert told["left"] == 0
    assert told["raised"] == "KAFKA_STORAGE_ERROR"
    with pylog.open(tmp_path) as event_log:
        topic = event_log.topic("t")
        found = [message.value() for message in topic.read()]
        assert found[:100] == [b"%d" % number for number in range(100)]
        topic.append(b"next")
