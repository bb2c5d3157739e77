"""Writes a partition with logcore, and checks that Kafka reads every record of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import record_batches
import segment_dump
from record_batches import Written

import logcore
from logcore.batch import BatchBuilder
from logcore.codecs import CODEC_IDS
from logcore.config import LogConfig


def encode(records: Iterable[Written], codec: str = "none") -> bytes:
    builder = BatchBuilder(CODEC_IDS[codec])
    for record in records:
        builder.append(record.timestamp_ms, record.key, record.value, record.headers)
    return bytes(builder.build())


def write(path: Path, batches: Iterable[bytes], **properties: object) -> None:
    """Append `batches` to the partition in `path` and close it."""
    config = LogConfig.from_properties({"retention.ms": -1, **properties})
    with logcore.Log(path, config) as log:
        for batch in batches:
            log.append(batch)
        log.flush()


def log_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.log"))


def index_files(path: Path) -> list[Path]:
    return sorted([*path.glob("*.index"), *path.glob("*.timeindex")])


def assert_kafka_reads(
    kafka: ModuleType, path: Path, written: Sequence[Written], timestamp_ms: int | None = None
) -> segment_dump.SegmentDump:
    """Check every record in `path` through both of Kafka's readers, and its indexes."""
    expected = record_batches.expected_records(written)
    if timestamp_ms is not None:
        expected = [record | {"timestamp_ms": timestamp_ms} for record in expected]
    batches, records = kafka.dump_records(log_files(path))
    assert records == expected
    dump = segment_dump.parse(kafka.dump_log_segments(log_files(path)))
    assert dump.complaints == []
    assert dump.all_records == record_batches.printed_form(expected)
    assert len(batches) == sum(len(each) for each in dump.batches.values())
    assert_kafka_trusts_indexes(kafka, path)
    return dump


def assert_kafka_trusts_indexes(kafka: ModuleType, path: Path) -> None:
    """Check every index entry against its log, by each of the tool's ways."""
    if not index_files(path):
        return  # a partition that nothing was written to
    for options in ((), ("--verify-index-only",), ("--index-sanity-check",)):
        text = kafka.dump_log_segments(index_files(path), False, False, options)
        assert segment_dump.parse(text).complaints == [], options
