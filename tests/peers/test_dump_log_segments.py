"""Kafka's own DumpLogSegments and record classes read our files without a complaint."""

import random
from pathlib import Path
from types import ModuleType

import pytest
import record_batches
import segment_dump
from golden_copies import GoldenCopies
from kafka_reads import (
    assert_kafka_reads,
    assert_kafka_trusts_indexes,
    encode,
    index_files,
    log_files,
    write,
)
from record_batches import CODECS, EVERY_SHAPE, Written

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("codec", CODECS)
def test_every_shape_of_record_is_read(kafka: ModuleType, tmp_path: Path, codec: str) -> None:
    path = tmp_path / "shapes-0"
    write(path, [encode(EVERY_SHAPE[:8], codec), encode(EVERY_SHAPE[8:], codec)])
    dump = assert_kafka_reads(kafka, path, EVERY_SHAPE)
    (batches,) = dump.batches.values()
    assert [batch["compression"] for batch in batches] == [codec, codec]
    assert [batch["timestamp_type"] for batch in batches] == ["CreateTime", "CreateTime"]
    assert batches[0]["max_timestamp_ms"] == max(each.timestamp_ms for each in EVERY_SHAPE[:8])


def test_log_append_time_is_read_as_one_time_a_batch(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "stamped-0"
    batches = [encode(EVERY_SHAPE), encode(EVERY_SHAPE, "zstd")]
    write(path, batches, **{"message.timestamp.type": "LogAppendTime"})
    dumped, records = kafka.dump_records(log_files(path))
    assert [batch["timestamp_type"] for batch in dumped] == ["LogAppendTime", "LogAppendTime"]
    first = [record["timestamp_ms"] for record in records[: len(EVERY_SHAPE)]]
    assert set(first) == {dumped[0]["max_timestamp_ms"]}
    expected = record_batches.expected_records([*EVERY_SHAPE, *EVERY_SHAPE])
    without_time = [{**record, "timestamp_ms": None} for record in expected]
    assert [{**record, "timestamp_ms": None} for record in records] == without_time
    dump = segment_dump.parse(kafka.dump_log_segments(log_files(path)))
    assert dump.complaints == []
    assert [record["timestamp_ms"] for record in dump.all_records] == [
        record["timestamp_ms"] for record in records
    ]
    assert_kafka_trusts_indexes(kafka, path)


def minutes(count: int, records_a_batch: int = 3) -> list[list[Written]]:
    """Return batches one minute apart."""
    first = record_batches.FIRST_TIMESTAMP_MS
    return [
        [
            Written(first + 60_000 * number + part, b"k%d" % part, b"batch %d" % number, [])
            for part in range(records_a_batch)
        ]
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"segment.ms": 600_000, "index.interval.bytes": 0},
        {"segment.ms": 600_000, "index.interval.bytes": 300},
        {"segment.index.bytes": 64, "index.interval.bytes": 100},
    ],
    ids=["an entry a batch", "an entry in a few", "full index"],
)
def test_rolled_segments_and_their_indexes_are_read(
    kafka: ModuleType, tmp_path: Path, properties: dict[str, int]
) -> None:
    path = tmp_path / "rolled-0"
    batches = minutes(60)
    write(path, [encode(batch) for batch in batches], **properties)
    assert len(log_files(path)) > 2
    assert any(file.stat().st_size for file in index_files(path))
    dump = assert_kafka_reads(kafka, path, [record for batch in batches for record in batch])
    for name, entries in dump.batches.items():
        assert entries[0]["base_offset"] == int(Path(name).stem)


def test_segments_rolled_by_size_are_read(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rolled-0"
    noise = random.Random(5)
    written = [Written(number, None, noise.randbytes(100_000), []) for number in range(35)]
    write(path, [encode([record]) for record in written], **{"segment.bytes": 1 << 20})
    assert len(log_files(path)) == 4
    assert_kafka_reads(kafka, path, written)


def test_an_empty_partition_is_read(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "empty-0"
    write(path, [])
    assert_kafka_reads(kafka, path, [])


def test_the_active_segment_is_read_after_every_close(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "reopened-0"
    written = []
    for batch in minutes(5):
        write(path, [encode(batch)])
        written += batch
        assert_kafka_reads(kafka, path, written)


def test_batches_of_another_codec_than_the_last_are_read(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "mixed-0"
    write(path, [encode(EVERY_SHAPE, codec) for codec in CODECS])
    dump = assert_kafka_reads(kafka, path, EVERY_SHAPE * len(CODECS))
    (batches,) = dump.batches.values()
    assert [batch["compression"] for batch in batches] == list(CODECS)


def test_random_batches_are_read(
    kafka: ModuleType, tmp_path: Path, random_source: random.Random
) -> None:
    path = tmp_path / "random-0"
    batches = [record_batches.random_batch(random_source) for _ in range(200)]
    # A random time may differ from the first of its segment by days: many segments, too.
    properties = {"segment.ms": 5 * 86_400_000, "index.interval.bytes": 1000}
    codecs = [random_source.choice(CODECS) for _ in batches]
    write(path, map(encode, batches, codecs), **properties)
    dump = assert_kafka_reads(kafka, path, [record for batch in batches for record in batch])
    printed = [batch for name in sorted(dump.batches) for batch in dump.batches[name]]
    assert [batch["compression"] for batch in printed] == codecs
    assert [batch["count"] for batch in printed] == [len(batch) for batch in batches]


GOLDEN = ["none", "gzip", "lz4", "rolled-by-time", "rolled-by-index", "librdkafka"]


@pytest.mark.parametrize("name", GOLDEN)
def test_what_we_append_to_kafkas_own_partition_is_read(
    kafka: ModuleType, golden_copy: GoldenCopies, name: str
) -> None:
    path = golden_copy(name)
    before = kafka.dump_records(log_files(path))[1]
    write(path, [encode(EVERY_SHAPE), encode(EVERY_SHAPE, "lz4")])
    ours = record_batches.expected_records(EVERY_SHAPE * 2, before[-1]["offset"] + 1)
    assert kafka.dump_records(log_files(path))[1] == before + ours
    dump = segment_dump.parse(kafka.dump_log_segments(log_files(path)))
    assert dump.complaints == []
    assert dump.all_records == record_batches.printed_form(before + ours)
    assert_kafka_trusts_indexes(kafka, path)
