"""Log.read_slice: whole batches of the mapping; the same bytes as read, without a copy."""

import gc
import os
from pathlib import Path

import pytest
from partition_files import append_values, log_file, make_batch, seeded_random, with_header

from logcore.batch import BatchBuilder, iter_batches
from logcore.compaction import compact
from logcore.config import LogConfig
from logcore.errors import CorruptRecordError, OffsetOutOfRangeError
from logcore.log import Log
from logcore.slices import Slice


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def values_of(data: object) -> list[bytes]:
    return [record.value for batch in iter_batches(data) for record in batch.records()]


def slice_of(log: Log, offset: int, max_bytes: int = 1 << 20, end_offset: int = 1 << 60) -> Slice:
    found = log.read_slice(offset, max_bytes, end_offset)
    assert found is not None
    return found


def append_transactional(log: Log, sequence: int, *values: bytes) -> int:
    builder = BatchBuilder()
    builder.set_producer(7, 0, sequence, True)
    for value in values:
        builder.append(1, None, value)
    return log.append(builder.build())


def test_slices_are_what_read_copies(path: Path) -> None:
    rng = seeded_random("slices")
    with Log(path, LogConfig(index_interval_bytes=64)) as log:
        for i in range(300):
            append_values(log, *(b"%d" % i for _ in range(rng.randint(1, 5))))
            if rng.random() < 0.05:
                log.roll()
        for _ in range(300):
            offset, size = rng.randrange(log.log_end_offset), rng.choice([1, 100, 1000, 100_000])
            found = slice_of(log, offset, size)
            assert bytes(found) == found.tobytes() == log.read(offset, size)
            batches = list(iter_batches(bytes(found)))
            assert found.base_offset == batches[0].base_offset <= offset
            assert found.next_offset == batches[-1].next_offset > offset


def test_slices_follow_a_log_over_rolls_to_its_end_and_on(path: Path) -> None:
    with Log(path, LogConfig(index_interval_bytes=0)) as log:
        offset = 0
        for i in range(20):
            assert log.read_slice(offset, 1 << 20) is None
            append_values(log, b"%d" % i)
            if i % 3 == 2:
                log.roll()
            found = slice_of(log, offset)
            assert values_of(bytes(found)) == [b"%d" % i]
            offset = found.next_offset


def test_the_first_batch_may_be_larger_than_the_limit_and_no_other(path: Path) -> None:
    with Log(path) as log:
        append_values(log, bytes(1000))
        append_values(log, bytes(1000))
        assert slice_of(log, 0, 1).next_offset == 1
        assert slice_of(log, 0, len(make_batch([bytes(1000)])) + 1).next_offset == 1
        assert log.read_slice(0, 1, at_least_one=False) is None
        assert log.read_slice(0, -5, at_least_one=False) is None


def test_an_offset_inside_a_batch_gets_the_whole_batch(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a", b"b", b"c")
        append_values(log, b"d")
        found = slice_of(log, 2)
        assert (found.base_offset, found.next_offset) == (0, 4)
        log.delete_records(2)
        assert slice_of(log, 2).base_offset == 0


def test_batches_from_the_end_offset_on_are_left_out(path: Path) -> None:
    with Log(path) as log:
        for value in (b"a", b"b", b"c"):
            append_values(log, value)
        assert slice_of(log, 0, end_offset=2).next_offset == 2
        assert log.read_slice(2, 1 << 20, 2) is None
        assert log.read_slice(3, 1 << 20) is None


def test_a_slice_says_whether_transactions_are_in_it(path: Path) -> None:
    with Log(path) as log:
        append_values(log, b"a")
        append_transactional(log, 0, b"b")
        log.append_marker(7, 0, True)
        assert not slice_of(log, 0, end_offset=1).has_transactional
        assert slice_of(log, 0).has_transactional
        assert slice_of(log, 2).has_transactional


def test_offsets_outside_of_the_log_are_refused(path: Path) -> None:
    with Log(path) as log:
        for value in (b"a", b"b", b"c"):
            append_values(log, value)
        offset = slice_of(log, 0, end_offset=1).next_offset
        log.delete_records(2)
        for wrong in (offset, 0, 4, -1):
            with pytest.raises(OffsetOutOfRangeError):
                log.read_slice(wrong, 1 << 20)


def test_a_slice_outlives_the_deletion_of_its_segment_and_the_log(path: Path) -> None:
    log = Log(path)
    append_values(log, b"kept")
    log.roll()
    append_values(log, b"next")
    found = slice_of(log, 0)
    view = memoryview(found)
    log.delete_records(1)
    log.close()
    assert not log_file(path).exists()
    del log, found
    gc.collect()
    assert values_of(bytes(view)) == [b"kept"]


def test_after_a_compaction_slices_are_of_the_new_segments(path: Path) -> None:
    config = LogConfig(cleanup_policy="compact", min_cleanable_dirty_ratio=0)
    with Log(path, config) as log:
        for i in range(10):
            log.append(make_batch([b"%d" % i], key=b"k"))
        log.roll()
        log.append(make_batch([b"end"], key=b"k"))
        first = slice_of(log, 0, 1)
        log.flush()
        compact(log)
        found = slice_of(log, first.next_offset)
        assert found.segment_list_generation > first.segment_list_generation
        assert values_of(bytes(found)) == [b"9"]
        assert values_of(bytes(slice_of(log, found.next_offset))) == [b"end"]


@pytest.mark.parametrize(
    ("fields", "position"),
    [
        ({"magic": 1}, 0),
        ({"batch_length": 10}, 0),
        ({"batch_length": 1 << 20}, 0),
        ({"base_offset": 5}, 0),
        ({"leader_epoch": 9}, 0),
    ],
)
def test_a_damaged_header_is_an_error_and_what_stands_before_it_is_handed_out(
    path: Path, fields: dict[str, int], position: int
) -> None:
    batch = make_batch([b"value"])
    with Log(path) as log:
        append_values(log, b"sound")
        append_values(log, b"value")
        damaged = with_header(batch, **{"base_offset": 1, "leader_epoch": 0, **fields})
        fd = os.open(log_file(path), os.O_WRONLY)
        os.pwrite(fd, damaged, len(make_batch([b"sound"])))
        os.close(fd)
        assert values_of(bytes(slice_of(log, 0))) == [b"sound"]
        with pytest.raises(CorruptRecordError):
            log.read_slice(1, 1 << 20)


def test_a_file_that_was_shortened_is_an_error(path: Path) -> None:
    with Log(path) as log:
        append_values(log, bytes(20_000))
        append_values(log, bytes(20_000))
        found = slice_of(log, 0)
        os.truncate(log_file(path), 0)
        with pytest.raises(CorruptRecordError):
            found.tobytes()
        with pytest.raises(CorruptRecordError):
            log.read_slice(1, 1 << 20)


def test_many_readers_at_many_places(path: Path) -> None:
    with Log(path) as log:
        for i in range(1000):
            append_values(log, b"%d" % i)
        offsets = list(range(700))
        for _ in range(300):
            offsets = [slice_of(log, offset, 1).next_offset for offset in offsets]
        assert offsets == list(range(300, 1000))


def test_the_aborted_transactions_of_a_range_as_the_log_grows_and_rolls(path: Path) -> None:
    with Log(path) as log, Log(path) as other:
        assert log.aborted_transactions(0, 100) == []
        expected = []
        for i in range(12):
            first = append_transactional(other, i, b"x")
            if i % 4 == 3:
                other.roll()
            last = other.append_marker(7, 0, i % 3 == 0)
            if i % 3:
                expected.append((7, first, last))
            assert log.aborted_transactions(0, log.log_end_offset) == expected
        middle = expected[3][1]
        assert log.aborted_transactions(middle, log.log_end_offset) == expected[3:]
        assert log.aborted_transactions(0, middle) == expected[:3]
        assert log.aborted_transactions(middle, middle + 1) == expected[3:4]


def test_the_largest_timestamp_and_the_first_record_that_has_it(path: Path) -> None:
    with Log(path) as log:
        assert log.max_timestamp() is None
        for time_ms in (100, 300, 200):
            log.append(make_batch([b"v", b"w"], timestamp_ms=time_ms))
        assert log.max_timestamp() == (2, 300)
        log.roll()
        log.append(make_batch([b"v"], timestamp_ms=250))
        assert log.max_timestamp() == (2, 300)
        log.append(make_batch([b"v"], timestamp_ms=300))
        assert log.max_timestamp() == (2, 300)
        log.append(make_batch([b"v"], timestamp_ms=301))
        assert log.max_timestamp() == (8, 301)


def test_a_marker_may_have_the_largest_timestamp(path: Path) -> None:
    with Log(path) as log:
        append_transactional(log, 0, b"x")
        log.append_marker(7, 0, True, timestamp_ms=500)
        assert log.max_timestamp() == (1, 500)
        log.delete_records(1)
        assert log.max_timestamp() == (1, 500)
