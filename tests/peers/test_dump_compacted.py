"""Kafka's own tools read the segments that our compaction makes, and we go on from theirs."""

import random
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import segment_dump
from golden_copies import GoldenCopies
from kafka_reads import assert_kafka_trusts_indexes, log_files

sys.path.append(str(Path(__file__).parent.parent / "logcore"))

from compacted_logs import HOUR_MS, compact, fill, keyed_batch, open_log, random_pairs
from partition_files import TIME_MS

from logcore.log import Log

pytestmark = pytest.mark.peer


def read_with_deltas(log: Log) -> list[dict[str, Any]]:
    """What Kafka must print of the records that are left."""
    return [
        {
            "offset": record.offset,
            "timestamp_ms": record.timestamp_ms,
            "key": record.key,
            "value": record.value,
            "headers": record.headers,
        }
        for record in log.reader(log.log_start_offset)
    ]


def assert_kafka_reads_the_same(kafka: ModuleType, path: Path, log: Log) -> None:
    log.flush()
    records = kafka.dump_records(log_files(path))[1]
    data = [record for record in records if not record.get("is_control")]
    ours = read_with_deltas(log)
    assert [(each["offset"], each["timestamp_ms"]) for each in data] == [
        (each["offset"], each["timestamp_ms"]) for each in ours
    ]
    assert_no_complaints(kafka, path)


def assert_no_complaints(kafka: ModuleType, path: Path) -> None:
    """Offsets that are missing are told of every compacted segment, Kafka's own too."""
    dump = segment_dump.parse(kafka.dump_log_segments(log_files(path)))
    gaps = [re.fullmatch(r"  (-?\d+) is followed by (\d+)", line) for line in dump.complaints]
    assert all(gap is not None and int(gap[1]) < int(gap[2]) for gap in gaps), dump.complaints
    assert_kafka_trusts_indexes(kafka, path)


@pytest.mark.parametrize("codec", range(5))
def test_cleaned_segments_of_every_codec_are_read(
    kafka: ModuleType, tmp_path: Path, codec: int
) -> None:
    path = tmp_path / "cleaned-0"
    source = random.Random(codec)
    with open_log(path) as log:
        for turn in range(40):
            pairs = random_pairs(source, 30)
            log.append(keyed_batch(pairs, codec=codec, timestamp_ms=TIME_MS + 100 * turn))
            if turn % 7 == 6:
                log.roll()
        for hours in range(3):
            assert compact(log, TIME_MS + hours * HOUR_MS) is not None
            assert_kafka_reads_the_same(kafka, path, log)


def test_cleaned_transactions_are_read(kafka: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "cleaned-0"
    with open_log(path) as log:
        for number in range(12):
            pairs = [(b"key %d" % (number % 5), b"%d" % number)]
            log.append(keyed_batch(pairs, producer=(number % 2, 0, number // 2, True)))
            log.append_marker(number % 2, 0, number % 3 > 0)
        log.roll()
        for hours in range(3):
            assert compact(log, TIME_MS + 2 * hours * HOUR_MS) is not None
            assert_no_complaints(kafka, path)


def test_kafkas_compacted_partition_is_compacted_further(
    kafka: ModuleType, golden_copy: GoldenCopies
) -> None:
    path = golden_copy("compacted")
    with open_log(path, internal_segment_bytes=None) as log:
        before = read_with_deltas(log)
        fill(log, [(each["key"], b"ours") for each in before if each["key"] is not None][:5])
        assert compact(log) is not None
        assert_kafka_reads_the_same(kafka, path, log)
        left = {each["key"]: each["value"] for each in read_with_deltas(log)}
        wanted = {each["key"]: each["value"] for each in before if each["key"] is not None}
        assert {key: left.get(key) for key in wanted} == wanted | {
            key: b"ours" for key in list(dict.fromkeys(e["key"] for e in before if e["key"]))[:5]
        }
