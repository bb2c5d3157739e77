"""Index look-ups against a plain search, and files that are not there, short or garbage."""

import struct
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_files import seeded_random

from logcore.index import OffsetIndex, TimeIndex

BASE_OFFSET = 1000
RISING = st.lists(st.integers(0, 2**31 - 1), max_size=40, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(offsets=RISING, target=st.integers(0, 2**31 - 1))
def test_the_position_is_that_of_the_last_entry_at_or_below(
    tmp_path_factory: pytest.TempPathFactory, offsets: list[int], target: int
) -> None:
    path = tmp_path_factory.mktemp("index") / "00.index"
    path.write_bytes(b"".join(struct.pack(">II", each, i + 1) for i, each in enumerate(offsets)))
    index = OffsetIndex(str(path), BASE_OFFSET)
    assert index.entry_count == len(offsets)
    assert index.lookup(BASE_OFFSET + target) == bisect_right(offsets, target)
    assert index.lookup(BASE_OFFSET - 1) == 0
    assert index.entries() == [(BASE_OFFSET + each, i + 1) for i, each in enumerate(offsets)]


@settings(max_examples=60, deadline=None)
@given(times=RISING, target=st.integers(0, 2**31 - 1))
def test_no_record_before_the_offset_found_is_at_or_after_the_time(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], target: int
) -> None:
    path = tmp_path_factory.mktemp("index") / "00.timeindex"
    path.write_bytes(b"".join(struct.pack(">qI", each, i * 10) for i, each in enumerate(times)))
    index = TimeIndex(str(path), BASE_OFFSET)
    older = [i * 10 for i, each in enumerate(times) if each < target]
    assert index.lookup(target) == BASE_OFFSET + (older[-1] if older else 0)
    assert index.last_timestamp_ms() == (times[-1] if times else None)


@pytest.mark.parametrize("kind", [OffsetIndex, TimeIndex])
def test_a_missing_or_empty_file_is_an_index_without_entries(tmp_path: Path, kind: type) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("missing", "empty"):
        index = kind(str(tmp_path / name), BASE_OFFSET)
        assert (index.entry_count, index.entries()) == (0, [])
        index.lookup(BASE_OFFSET)


def test_only_whole_and_published_entries_count(tmp_path: Path) -> None:
    path = tmp_path / "00.index"
    path.write_bytes(struct.pack(">IIII", 5, 50, 9, 90) + b"\xff\xff\xff")
    assert OffsetIndex(str(path), 0).lookup(10**6) == 90
    assert OffsetIndex(str(path), 0, 15).lookup(10**6) == 50
    assert OffsetIndex(str(path), 0, 0).lookup(10**6) == 0


def test_garbage_finds_something_and_breaks_nothing(tmp_path: Path) -> None:
    rng = seeded_random("garbage index")
    for _ in range(50):
        data = rng.randbytes(rng.randrange(400))
        (tmp_path / "i").write_bytes(data)
        assert OffsetIndex(str(tmp_path / "i"), 0).lookup(rng.getrandbits(40)) >= 0
        TimeIndex(str(tmp_path / "i"), 0).lookup(rng.getrandbits(40))
        TimeIndex(str(tmp_path / "i"), 0).last_timestamp_ms()


@pytest.mark.parametrize(("kind", "size"), [(OffsetIndex, 8), (TimeIndex, 12)])
def test_an_index_shortened_while_it_is_mapped_has_no_entries(
    tmp_path: Path, kind: type, size: int
) -> None:
    path = tmp_path / "i"
    path.write_bytes(b"\0\0\0\x01" * 3 * size * 1000)
    index = kind(str(path), 0)
    path.write_bytes(b"")
    assert index.lookup(5) == 0
    if kind is TimeIndex:
        assert index.last_timestamp_ms() is None
