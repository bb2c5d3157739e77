"""SegmentMap: a mapping larger than its file, which may lose its pages."""

from pathlib import Path

import pytest

from logcore.errors import LogError
from logcore.segment import SegmentMap

PAGE = 4096


def test_the_buffer_shows_published_bytes_only(tmp_path: Path) -> None:
    path = tmp_path / "00.log"
    path.write_bytes(b"published, not")
    segment = SegmentMap(str(path), 0, 1 << 20)
    assert bytes(memoryview(segment)) == b""
    segment.show(9)
    assert bytes(memoryview(segment)) == b"published"
    segment.show(5)
    assert bytes(memoryview(segment)) == b"published"
    assert memoryview(segment).readonly


def test_a_file_that_grows_is_seen_through_the_same_mapping(tmp_path: Path) -> None:
    path = tmp_path / "00.log"
    path.write_bytes(b"one")
    segment = SegmentMap(str(path), 0, 10 * PAGE)
    with open(path, "ab") as file:
        file.write(b"x" * 2 * PAGE)
    segment.show(3 + 2 * PAGE)
    assert bytes(memoryview(segment)) == b"one" + b"x" * 2 * PAGE


def test_a_deleted_file_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "00.log"
    path.write_bytes(b"still here")
    segment = SegmentMap(str(path), 0, 0)
    path.unlink()
    segment.show(10)
    assert bytes(memoryview(segment)) == b"still here"


def test_a_missing_file_or_a_symbolic_link_is_not_mapped(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SegmentMap(str(tmp_path / "missing"), 0, 0)
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="symbolic"):
        SegmentMap(str(tmp_path / "link"), 0, 0)


def test_more_than_the_address_space_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "00.log").write_bytes(b"x")
    with pytest.raises(LogError):
        SegmentMap(str(tmp_path / "00.log"), 0, 1 << 60)
