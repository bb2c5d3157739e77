"""LogReader and read: nothing corrupt is ever handed out, whatever happened to the file."""

import faulthandler
import os
from pathlib import Path

import pytest
from partition_files import (
    append_values,
    log_file,
    make_batch,
    read_values,
    seeded_random,
    told,
    with_header,
)

from logcore import codecs
from logcore.batch import iter_batches
from logcore.errors import CorruptRecordError, InvalidRecordError, LogError
from logcore.log import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def put_file(path: Path, data: bytes) -> None:
    """Change the log's file in place, as nobody should."""
    fd = os.open(log_file(path), os.O_WRONLY)
    os.pwrite(fd, data, 0)
    os.close(fd)


def read_raw(log: Log) -> list[bytes]:
    values: list[bytes] = []
    offset = 0
    while data := log.read(offset, 1 << 20):
        for batch in iter_batches(data):
            values += [record.value for record in batch.records()]
            offset = batch.next_offset
    return values


def read_columns(log: Log) -> list[bytes]:
    values: list[bytes] = []
    offset = 0
    while offset < log.log_end_offset:
        part = log.read_columns(offset)
        values += [part.value(row) for row in range(len(part))]
        offset = part.next_offset
    return values


READS = [read_values, read_raw, read_columns]


def test_a_reader_follows_a_growing_log_over_rolls(path: Path) -> None:
    with Log(path) as log:
        reader = log.reader(0)
        assert list(reader) == []
        for i in range(30):
            append_values(log, b"%d" % i)
            if i % 3 == 2:
                log.roll()
            assert [record.value for record in reader] == [b"%d" % i]
            assert reader.next_offset == i + 1


def test_a_reader_may_go_back_and_forth(path: Path) -> None:
    rng = seeded_random("seek")
    with Log(path) as log:
        for i in range(100):
            append_values(log, *(b"%d" % (3 * i + j) for j in range(3)))
            if rng.random() < 0.1:
                log.roll()
        reader = log.reader(0, 4096)
        for _ in range(300):
            offset = rng.randrange(301)
            reader.seek(offset)
            count = rng.randrange(1, 10)
            wanted = [b"%d" % i for i in range(offset, min(offset + count, 300))]
            assert [next(reader).value for _ in wanted] == wanted
        reader.seek(300)
        assert list(reader) == []


@pytest.mark.parametrize("codec", [0, codecs.LZ4])
def test_every_flipped_bit_of_a_segment_is_found_or_harmless(path: Path, codec: int) -> None:
    """Harmless: the same answer. Of the epoch, which has no CRC, a change must be found."""
    values = [b"value %d" % i for i in range(6)]
    with Log(path) as log:
        for i in range(0, 6, 2):
            log.append(make_batch(values[i : i + 2], codec=codec))
        good = log_file(path).read_bytes()
        for bit in range(len(good) * 8):
            flipped = bytearray(good)
            flipped[bit // 8] ^= 1 << bit % 8
            put_file(path, bytes(flipped))
            for read in READS:
                with pytest.raises((CorruptRecordError, InvalidRecordError)):
                    read(log)
        put_file(path, good)
        assert [read(log) for read in READS] == [values] * 3


def test_a_corrupt_batch_is_reported_with_its_place_each_time(path: Path) -> None:
    with Log(path) as log:
        for i in range(3):
            append_values(log, b"%d" % i)
        size = log.size_bytes // 3
        bad = bytearray(log_file(path).read_bytes())
        bad[size + 65] ^= 1
        put_file(path, bytes(bad))
        reader = log.reader(0)
        assert next(reader).value == b"0"
        for _ in range(2):
            with pytest.raises(CorruptRecordError) as caught:
                next(reader)
            assert (caught.value.position, caught.value.offset) == (size, 1)
            assert caught.value.path == str(log_file(path))
        reader.seek(2)
        assert next(reader).value == b"2"


def test_garbage_is_corrupt(path: Path) -> None:
    rng = seeded_random("garbage")
    with Log(path) as log:
        append_values(log, b"x" * 3000)
        size = log.size_bytes
        for garbage in (bytes(size), b"\xff" * size, b"\x02" * size, rng.randbytes(size)):
            put_file(path, garbage)
            for read in (lambda: read_values(log), lambda: log.read(0, 100)):
                with pytest.raises(CorruptRecordError):
                    read()
            with pytest.raises(CorruptRecordError):
                log.read_columns(0)


@pytest.mark.parametrize("has_faulthandler", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 4095, 4096, 5000, 100_000])
def test_a_file_shortened_under_the_reader_is_corrupt(
    path: Path, kept: int, has_faulthandler: bool
) -> None:
    with Log(path) as log:
        for _ in range(10):
            append_values(log, b"x" * 20_000)
        reader = log.reader(0, 4096)
        next(reader)
        columns = log.read_columns(0)
        if has_faulthandler:
            was_enabled = faulthandler.is_enabled()
            faulthandler.enable()  # takes the handler of SIGBUS
        os.truncate(log_file(path), kept)
        with pytest.raises(CorruptRecordError):
            list(reader)
        with pytest.raises(CorruptRecordError):
            list(log.reader(9))
        with pytest.raises(CorruptRecordError):
            log.read(9, 100)
        with pytest.raises(CorruptRecordError):
            log.read_columns(5)
        if kept < 8192:  # whole pages of it are gone
            with pytest.raises(CorruptRecordError):
                columns.value(9)
        if has_faulthandler and not was_enabled:
            faulthandler.disable()


def test_a_lost_segment_is_told_from_deleted_records(path: Path) -> None:
    with Log(path) as log:
        for i in range(3):
            append_values(log, b"%d" % i)
            log.roll()
        log_file(path, 1).unlink()
    with Log(path) as log, pytest.raises(CorruptRecordError, match="begins at 2"):
        read_values(log)


def forged_log(path: Path, batch: bytes, last_offset_delta: int) -> Log:
    """A log whose first batch no client could have appended."""
    with Log(path):
        pass
    data = with_header(batch, leader_epoch=0)
    following = with_header(make_batch([b"after"]), base_offset=last_offset_delta + 1)
    following = with_header(following, leader_epoch=0)
    log_file(path).write_bytes(data + following)
    (path / ".state").unlink()
    return Log(path)


@pytest.mark.parametrize("delta", [5, -1, 2**31 - 1])
def test_a_record_outside_its_batch_hides_no_others(path: Path, delta: int) -> None:
    raw = (delta << 1) ^ (delta >> 31)
    varint = b""
    while raw >= 0x80:
        varint, raw = varint + bytes([raw & 0x7F | 0x80]), raw >> 7
    record = b"\0\0" + varint + bytes([raw]) + b"\x01\x01\0"
    data = make_batch([b"v"])[:61] + bytes([len(record) << 1]) + record
    with forged_log(path, with_header(data, batch_length=len(data) - 12), 0) as log:
        for read in (lambda: read_values(log), lambda: log.read_columns(0)):
            with pytest.raises(CorruptRecordError):
                read()
        assert read_values(log, 1) == [b"after"]


@pytest.mark.parametrize("codec", sorted(codecs.CODEC_NAMES))
def test_a_batch_that_claims_more_records_than_it_has_is_an_error(path: Path, codec: int) -> None:
    batch = with_header(make_batch([b"x" * 50], codec=codec), record_count=3, last_offset_delta=2)
    with forged_log(path, batch, 2) as log:
        for read in (lambda: read_values(log), lambda: log.read_columns(0)):
            with pytest.raises((CorruptRecordError, InvalidRecordError)):
                read()
        assert read_values(log, 3) == [b"after"]


@pytest.mark.parametrize("codec", sorted(codecs.CODEC_NAMES)[1:])
def test_a_decompression_bomb_is_an_error(path: Path, codec: int) -> None:
    packed = codecs.compress(codec, bytes(70 << 20))
    head = make_batch([b"v"], codec=codec)[:61]
    batch = with_header(head + packed, batch_length=49 + len(packed))
    with forged_log(path, batch, 0) as log:
        for read in (lambda: read_values(log), lambda: log.read_columns(0)):
            with pytest.raises(InvalidRecordError):
                read()
        assert read_values(log, 1) == [b"after"]


def test_lost_and_garbage_indexes_are_harmless(path: Path) -> None:
    rng = seeded_random("garbage index under the reader")
    with Log(path) as log:
        for i in range(100):
            append_values(log, b"%d" % i, bytes(200))
        index, time_index = log_file(path, 0, ".index"), log_file(path, 0, ".timeindex")
        size = index.stat().st_size
        assert size > 0
        for garbage in (b"", bytes(size), b"\xff" * size, rng.randbytes(size), rng.randbytes(size)):
            index.write_bytes(garbage)
            time_index.write_bytes(garbage)
            for offset in range(0, 200, 7):
                assert next(log.reader(offset)).offset == offset
            with pytest.raises(LogError):
                log.reader(201)
        index.unlink()
        assert next(log.reader(199)).offset == 199


def test_control_batches_are_passed_over_and_counted(path: Path) -> None:
    marker = with_header(make_batch([b"marker"]), attributes=0x20)
    with forged_log(path, marker, 0) as log:
        assert [told(record)[0] for record in log.reader(0)] == [1]
        assert log.read_columns(0).offsets.tolist() == [1]


def test_batches_emptied_by_compaction_and_gaps_are_read(path: Path) -> None:
    from logcore.config import LogConfig

    path.mkdir()
    empty = with_header(
        make_batch([b"v"])[:61], batch_length=49, record_count=0, last_offset_delta=4
    )
    kept = with_header(make_batch([b"kept"]), base_offset=9)
    log_file(path).write_bytes(empty + kept)
    with Log(path, LogConfig(cleanup_policy="compact")) as log:
        assert log.log_end_offset == 10
        for offset in range(10):
            assert [record.offset for record in log.reader(offset)] == [9]
            assert log.read_columns(offset).offsets.tolist() == [9]
