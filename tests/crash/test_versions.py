"""Programs of different versions, and shared files that are not what they should be."""

import os
import random
import struct
from pathlib import Path

import pytest
from child import Child, await_word, run, say
from partitions import batch, changed, forget_boot, overwrite, value_at, values

import pylog
from logcore import Log
from logcore.errors import UnsupportedFormatError
from pylog import KafkaError, KafkaException

VERSION_PLACE = 8  # in .state: see logcore/c/shared.h
STATE_BYTES = 16384


def keep_open(path: str) -> None:
    with Log(path) as log:
        log.append(batch(value_at(log.log_end_offset)))
        say("open")
        await_word()
        log.append(batch(value_at(log.log_end_offset)))


def open_it(path: str, read_only: bool = False) -> str:
    try:
        with Log(path, read_only=read_only) as log:
            return f"{len(values(log))} records"
    except UnsupportedFormatError as error:
        return str(error)


@pytest.mark.parametrize("version", [0, 1, 3, 2**31])
def test_a_partition_that_another_version_has_open_is_refused(tmp_path: Path, version: int):
    path = tmp_path / "t-0"
    with Child(keep_open, path=path) as other:
        assert other.heard() == "open"
        with changed(path / ".state", VERSION_PLACE, struct.pack("=I", version)):
            answer = run(open_it, path=path)
            assert f"shared state version {version}; this one has 2" in answer
            assert "Close the other program" in answer
            with pytest.raises(UnsupportedFormatError):
                Log(path)
        other.tell()
        other.result()
    with Log(path) as log:
        assert values(log) == [value_at(0), value_at(1)]


def test_a_partition_that_a_program_of_another_byte_order_has_open_is_refused(tmp_path: Path):
    path = tmp_path / "t-0"
    with Child(keep_open, path=path) as other:
        assert other.heard() == "open"
        words = struct.pack("=II", 1, 0x01020304)  # version, byte order
        with changed(path / ".state", VERSION_PLACE, words[3::-1] + words[:3:-1]):
            assert "in use by" in run(open_it, path=path)
        other.tell()
        other.result()


def test_the_state_of_another_version_at_rest_is_made_anew(tmp_path: Path):
    """Nobody has it open: the page holds nothing that the log does not."""
    path = tmp_path / "t-0"
    for number, version in enumerate([0, 1, 3, 2**31]):
        with Log(path) as log:
            log.append(batch(value_at(number)))
            epoch = log.leader_epoch
        overwrite(path / ".state", VERSION_PLACE, struct.pack("=I", version))
        with Log(path, read_only=True) as log:
            assert len(values(log)) == number + 1
        with Log(path) as log:
            assert values(log) == [value_at(n) for n in range(number + 1)]
            assert log.recovered is not None
            assert log.leader_epoch == epoch + 1


@pytest.mark.parametrize("size", [0, 1, 7, 64, 4096, STATE_BYTES - 1, STATE_BYTES, 5 * STATE_BYTES])
@pytest.mark.parametrize("kind", ["zeros", "ones", "noise"])
def test_a_garbage_state_at_rest_is_made_anew(
    fast_path: Path, chance: random.Random, kind: str, size: int
):
    path = fast_path / "t-0"
    with Log(path) as log:
        log.append(batch(*(value_at(n) for n in range(10))))
        log.flush()
    garbage = {"zeros": bytes(size), "ones": b"\xff" * size, "noise": chance.randbytes(size)}[kind]
    (path / ".state").write_bytes(garbage)
    with Log(path, read_only=True) as log:
        assert len(values(log)) == 10
    (path / ".state").write_bytes(garbage)
    with Log(path) as log:
        assert values(log) == [value_at(n) for n in range(10)]
        assert log.append(batch(b"next")) == 10


def test_every_word_of_the_state_may_be_damaged_at_rest(fast_path: Path, chance: random.Random):
    """Of the first kilobyte, which is all but slots: the log is whole, whatever the page claims."""
    path = fast_path / "t-0"
    with Log(path) as log:
        log.append(batch(*(value_at(n) for n in range(10))))
        log.roll()
        log.append(batch(*(value_at(n) for n in range(10, 20))))
        log.flush()
    state = (path / ".state").read_bytes()
    files = {
        name: (path / name).read_bytes()
        for name in os.listdir(path)
        if "index" in name or ".log" in name
    }
    for place in range(0, 0x400, 8):
        for word in (bytes(8), b"\xff" * 8, chance.randbytes(8)):
            (path / ".state").write_bytes(state[:place] + word + state[place + 8 :])
            with Log(path) as log:
                found = values(log)
                assert found == [value_at(n) for n in range(20)], f"byte {place}: {word!r}"
                assert log.append(batch(b"next")) == 20
            for name, content in files.items():
                (path / name).write_bytes(content)
            for name in set(os.listdir(path)) & {".recovery"}:
                (path / name).unlink()


@pytest.mark.parametrize("text", ["version=2", "version=999999999999"])
def test_a_folder_of_a_newer_version_is_refused(tmp_path: Path, text: str):
    folder = tmp_path / "log"
    with pylog.open(folder) as event_log:
        event_log.topic("t").append(b"value")
    meta = folder / "pylog.meta"
    before = meta.read_text()
    meta.write_text(before.replace("version=1", text))
    for open_folder in (
        lambda: pylog.open(folder),
        lambda: pylog.open(folder, read_only=True),
        lambda: pylog.Producer({"log.dir": str(folder)}),
        lambda: pylog.Consumer({"log.dir": str(folder), "group.id": "g"}),
    ):
        with pytest.raises(KafkaException) as caught:
            open_folder()
        assert caught.value.args[0] == KafkaError.UNSUPPORTED_VERSION
        assert "newer pylog-stream" in str(caught.value)
    meta.write_text(before)
    with pylog.open(folder) as event_log:
        assert [message.value() for message in event_log.topic("t").read()] == [b"value"]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"version=one\n", b"\xff\xfe garbage", b"version=1\n"]
)
def test_a_damaged_pylog_meta_is_refused(tmp_path: Path, content: bytes):
    folder = tmp_path / "log"
    with pylog.open(folder) as event_log:
        event_log.topic("t")
    (folder / "pylog.meta").write_bytes(content)
    with pytest.raises(KafkaException) as caught:
        pylog.open(folder)
    assert caught.value.args[0] == KafkaError.UNSUPPORTED_VERSION
    assert "pylog.meta" in str(caught.value)


def test_the_folders_bell_may_be_garbage(tmp_path: Path, chance: random.Random):
    folder = tmp_path / "log"
    for size in (0, 1, 8, 4095, 4096, 9000):
        with pylog.open(folder, acks=1) as event_log:
            event_log.topic("t").append(b"value")
        (folder / ".pylog.state").write_bytes(chance.randbytes(size))
    with pylog.open(folder) as event_log:
        topic = event_log.topic("t")
        assert topic.end_offset() == 6
        assert len(list(topic.follow(partition=0, timeout=0.01))) == 6


def test_a_mark_of_another_version_is_not_believed(tmp_path: Path):
    path = tmp_path / "t-0"
    with Log(path) as log:
        log.append(batch(*(value_at(n) for n in range(10))))
        log.write_recovery_mark()
    for slot in (0, 512):
        overwrite(path / ".recovery", slot + 8, struct.pack(">I", 3))
    forget_boot(path)
    with Log(path) as log:
        assert values(log) == [value_at(n) for n in range(10)]
