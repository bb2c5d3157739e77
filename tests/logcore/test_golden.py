"""We read what a real Kafka wrote exactly as Kafka reads it, and append after it.

tests/golden/README.md says how the files and their expected.json were made.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import logcore
from logcore import leader_epochs, partition_metadata, producer_snapshots
from logcore.batch import BatchBuilder, BatchView, Record, iter_batches, iter_records
from logcore.codecs import CODEC_IDS, CODEC_NAMES
from logcore.config import LogConfig

GOLDEN_DIR = Path(__file__).resolve().parents[1] / "golden"
# A folder without this file is no partition: streams/ holds what Kafka Streams does.
NAMES = sorted(path.parent.name for path in GOLDEN_DIR.glob("*/expected.json"))
LONGEST_VALUE_BYTES = 300  # longer values are told by size and digest, as in make_golden.py


def load_expected(name: str) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((GOLDEN_DIR / name / "expected.json").read_text("utf-8"))
    return expected


def partition_dir(name: str) -> Path:
    return GOLDEN_DIR / name / f"{name}-0"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    golden_name: str = request.param
    return golden_name


@pytest.fixture
def copy(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(partition_dir(name), tmp_path / f"{name}-0"))


def open_log(path: Path, name: str, **named: Any) -> logcore.Log:
    return logcore.Log(path, LogConfig.from_properties(load_expected(name)["configs"]), **named)


def told_record(record: Record, timestamp_type: str) -> dict[str, Any]:
    """Return `record` in the form of expected.json."""
    told: dict[str, Any] = {
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "timestamp_type": timestamp_type,
        "key": None if record.key is None else record.key.hex(),
        "value": None if record.value is None else record.value.hex(),
        "headers": [[key, None if data is None else data.hex()] for key, data in record.headers],
    }
    if record.value is not None and len(record.value) > LONGEST_VALUE_BYTES:
        del told["value"]
        told["value_size_bytes"] = len(record.value)
        told["value_sha256"] = hashlib.sha256(record.value).hexdigest()
    return told


def told_batch(batch: BatchView) -> dict[str, Any]:
    """Return `batch` in the form of expected.json, without its place."""
    horizon = batch.base_timestamp_ms if batch.attributes & 0x40 else None
    return {
        "size_bytes": batch.size_bytes,
        "base_offset": batch.base_offset,
        "last_offset": batch.last_offset,
        "count": batch.record_count,
        "partition_leader_epoch": batch.leader_epoch,
        "magic": batch.magic,
        "crc": batch.crc,
        "compression": CODEC_NAMES[batch.codec],
        "timestamp_type": timestamp_type(batch),
        "max_timestamp_ms": batch.max_timestamp_ms,
        "producer_id": batch.producer_id,
        "producer_epoch": batch.producer_epoch,
        "base_sequence": batch.base_sequence,
        "is_transactional": batch.is_transactional,
        "is_control": batch.is_control,
        "delete_horizon_ms": horizon,
    }


def timestamp_type(batch: BatchView) -> str:
    return "LogAppendTime" if batch.is_log_append_time else "CreateTime"


def read_batches(log: logcore.Log, max_bytes: int) -> list[BatchView]:
    """Read all of `log` by calls of `read`, each from where the last ended."""
    batches: list[BatchView] = []
    offset = log.log_start_offset
    while data := log.read(offset, max_bytes):
        batches += iter_batches(data)
        offset = batches[-1].next_offset
    return batches


def told_records(batches: Iterable[BatchView]) -> list[dict[str, Any]]:
    """Return the records of all batches but the control batches, which are no data."""
    return [
        told_record(record, timestamp_type(batch))
        for batch in batches
        if not batch.is_control
        for record in batch.records()
    ]


def remove_indexes(path: Path) -> None:
    for index in [*path.glob("*.index"), *path.glob("*.timeindex")]:
        index.unlink()


def test_every_golden_folder_is_whole(name: str) -> None:
    sizes = {path.name: path.stat().st_size for path in partition_dir(name).iterdir()}
    assert sizes == load_expected(name)["files"]


@pytest.mark.parametrize("max_bytes", [1, 1000, 1 << 20])
def test_records_are_read_as_kafka_reads_them(copy: Path, name: str, max_bytes: int) -> None:
    expected = load_expected(name)
    with open_log(copy, name) as log:
        assert log.log_start_offset == expected["log_start_offset"]
        assert log.log_end_offset == expected["log_end_offset"]
        assert told_records(read_batches(log, max_bytes)) == expected["records"]


def test_batch_headers_are_read_as_kafka_reads_them(copy: Path, name: str) -> None:
    expected = load_expected(name)["batches"]
    with open_log(copy, name) as log:
        batches = [told_batch(batch) for batch in read_batches(log, 1 << 20)]
    place = {"file", "position"}
    assert batches == [
        {field: data for field, data in batch.items() if field not in place} for batch in expected
    ]


def test_each_file_alone_is_read_without_a_log(name: str) -> None:
    expected = load_expected(name)
    for path in sorted(partition_dir(name).glob("*.log")):
        data = path.read_bytes()
        told = [batch for batch in expected["batches"] if batch["file"] == path.name]
        positions, position = [], 0
        for batch in iter_batches(data):
            positions.append(position)
            position += batch.size_bytes
        assert positions == [batch["position"] for batch in told]
        assert position == len(data)
        assert sum(1 for _ in iter_records(data)) == sum(batch["count"] for batch in told)


def test_a_reader_gives_the_records_and_no_markers(copy: Path, name: str) -> None:
    expected = load_expected(name)
    kinds = {record["offset"]: record["timestamp_type"] for record in expected["records"]}
    with open_log(copy, name) as log:
        records = [
            told_record(record, kinds[record.offset]) for record in log.reader(log.log_start_offset)
        ]
    assert records == expected["records"]


def test_a_reader_may_start_at_every_offset(copy: Path, name: str) -> None:
    expected = load_expected(name)
    offsets = [record["offset"] for record in expected["records"]]
    with open_log(copy, name) as log:
        for start in range(log.log_start_offset, log.log_end_offset, 7):
            later = [offset for offset in offsets if offset >= start][:5]
            reader = iter(log.reader(start))
            assert [next(reader).offset for _ in later] == later


def test_columns_hold_the_same_records(copy: Path, name: str) -> None:
    expected = load_expected(name)
    records = {record["offset"]: record for record in expected["records"]}
    seen: list[int] = []
    with open_log(copy, name) as log:
        offset = log.log_start_offset
        while offset < log.log_end_offset:
            columns = log.read_columns(offset)
            seen += columns.offsets.tolist()
            for each, time_ms in zip(
                columns.offsets.tolist(), columns.timestamps_ms.tolist(), strict=True
            ):
                assert time_ms == records[each]["timestamp_ms"]
            assert columns.next_offset > offset
            offset = columns.next_offset
    assert seen == list(records)


@pytest.mark.parametrize("indexes", ["kept", "lost"])
def test_times_are_found_as_kafka_orders_them(copy: Path, name: str, indexes: str) -> None:
    if indexes == "lost":
        remove_indexes(copy)
    expected = load_expected(name)["records"]
    times = sorted({record["timestamp_ms"] for record in expected})
    with open_log(copy, name) as log:
        for time_ms in [times[0] - 1, *times[:: len(times) // 8 + 1], times[-1]]:
            first = next(each for each in expected if each["timestamp_ms"] >= time_ms)
            found = log.offset_for_timestamp(time_ms)
            assert found == (first["offset"], first["timestamp_ms"]), time_ms


def test_a_read_only_log_reads_them_and_leaves_the_folder_alone(copy: Path, name: str) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    expected = load_expected(name)
    with open_log(copy, name, read_only=True) as log:
        assert log.log_end_offset == expected["log_end_offset"]
        assert told_records(read_batches(log, 1 << 20)) == expected["records"]
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_kafkas_own_files_are_kept_as_they_were(copy: Path, name: str) -> None:
    with open_log(copy, name):
        pass
    originals = {path.name: path.read_bytes() for path in partition_dir(name).iterdir()}
    kept = {file: (copy / file).read_bytes() for file in originals}
    # Who takes a log over begins a new epoch, as a Kafka leader does.
    ours, theirs = (each.pop("leader-epoch-checkpoint") for each in (kept, originals))
    end = load_expected(name)["log_end_offset"]
    assert (theirs, ours) == (b"0\n1\n0 0\n", b"0\n2\n0 0\n1 %d\n" % end)
    # An active segment gets its last time index entry when it is rolled; Kafka adds it at a close.
    active = max(name for name in originals if name.endswith(".timeindex"))
    assert originals.pop(active).startswith(kept.pop(active))
    assert kept == originals


def test_topic_id_and_leader_epochs_are_read(copy: Path, name: str) -> None:
    expected = load_expected(name)
    topic_id = partition_metadata.read(str(copy / "partition.metadata"))
    text = (copy / "partition.metadata").read_text()
    assert f"topic_id: {expected['topic_id']}" in text
    partition_metadata.write(str(copy / "again"), topic_id)
    assert (copy / "again").read_text() == text
    epochs = {batch["partition_leader_epoch"] for batch in expected["batches"]}
    assert {
        epoch for epoch, _ in leader_epochs.read(str(copy / "leader-epoch-checkpoint"))
    } == epochs


def test_lost_indexes_are_made_anew(copy: Path, name: str) -> None:
    expected = load_expected(name)
    remove_indexes(copy)
    with open_log(copy, name) as log:
        assert told_records(read_batches(log, 1000)) == expected["records"]


@pytest.mark.parametrize("codec", sorted(CODEC_IDS))
def test_a_log_appends_after_them(copy: Path, name: str, codec: str) -> None:
    expected = load_expected(name)
    end = expected["log_end_offset"]
    with open_log(copy, name) as log:
        for number in range(3):
            builder = BatchBuilder(CODEC_IDS[codec])
            builder.append(1_800_000_000_000 + number, b"key", b"appended %d" % number)
            builder.append(1_800_000_000_000 + number, None, None, [("name", None)])
            assert log.append(builder.build()) == end + 2 * number
        log.flush()
    with open_log(copy, name) as log:
        assert log.log_end_offset == end + 6
        batches = read_batches(log, 1 << 20)
        assert told_records(batches)[:-6] == expected["records"]
        appended = [record for batch in batches[-3:] for record in batch.records()]
        assert [record.offset for record in appended] == list(range(end, end + 6))
        assert [record.value for record in appended[::2]] == [b"appended %d" % i for i in range(3)]
        assert [record.headers for record in appended[1::2]] == [[("name", None)]] * 3


def test_times_are_found_in_rolled_segments_after_a_recovery(tmp_path: Path) -> None:
    """A recovery from the .log files alone gives each sealed segment its last time, too."""
    properties = {"retention.ms": -1, "segment.ms": 600_000}
    times = [record["timestamp_ms"] for record in load_expected("rolled-by-time")["records"]]
    path = tmp_path / "t-0"
    with logcore.Log(path, LogConfig.from_properties(properties)) as log:
        for batch in producer_batches("rolled-by-time"):
            log.append(batch)
        before = [log.offset_for_timestamp(time_ms) for time_ms in times]
        segments = log.segments()
    assert len(segments) == 3
    assert before == list(enumerate(times))
    copied = tmp_path / "copy" / "t-0"
    copied.mkdir(parents=True)
    for original in path.glob("*.log"):
        shutil.copy(original, copied)
    with logcore.Log(copied, LogConfig.from_properties(properties)) as log:
        assert [log.offset_for_timestamp(time_ms) for time_ms in times] == before
        largest = [segment.largest_timestamp_ms for segment in log.segments()]
    assert largest == [segment.largest_timestamp_ms for segment in segments]


def producer_batches(name: str) -> list[bytes]:
    """Return the batches of a golden partition as their producer sent them: base offset 0."""
    data = b"".join(path.read_bytes() for path in sorted(partition_dir(name).glob("*.log")))
    return [bytes(8) + bytes(batch.data)[8:] for batch in iter_batches(data)]


@pytest.mark.parametrize(
    "kept",
    ["none", "gzip", "snappy", "lz4", "zstd", "librdkafka", "rolled-by-time", "rolled-by-index"],
)
def test_the_same_batches_give_kafkas_files(tmp_path: Path, kept: str) -> None:
    path = tmp_path / f"{kept}-0"
    with open_log(path, kept) as log:
        for batch in producer_batches(kept):
            log.append(batch)
        log.flush()
    originals = sorted(partition_dir(kept).glob("*.log"))
    assert [each.name for each in sorted(path.glob("*.log"))] == [each.name for each in originals]
    for original in originals:
        assert (path / original.name).read_bytes() == original.read_bytes(), original.name
        index = original.with_suffix(".index")
        assert (path / index.name).read_bytes() == index.read_bytes(), index.name
    # The active segment's last time index entry is written when it is rolled, or by Kafka's close.
    for original in originals[:-1]:
        time_index = original.with_suffix(".timeindex")
        assert (path / time_index.name).read_bytes() == time_index.read_bytes(), time_index.name


@pytest.mark.parametrize("kept", ["everything", "the log alone"])
def test_committed_records_are_those_that_kafka_hands_out(tmp_path: Path, kept: str) -> None:
    """With Kafka's transaction index and snapshots, and from the markers in the log alone."""
    copy = tmp_path / "transactions-0"
    shutil.copytree(partition_dir("transactions"), copy)
    expected = load_expected("transactions")
    if kept == "the log alone":
        for path in [*copy.glob("*.txnindex"), *copy.glob("*.snapshot")]:
            path.unlink()
    with open_log(copy, "transactions") as log:
        records = [record.offset for record in log.reader(0, read_committed=True)]
        assert log.last_stable_offset == expected["log_end_offset"]
    assert records == expected["committed_offsets"]
    index = copy / "00000000000000000002.txnindex"
    original = partition_dir("transactions") / index.name
    assert index.read_bytes() == original.read_bytes()


def test_producers_are_known_as_kafka_noted_them(tmp_path: Path) -> None:
    source = partition_dir("transactions")
    copy = tmp_path / "transactions-0"
    shutil.copytree(source, copy)
    (last,) = producer_snapshots.decode((source / "00000000000000000015.snapshot").read_bytes())
    for path in copy.glob("*.snapshot"):
        path.unlink()
    with open_log(copy, "transactions") as log:
        (known,) = log.producers()
    # A log that was recovered counts its producers' day from then.
    assert dataclasses.replace(known, last_timestamp_ms=last.last_timestamp_ms) == last
