"""Scanning a segment's bytes, and looking for a valid batch after a bad one."""

from pathlib import Path

import pytest
from partition_files import TIME_MS, make_batch, with_header

from logcore import recovery
from logcore.index import OffsetIndex, TimeIndex
from logcore.scan import scan_segment, search_batch

BATCH = make_batch([b"v" * 20])
SIZE = len(BATCH)


def batch_at(offset: int, **fields: int) -> bytes:
    fields = {"base_offset": offset, "leader_epoch": 0} | fields
    return with_header(BATCH, max_timestamp_ms=TIME_MS + offset, **fields)


def scan(path: Path, interval: int = 0, allows_gaps: bool = False) -> dict:  # type: ignore[type-arg]
    begin = recovery.empty_commit(0) | {"last_epoch": -1, "index_interval_bytes": interval}
    return scan_segment(str(path), 0, begin, allows_gaps)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / f"{0:020}.log"


def test_a_sound_segment_is_scanned_to_its_end(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"".join(batch_at(offset) for offset in range(10)))
    found = scan(file)
    assert (found["reason"], found["end_position"], found["log_end_offset"]) == (
        None,
        10 * SIZE,
        10,
    )
    assert (found["batch_count"], found["record_count"]) == (10, 10)
    assert (found["max_timestamp_ms"], found["max_timestamp_offset"]) == (TIME_MS + 9, 9)
    (tmp_path / "i").write_bytes(found["offset_entries"])
    assert OffsetIndex(str(tmp_path / "i"), 0).entries() == [(i, i * SIZE) for i in range(1, 10)]
    (tmp_path / "t").write_bytes(found["time_entries"])
    assert TimeIndex(str(tmp_path / "t"), 0).entries() == [(TIME_MS + i, i) for i in range(1, 10)]


@pytest.mark.parametrize("interval", [0, SIZE, 3 * SIZE, 1 << 20])
def test_a_scan_in_two_parts_finds_what_one_finds(file: Path, interval: int) -> None:
    data = b"".join(batch_at(offset) for offset in range(20))
    file.write_bytes(data[: 7 * SIZE])
    first = scan(file, interval)
    file.write_bytes(data)
    entries = first.pop("offset_entries"), first.pop("time_entries")
    second = scan_segment(str(file), 0, first)
    whole = scan(file, interval)
    assert entries[0] + second["offset_entries"] == whole["offset_entries"]
    assert entries[1] + second["time_entries"] == whole["time_entries"]
    assert second["unindexed_bytes"] == whole["unindexed_bytes"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (batch_at(1)[:-1], "claims more bytes"),
        (batch_at(1, crc=5), "CRC"),
        (batch_at(1, magic=1), "magic"),
        (batch_at(2), "base offset"),
        (batch_at(0), "base offset"),
        (batch_at(1, leader_epoch=-5), "epoch"),
        (bytes(500), "magic"),
        (bytes(30), "claims more bytes"),
    ],
)
def test_it_stops_before_what_does_not_pass(file: Path, bad: bytes, reason: str) -> None:
    file.write_bytes(batch_at(0) + bad)
    found = scan(file)
    assert (found["end_position"], found["log_end_offset"]) == (SIZE, 1)
    assert reason in found["reason"]


def test_gaps_are_taken_where_they_are_allowed(file: Path) -> None:
    file.write_bytes(batch_at(3) + batch_at(9))
    assert scan(file, allows_gaps=True)["log_end_offset"] == 10
    assert scan(file)["log_end_offset"] == 0


def test_a_valid_batch_is_found_wherever_it_begins(file: Path) -> None:
    for distance in (1, 7, 61, 500, 1000):
        file.write_bytes(batch_at(0) + b"\x02" * distance + batch_at(5))
        assert search_batch(str(file), SIZE, 1) == (SIZE + distance, False)
        assert search_batch(str(file), SIZE, 6) == (None, False)


def test_an_empty_rest_holds_nothing(file: Path) -> None:
    file.write_bytes(batch_at(0))
    assert search_batch(str(file), SIZE, 1) == (None, False)
    file.write_bytes(b"")
    assert search_batch(str(file), 0, 0) == (None, False)


def test_a_sector_of_zeros_reads_as_never_written(file: Path) -> None:
    padding = b"x" * (2048 - SIZE)
    for begin, end, is_unwritten in (
        (512, 1024, True),
        (513, 1024, False),
        (512, 1023, False),
        (600, 1600, True),
        (600, 1500, False),
    ):
        data = bytearray(batch_at(0) + padding + batch_at(5))
        data[begin:end] = bytes(end - begin)
        file.write_bytes(data)
        assert search_batch(str(file), SIZE, 1) == (2048, is_unwritten)
