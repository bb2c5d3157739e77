"""The .sum of a sealed segment: written once, and any flipped bit is found and placed."""

from pathlib import Path

import pytest
from partition_files import append_values, log_file

from logcore import seal
from logcore.errors import CorruptRecordError
from logcore.log import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two sealed segments, at 0 and 1."""
    with Log(tmp_path / "p") as log:
        for size in (10, 200_000):
            append_values(log, bytes(size))
            log.roll()
        assert log.seal_checksums() == 2
        assert log.seal_checksums() == 0
    return tmp_path / "p"


def test_only_sealed_segments_have_a_sum(path: Path) -> None:
    assert sorted(file.name for file in path.glob("*.sum")) == [f"{i:020}.sum" for i in (0, 1)]
    assert not list(path.glob("*.tmp"))
    assert [seal.verify(str(path), base) for base in (0, 1, 2)] == [True, True, False]


def test_every_flipped_bit_is_found(path: Path) -> None:
    good = log_file(path).read_bytes()
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        log_file(path).write_bytes(flipped)
        with pytest.raises(CorruptRecordError):
            seal.verify(str(path), 0)


@pytest.mark.parametrize(("at", "block"), [(0, 0), (65_535, 0), (65_536, 1), (190_000, 2)])
def test_the_first_bad_block_is_named(path: Path, at: int, block: int) -> None:
    data = bytearray(log_file(path, 1).read_bytes())
    data[at] ^= 1
    data[-1] ^= 1
    log_file(path, 1).write_bytes(data)
    with pytest.raises(CorruptRecordError) as caught:
        seal.verify(str(path), 1)
    assert caught.value.position == block * 65_536


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x", lambda _: b""]
)
def test_another_size_is_found(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    log_file(path, 1).write_bytes(change(log_file(path, 1).read_bytes()))
    with pytest.raises(CorruptRecordError):
        seal.verify(str(path), 1)


def test_a_segment_deleted_meanwhile_is_passed_over(path: Path) -> None:
    assert seal.write_missing(str(path), [0, 1, 77]) == 0


def test_a_leftover_of_a_killed_program_is_no_obstacle(path: Path) -> None:
    import os

    log_file(path, 0, ".sum").unlink()
    log_file(path, 0, f".sum.{os.getpid()}.tmp").write_text("half a")
    assert seal.write_missing(str(path), [0]) == 1
    assert seal.verify(str(path), 0)
