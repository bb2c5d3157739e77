"""Compacted topics are cleaned in the background, by any program that has the folder open."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pylog
from pylog import compactor, housekeeper
from pylog.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

CONFIGS = {
    "cleanup.policy": "compact",
    "internal.segment.bytes": "4000",
    "min.cleanable.dirty.ratio": "0",  # the rest after an early turn is due, too
}
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look often: the intervals are for programs that run for days."""
    monkeypatch.setattr(compactor, "COMPACTION_INTERVAL_S", 0.05)
    monkeypatch.setattr(housekeeper, "FLUSH_INTERVAL_S", 0.05)
    yield


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def write_turns(topic: pylog.Topic, turns: int) -> None:
    for turn in range(turns):
        topic.append_many([(b"%d" % key, b"%d" % turn) for key in range(50)])


def table(topic: pylog.Topic) -> list[tuple[bytes | None, bytes | None]]:
    return [(message.key(), message.value()) for message in topic.read(0)]


def test_a_compacted_topic_is_cleaned_in_the_background(tmp_path: Path) -> None:
    with pylog.open(tmp_path, acks=1) as log:
        topic = log.topic("table", configs=CONFIGS)
        write_turns(topic, 20)
        topic.log().roll()
        wait_until(lambda: len(table(topic)) == 50)
        assert dict(table(topic)) == {b"%d" % key: b"19" for key in range(50)}
        assert len(topic.log().segments()) <= 5


def test_a_topic_that_is_not_compacted_is_left_alone(tmp_path: Path) -> None:
    with pylog.open(tmp_path, acks=1) as log:
        plain = log.topic("plain", configs={"internal.segment.bytes": "4000"})
        write_turns(plain, 20)
        topic = log.topic("table", configs=CONFIGS)
        write_turns(topic, 20)
        topic.log().roll()
        wait_until(lambda: len(table(topic)) == 50)
        assert len(table(plain)) == 1000


def test_a_damaged_segment_is_told_of_once_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="pylog.compactor")
    with pylog.open(tmp_path, acks=1) as log:
        log.topic("bad", configs={**CONFIGS, "min.cleanable.dirty.ratio": "1"})
        write_turns(log.topic("bad"), 20)
        log.topic("bad").log().roll()
    damaged = sorted((tmp_path / "bad-0").glob("*.log"))[0]
    data = bytearray(damaged.read_bytes())
    data[200] ^= 1
    damaged.write_bytes(data)
    resource = ConfigResource("topic", "bad")
    ratio = ConfigEntry(
        "min.cleanable.dirty.ratio", "0.1", incremental_operation=AlterConfigOpType.SET
    )
    resource.add_incremental_config(ratio)
    admin = AdminClient({"log.dir": str(tmp_path)})
    admin.incremental_alter_configs([resource])[resource].result()
    with pylog.open(tmp_path, acks=1) as log:
        bad, topic = log.topic("bad"), log.topic("table", configs=CONFIGS)
        bad.end_offset()
        wait_until(lambda: any("bad-0" in record.message for record in caplog.records))
        write_turns(topic, 20)
        topic.log().roll()
        wait_until(lambda: len(table(topic)) == 50)
        assert sum("bad-0" in record.message for record in caplog.records) == 1
    assert damaged.read_bytes() == data
