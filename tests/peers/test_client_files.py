"""Kafka reads what Producer, AdminClient and append_many leave in a folder."""

from pathlib import Path
from types import ModuleType

import pytest
from kafka_reads import assert_kafka_reads, assert_kafka_trusts_indexes, log_files
from record_batches import CODECS, EVERY_SHAPE, FIRST_TIMESTAMP_MS, Written

import pylog
from pylog.admin import AdminClient, NewTopic

pytestmark = pytest.mark.peer


def create_topic(folder: Path, name: str, partitions: int = 1, **config: str) -> None:
    admin = AdminClient({"log.dir": str(folder)})
    topic = NewTopic(name, partitions, config={"retention.ms": "-1", **config})
    admin.create_topics([topic])[name].result(10)


def partition_dir(folder: Path, topic: str, partition: int = 0) -> Path:
    (path,) = folder.glob(f"**/{topic}-{partition}")
    return path


@pytest.mark.parametrize("acks", [0, 1, "all"])
@pytest.mark.parametrize("codec", CODECS)
def test_what_a_producer_wrote_is_read(
    kafka: ModuleType, tmp_path: Path, codec: str, acks: int | str
) -> None:
    create_topic(tmp_path, "flights")
    config = {"log.dir": str(tmp_path), "compression.type": codec, "acks": acks}
    producer = pylog.Producer(config)
    for record in EVERY_SHAPE:
        producer.produce(
            "flights",
            record.value,
            record.key,
            timestamp=record.timestamp_ms,
            headers=record.headers,
        )
    assert producer.flush(30) == 0
    del producer
    dump = assert_kafka_reads(kafka, partition_dir(tmp_path, "flights"), EVERY_SHAPE)
    assert {batch["compression"] for each in dump.batches.values() for batch in each} == {codec}


def test_many_records_over_partitions_and_segments_are_read(
    kafka: ModuleType, tmp_path: Path
) -> None:
    create_topic(tmp_path, "many", 3, **{"segment.bytes": str(1 << 20)})
    producer = pylog.Producer({"log.dir": str(tmp_path), "batch.size": 20_000, "acks": 1})
    written: dict[int, list[Written]] = {partition: [] for partition in range(3)}
    for number in range(60_000):
        record = Written(FIRST_TIMESTAMP_MS + number, b"%d" % number, b"value %d" % number * 5, [])
        written[number % 3].append(record)
        while True:
            try:
                producer.produce(
                    "many",
                    record.value,
                    record.key,
                    partition=number % 3,
                    timestamp=record.timestamp_ms,
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(30) == 0
    del producer
    for partition, records in written.items():
        path = partition_dir(tmp_path, "many", partition)
        assert len(log_files(path)) > 1
        assert_kafka_reads(kafka, path, records)


def test_what_the_embedders_face_appended_is_read(kafka: ModuleType, tmp_path: Path) -> None:
    with pylog.open(tmp_path, acks=1) as log:
        topic = log.topic("events")
        topic.append(b"one", key=b"k", headers={"name": b"data"}, timestamp_ms=FIRST_TIMESTAMP_MS)
        topic.append_many([b"two", (b"k", b"three")])
        topic.append(None, key=b"k")
    path = partition_dir(tmp_path, "events")
    records = kafka.dump_records(log_files(path))[1]
    assert [(record["key"], record["value"]) for record in records] == [
        (b"k".hex(), b"one".hex()),
        (None, b"two".hex()),
        (b"k".hex(), b"three".hex()),
        (b"k".hex(), None),
    ]
    assert records[0]["headers"] == [["name", b"data".hex()]]
    assert records[0]["timestamp_ms"] == FIRST_TIMESTAMP_MS
    assert_kafka_trusts_indexes(kafka, path)
