"""Lag: what a group has yet to read, without the markers that nobody reads."""

import random

import pytest

from logcore.batch import BatchBuilder
from logcore.log import Log
from pylog.group.lag import data_end_offset, lag_of


@pytest.fixture
def log(tmp_path):
    with Log(tmp_path / "t-0") as opened:
        yield opened


def write(log, count, producer=None, value=b"v"):
    builder = BatchBuilder()
    for _ in range(count):
        builder.append(1000, None, value)
    if producer is not None:
        builder.set_producer(*producer, True)
    log.append(builder.build())


def test_lag_counts_up_to_the_end_of_plain_records(log):
    write(log, 10)
    assert [lag_of(log, offset) for offset in (0, 4, 10)] == [10, 6, 0]


def test_who_has_read_all_before_a_marker_has_no_lag(log):
    write(log, 3, (1, 0, 0))
    log.append_marker(1, 0, True)
    assert log.log_end_offset == 4
    assert [lag_of(log, offset) for offset in (0, 2, 3, 4)] == [3, 1, 0, 0]


def test_an_offset_behind_the_end_has_a_lag_below_zero(log):
    write(log, 3)
    assert lag_of(log, 10) == -7


def test_an_empty_log_has_no_lag(log):
    assert lag_of(log, 0) == 0
    assert data_end_offset(log, 0) == 0


def test_what_was_deleted_counts_to_who_has_not_read_it(log):
    write(log, 10)
    log.delete_records(6)
    assert lag_of(log, 2) == 8
    log.delete_records(10)
    assert lag_of(log, 2) == 8


def test_data_is_found_behind_any_number_of_markers(log):
    write(log, 5, value=b"v" * 1000)
    write(log, 2, (1, 0, 0))
    for _ in range(300):  # more than one look back, each into earlier batches
        log.append_marker(1, 0, False)
    assert data_end_offset(log, 0) == 7
    assert lag_of(log, 6) == 1
    assert lag_of(log, 7) == 0


def test_any_log_has_the_data_end_that_reading_it_all_finds(log):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    generator = random.Random(seed)
    data_end, sequences = 0, {1: 0, 2: 0}
    for _ in range(200):
        producer_id = generator.choice((1, 2))
        if generator.random() < 0.7:
            log.append_marker(producer_id, 0, generator.random() < 0.5)
        else:
            count = generator.randrange(1, 20)
            write(log, count, (producer_id, 0, sequences[producer_id]))
            sequences[producer_id] += count
            data_end = log.log_end_offset
        offset = generator.randrange(log.log_end_offset + 1)
        expected = max(0, data_end - offset) if offset < log.log_end_offset else 0
        assert lag_of(log, offset) == expected
