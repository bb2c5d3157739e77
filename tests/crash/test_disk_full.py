"""A full disk: a typed error, nothing lost, and the next append works once there is room.

RLIMIT_FSIZE gives an end of the disk at any byte; a small tmpfs in a mount namespace of its own
(needs root) is a disk that is full for every file, where recovery has to do without room.
"""

import contextlib
import errno
import os
import random
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from child import Child, run, say
from faults import Call, Faults, own_switch
from partitions import batch, forget_boot, value_at, values
from workload import CONFIG, check

import pylog
from logcore import Log
from logcore.errors import DiskFullError
from pylog import KafkaError, KafkaException
from pylog.admin import AdminClient, NewTopic

# ---- an end of the disk at any byte ----


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def meet_limits(folder: str, first: int, step: int, end: int) -> dict[str, int]:
    """A small workload under each limit; asserts what must hold."""
    refused = limits = 0
    for limit in range(first, end, step):
        path = os.path.join(folder, "t-0")
        limits += 1
        with Log(path, CONFIG) as log:
            for number in range(24):
                begin = log.log_end_offset
                data = batch(*(value_at(begin + n, 10 + 7 * number) for n in range(1 + number % 3)))
                with file_size_limit(limit):
                    try:
                        if number in (9, 17):
                            log.roll()
                        log.append(data)
                        continue
                    except DiskFullError:
                        refused += 1
                    assert log.log_end_offset == begin
                    assert values(log) == [
                        value_at(n, len(v or b"")) for n, v in enumerate(values(log))
                    ]
                assert log.append(data) == begin, "the append after the full disk"
            log.flush()
            end_offset = log.log_end_offset
        with file_size_limit(limit), Log(path, CONFIG) as log:
            assert log.log_end_offset == end_offset
        check(path, end_offset)
        shutil.rmtree(path)
    return {"refused": refused, "limits": limits}


def test_an_append_that_meets_the_end_of_the_disk_at_any_byte(
    fast_path: Path, chance: random.Random
):
    step = 23
    told = run(meet_limits, folder=fast_path, first=1 + chance.randrange(step), step=step, end=4000)
    assert told["refused"] > told["limits"] > 100


@pytest.mark.slow
def test_an_append_that_meets_the_end_of_the_disk_at_every_byte(fast_path: Path):
    run(meet_limits, timeout_s=1800, folder=fast_path, first=1, step=1, end=6000)


# ---- a disk that is full for everything ----


class SmallDisk:
    """A tmpfs, in a mount namespace that ends with this process."""

    def __init__(self, path: str, size: str):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
        self.path = path
        self._ballast = os.path.join(path, ".ballast")

    def fill(self) -> None:
        """Leave not a byte."""
        fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while True:
                os.write(fd, bytes(1 << 16))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        finally:
            os.close(fd)
        assert self.free_bytes == 0

    def free(self) -> None:
        """Make room again."""
        os.unlink(self._ballast)

    @property
    def free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_bsize


def on_a_small_disk(function: Any, tmp_path: Path, **arguments: Any) -> Any:
    """Run a function as the only one that sees a mount at `path`."""
    prefix = ("unshare", "-m", "--propagation", "private")
    probe = subprocess.run(
        [*prefix, "mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True
    )
    if probe.returncode != 0:
        pytest.skip(f"no tmpfs of our own here: {probe.stderr.decode().strip()}")
    return run(function, prefix=prefix, path=tmp_path / "disk", **arguments)


def append_until_full(path: str) -> None:
    disk = SmallDisk(path, "512k")
    with Log(f"{path}/t-0", CONFIG) as log, Child(follow_all, path=f"{path}/t-0") as follower:
        for _ in range(2):  # full, room, full again
            disk.fill()
            with pytest.raises(DiskFullError):
                while True:
                    end = log.log_end_offset
                    log.append(batch(value_at(end, 700)))
            assert log.log_end_offset == end
            assert len(values(log)) == end
            with contextlib.suppress(DiskFullError):  # where a new file takes room
                log.roll()
            log.flush()
            assert log.durable_offset == end
            with contextlib.suppress(DiskFullError):  # its 1 KiB may not be there yet
                log.write_recovery_mark()
            disk.free()
            for _ in range(20):
                log.append(batch(value_at(log.log_end_offset, 700)))
        log.append(batch(b"the end"))
        assert follower.result() == log.log_end_offset
    check_all(f"{path}/t-0", end + 20)


def follow_all(path: str) -> int:
    with Log(path) as log:
        reader = log.reader(0)
        while True:
            for record in reader:
                if record.value == b"the end":
                    return record.offset + 1
                assert record.value == value_at(record.offset, 700)
            assert log.wait(reader.next_offset, 60)


def check_all(path: str, count: int) -> None:
    with Log(path) as log:
        assert values(log)[:count] == [value_at(n, 700) for n in range(count)]


def test_appends_and_rolls_on_a_full_disk_and_readers_live_on(tmp_path: Path):
    on_a_small_disk(append_until_full, tmp_path)


def recover_on_a_full_disk(path: str, tail_bytes: int, has_mark: bool, rolls: bool) -> None:
    disk = SmallDisk(path, "512k")
    partition = f"{path}/t-0"
    with Log(partition, CONFIG) as log:
        for number in range(50):
            log.append(batch(value_at(number, 700)))
            if rolls and number % 20 == 10:
                log.roll()
        if has_mark:
            log.write_recovery_mark()
        for number in range(50, 100):
            log.append(batch(value_at(number, 700)))
        log.flush()
    active = sorted(Path(partition).glob("*.log"))[-1]
    with active.open("ab") as file:
        file.write(b"torn tail of a batch ".ljust(tail_bytes, b"x")[:tail_bytes])
    for index in Path(partition).glob("*index"):
        index.unlink()
    forget_boot(partition)
    disk.fill()
    with Log(partition, CONFIG) as log:
        assert log.recovered is not None
        # Kept where there is room for a copy; else lost, with a warning: nobody was told of them.
        assert log.recovered.cut_bytes in (0, tail_bytes)
        assert values(log) == [value_at(n, 700) for n in range(100)]
        with pytest.raises(DiskFullError):
            while True:  # the tail may have left some room
                log.append(batch(value_at(log.log_end_offset, 700)))
        end = log.log_end_offset
    disk.free()
    with Log(partition, CONFIG) as log:
        assert log.append(batch(value_at(end, 700))) == end
        log.flush()
    forget_boot(partition)
    check_all(partition, end + 1)


@pytest.mark.parametrize("tail_bytes", [0, 21, 700, 9000])
@pytest.mark.parametrize(("has_mark", "rolls"), [(False, False), (True, False), (True, True)])
def test_recovery_needs_no_room(tmp_path: Path, tail_bytes: int, has_mark: bool, rolls: bool):
    on_a_small_disk(
        recover_on_a_full_disk, tmp_path, tail_bytes=tail_bytes, has_mark=has_mark, rolls=rolls
    )


def refuse_recovery_room(path: str, error: int) -> None:
    """The same through the shim: no call of an open that writes gets room."""
    switch = own_switch()
    with Log(path, CONFIG) as log:
        for number in range(20):
            log.append(batch(value_at(number, 700)))
        log.flush()
    with Path(path, f"{0:020d}.log").open("ab") as file:
        file.write(b"torn")
    forget_boot(path)
    switch.fail(Call.WRITE, error=error, times=10_000)
    with Log(path, CONFIG) as log:
        assert len(values(log)) == 20
    switch.off()
    with Log(path, CONFIG) as log:
        assert log.append(batch(b"next")) == 20


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT], ids=["ENOSPC", "EDQUOT"])
def test_recovery_needs_no_quota(tmp_path: Path, faults: Faults, error: int):
    path = tmp_path / "t-0"
    run(refuse_recovery_room, env=faults.environment(path), path=path, error=error)


def use_a_full_folder(path: str) -> None:
    disk = SmallDisk(path, "1m")
    folder = f"{path}/log"
    with pylog.open(folder, acks=1) as event_log:
        topic = event_log.topic("t", partitions=2)
        offset = topic.append(b"before", partition=0)
        disk.fill()
        storage_full = KafkaError.KAFKA_STORAGE_ERROR
        for _ in range(3):
            with pytest.raises(KafkaException) as caught:
                event_log.topic("new", partitions=3)
            assert caught.value.args[0] == storage_full
            assert caught.value.args[0].retriable()
        admin = AdminClient({"log.dir": folder})
        (future,) = admin.create_topics([NewTopic("new", 3)]).values()
        with pytest.raises(KafkaException):
            future.result()
        assert event_log.topics() == ["t"]
        with pytest.raises(KafkaException) as caught:
            while True:
                offset = topic.append(b"x" * 1000, partition=0)
        assert caught.value.args[0] == storage_full
        assert topic.end_offset() == offset + 1
        assert len(list(topic.read())) == offset + 1
        with pytest.raises(KafkaException) as caught:
            topic.append_many([b"x" * 5000] * 10, partition=1)
        assert caught.value.__cause__ is not None
        assert topic.end_offset(1) == caught.value.appended
        disk.free()
        event_log.topic("new", partitions=3).append(b"value")
        assert topic.append(b"after", partition=0) == offset + 1
        disk.fill()
        event_log.delete_topic("new")  # takes no room: it makes some
        assert event_log.topics() == ["t"]
    with pylog.open(folder) as event_log:
        assert len(list(event_log.topic("t").read())) == offset + 2
    disk.free()


def test_topics_on_a_full_disk_are_made_whole_or_not_at_all(tmp_path: Path):
    on_a_small_disk(use_a_full_folder, tmp_path)


def produce_on_a_full_disk(path: str, acks: int | str) -> None:
    disk = SmallDisk(path, "1m")
    reports: list[tuple[KafkaError | None, int, bytes]] = []
    troubles: list[KafkaError] = []
    producer = pylog.Producer({
        "log.dir": f"{path}/log", "acks": acks, "linger.ms": 1, "error_cb": troubles.append,
        "batch.size": 20_000,
    })  # fmt: skip

    def report(error: KafkaError | None, message: pylog.Message) -> None:
        reports.append((error, message.offset(), message.value()))

    producer.produce("t", b"first", on_delivery=report)
    assert producer.flush() == 0
    disk.fill()
    sent = [b"first"]
    with pytest.raises(BufferError):
        while True:
            value = b"%d " % len(sent) + b"x" * 1000
            producer.produce("t", value, on_delivery=report)
            sent.append(value)
            assert len(sent) < 5000, "a full disk and no push back"
    left = producer.flush(0.3)
    assert left > 0
    assert left == len(producer) == len(sent) - len(reports)
    assert troubles
    assert troubles[0] == KafkaError.KAFKA_STORAGE_ERROR
    assert len(reports) + left == len(sent)
    delivered = len(reports)
    disk.free()
    if acks == 1:
        assert producer.flush(60) == 0
    else:  # by itself, with poll alone
        while len(producer):
            assert producer.poll(60) > 0
    assert len(reports) > delivered
    assert [error for error, _, _ in reports] == [None] * len(sent)
    assert [value for _, _, value in reports] == sent
    assert [offset for _, offset, _ in reports] == list(range(len(sent)))
    producer.close()
    with pylog.open(f"{path}/log") as event_log:
        assert [message.value() for message in event_log.topic("t").read()] == sent


@pytest.mark.parametrize("acks", [1, "all"])
def test_a_producer_keeps_what_the_disk_refused_and_sends_it_later(tmp_path: Path, acks: int | str):
    on_a_small_disk(produce_on_a_full_disk, tmp_path, acks=acks)


def fill_while_everybody_is_at_work(path: str) -> None:
    """Writers in threads and a process, a reader, the housekeeper; full and free ten times."""
    disk = SmallDisk(path, "2m")
    folder = f"{path}/log"
    stop = threading.Event()
    # How many records may be written: a fast machine would fill the disk with the log itself.
    room = threading.Semaphore(0)
    acknowledged: list[tuple[int, bytes]] = []

    def write(topic: pylog.embed.Topic, name: bytes) -> None:
        number = 0
        may_write = False
        while not stop.is_set():
            may_write = may_write or room.acquire(timeout=0.01)
            if not may_write:
                continue
            value = b"%s %d" % (name, number)
            try:
                acknowledged.append((topic.append(value), value))
                number += 1
                may_write = False
            except KafkaException as exception:
                assert isinstance(exception.__cause__, DiskFullError), exception

    with pylog.open(folder, acks=1) as event_log:
        topic = event_log.topic("t")
        with Child(follow_to_the_end, folder=folder) as follower:
            threads = [threading.Thread(target=write, args=(topic, b"%d" % n)) for n in range(3)]
            for thread in threads:
                thread.start()
            for _ in range(10):
                room.release(200)
                disk.fill()
                seen = len(acknowledged)
                disk.free()
                room.release(100)
                while len(acknowledged) < seen + 50:
                    assert any(thread.is_alive() for thread in threads)
            stop.set()
            for thread in threads:
                thread.join()
            end = topic.append(b"the end")
            assert follower.result() == end
        values_read = [message.value() for message in topic.read()]
    for offset, value in acknowledged:
        assert values_read[offset] == value
    assert len(values_read) == len(acknowledged) + 1
    say(len(acknowledged))


def follow_to_the_end(folder: str) -> int:
    with pylog.open(folder) as event_log:
        for number, message in enumerate(event_log.topic("t").follow(partition=0, timeout=60)):
            assert message.offset() == number
            if message.value() == b"the end":
                return number
    raise AssertionError("the end did not come")


def test_a_disk_that_fills_up_and_empties_under_writers_and_readers(tmp_path: Path):
    on_a_small_disk(fill_while_everybody_is_at_work, tmp_path)
