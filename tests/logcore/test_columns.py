"""Columns are the same records as the reader's, whatever the batches look like."""

from pathlib import Path

import numpy
import pytest
from partition_files import append_values, make_batch, seeded_random

from logcore import codecs
from logcore.batch import BatchBuilder
from logcore.log import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def random_batch(rng, codec: int) -> bytes:  # type: ignore[no-untyped-def]
    builder = BatchBuilder(codec)
    for _ in range(rng.randrange(1, 20)):
        key, value = (
            None if rng.random() < 0.2 else rng.randbytes(rng.choice([0, 1, 8, 300]))
            for _ in range(2)
        )
        headers = [("h", b"x"), ("n", None)] if rng.random() < 0.2 else None
        builder.append(rng.randrange(10**12), key, value, headers)
    return builder.build()


@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [0, 1, 2, 3, 4]])
def test_columns_and_the_reader_agree_on_random_logs(path: Path, kinds: list[int]) -> None:
    rng = seeded_random(f"columns {kinds}")
    with Log(path) as log:
        for _ in range(60):
            log.append(random_batch(rng, rng.choice(kinds)))
            if rng.random() < 0.1:
                log.roll()
        expected = [(r.offset, r.timestamp_ms, r.key, r.value) for r in log.reader(0)]
        for start in (0, 1, rng.randrange(len(expected)), len(expected) - 1, len(expected)):
            found = []
            offset = start
            while offset < log.log_end_offset:
                max_records, max_bytes = rng.choice([1, 10, 1000]), rng.choice([1, 500, 1 << 20])
                columns = log.read_columns(offset, max_records, max_bytes)
                assert columns.next_offset > offset
                offset = columns.next_offset
                found += [
                    (int(o), int(t), columns.key(row), columns.value(row))
                    for row, (o, t) in enumerate(
                        zip(columns.offsets, columns.timestamps_ms, strict=True)
                    )
                ]
            assert found == expected[start:]


def test_the_arrays_say_where_the_bytes_lie(path: Path) -> None:
    with Log(path) as log:
        log.append(make_batch([b"one", None, b""], key=b"key"))
        columns = log.read_columns(0)
        assert [array.dtype for array in (columns.offsets, columns.timestamps_ms)] == ["i8", "i8"]
        assert columns.value_sizes.tolist() == [3, -1, 0]
        assert columns.key_sizes.tolist() == [3, 3, 3]
        at = columns.value_positions[0]
        assert bytes(memoryview(columns.buffer)[at : at + 3]) == b"one"
        assert numpy.frombuffer(columns.buffer, "u1")[at] == ord("o")


def test_at_the_log_end_columns_are_empty(path: Path) -> None:
    with Log(path) as log:
        for end in range(3):
            columns = log.read_columns(end)
            assert (len(columns), columns.next_offset) == (0, end)
            append_values(log, b"v")
            log.roll()


def test_max_bytes_bounds_what_is_unpacked(path: Path) -> None:
    big = make_batch([bytes(1 << 20)], codec=codecs.ZSTD)
    with Log(path) as log:
        for _ in range(50):
            log.append(big)
        columns = log.read_columns(0, max_bytes=3 << 20)
        assert len(columns.buffer) < 6 << 20
        total, offset = 0, 0
        while offset < 50:
            columns = log.read_columns(offset, max_bytes=3 << 20)
            assert columns.offsets[0] == offset
            total += len(columns)
            offset = columns.next_offset
        assert total == 50


def test_the_buffer_outlives_the_log_and_its_files(path: Path) -> None:
    log = Log(path)
    append_values(log, b"still here")
    columns = log.read_columns(0)
    log.close()
    for file in path.glob("*.log"):
        file.unlink()
    assert columns.value(0) == b"still here"
