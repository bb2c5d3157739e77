"""isolation.level: what consumers of a folder see of transactions."""

from pathlib import Path

import pytest

import pylog
from logcore.batch import BatchBuilder
from pylog import KafkaError, TopicPartition
from pylog.admin import AdminClient, IsolationLevel, OffsetSpec
from pylog.log_dir import LogDir

TIME_MS = 1_700_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Topic t: a plain record, an aborted, a committed, an open transaction and a plain record."""
    folder = str(tmp_path / "data")
    log_dir = LogDir.open(folder)
    log_dir.create_topic("t", 1)
    log = log_dir.partition("t", 0)

    def append(value: bytes, producer_id: int, epoch: int) -> None:
        builder = BatchBuilder()
        if producer_id >= 0:
            builder.set_producer(producer_id, epoch, 0, True)
        builder.append(TIME_MS + log.log_end_offset, None, value)
        log.append(builder.build())

    append(b"plain", -1, -1)
    append(b"aborted", 1, 0)
    log.append_marker(1, 1, False)
    append(b"committed", 1, 1)
    log.append_marker(1, 2, True)
    append(b"open", 2, 0)
    append(b"behind", -1, -1)
    log_dir.close()
    return folder


def consume_all(folder: str, isolation: str | None) -> list[bytes | None]:
    conf = {"log.dir": folder, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    if isolation is not None:
        conf["isolation.level"] = isolation
    values = []
    with pylog.Consumer(conf) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        while True:
            message = consumer.poll(10)
            assert message is not None
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                return values
            values.append(message.value())


def test_the_default_is_to_read_what_was_committed(folder: str) -> None:
    assert consume_all(folder, None) == [b"plain", b"committed"]
    assert consume_all(folder, "read_committed") == [b"plain", b"committed"]


def test_read_uncommitted_reads_everything(folder: str) -> None:
    expected = [b"plain", b"aborted", b"committed", b"open", b"behind"]
    assert consume_all(folder, "read_uncommitted") == expected


@pytest.mark.parametrize(("isolation", "end"), [("read_committed", 5), ("read_uncommitted", 7)])
def test_the_end_is_what_may_be_read(folder: str, isolation: str, end: int) -> None:
    with pylog.Consumer({"log.dir": folder, "isolation.level": isolation}) as consumer:
        assert consumer.get_watermark_offsets(TopicPartition("t", 0)) == (0, end)
        (found,) = consumer.offsets_for_times([TopicPartition("t", 0, TIME_MS + 5)])
        assert found.offset == (5 if end == 7 else pylog.OFFSET_END)
        consumer.assign([TopicPartition("t", 0, pylog.OFFSET_END)])
        log_dir = LogDir.open(folder)
        log_dir.partition("t", 0).append_marker(2, 1, True)
        log_dir.close()
        message = consumer.poll(1) if end == 5 else None
        assert (message.value() if message else None) == (b"open" if end == 5 else None)


def test_the_admin_client_answers_both_ends(folder: str) -> None:
    admin = AdminClient({"log.dir": folder})
    wanted = {TopicPartition("t", 0): OffsetSpec.latest()}
    for level, end in ((IsolationLevel.READ_COMMITTED, 5), (IsolationLevel.READ_UNCOMMITTED, 7)):
        (future,) = admin.list_offsets(wanted, isolation_level=level).values()
        assert future.result().offset == end


def test_an_embedder_reads_what_was_committed(folder: str) -> None:
    with pylog.open(folder) as log:
        topic = log.topic("t")
        assert [message.value() for message in topic.read()] == [b"plain", b"committed"]
