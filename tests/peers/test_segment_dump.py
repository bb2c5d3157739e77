"""The comparison itself: damage that DumpLogSegments tells of is seen as a complaint."""

from pathlib import Path
from types import ModuleType

import pytest
import segment_dump
from golden_copies import GoldenCopies

pytestmark = pytest.mark.peer
SEGMENT = "00000000000000000033"


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["none", "zstd", "log-append-time", "rolled-by-time", "librdkafka"]
)
def test_kafkas_own_files_give_no_complaint(
    kafka: ModuleType, golden_copy: GoldenCopies, name: str
) -> None:
    path = golden_copy(name)
    files = sorted(
        file for file in path.iterdir() if file.suffix in {".log", ".index", ".timeindex"}
    )
    dump = segment_dump.parse(kafka.dump_log_segments(files))
    assert dump.complaints == []
    assert dump.all_records


def test_a_flipped_bit_in_a_value_is_a_complaint(
    kafka: ModuleType, golden_copy: GoldenCopies
) -> None:
    path = golden_copy("rolled-by-time") / f"{SEGMENT}.log"
    flip(path, path.stat().st_size - 3)
    dump = segment_dump.parse(kafka.dump_log_segments([path]))
    assert any("isvalid: false" in line for line in dump.complaints)
    with pytest.raises(kafka.PeerFailedError, match="corrupt"):
        kafka.dump_records([path])


def test_a_torn_tail_is_a_complaint(kafka: ModuleType, golden_copy: GoldenCopies) -> None:
    path = golden_copy("rolled-by-time") / f"{SEGMENT}.log"
    path.write_bytes(path.read_bytes()[:-5])
    dump = segment_dump.parse(kafka.dump_log_segments([path]))
    assert any("invalid bytes at the end" in line for line in dump.complaints)
    with pytest.raises(kafka.PeerFailedError, match="bytes after the last batch"):
        kafka.dump_records([path])


def test_an_index_entry_of_another_offset_is_a_complaint(
    kafka: ModuleType, golden_copy: GoldenCopies
) -> None:
    path = golden_copy("rolled-by-time") / f"{SEGMENT}.index"
    flip(path, 3)
    text = kafka.dump_log_segments([path], False, False)
    assert segment_dump.parse(text).complaints


def test_a_time_index_entry_of_another_time_is_a_complaint(
    kafka: ModuleType, golden_copy: GoldenCopies
) -> None:
    path = golden_copy("rolled-by-time") / f"{SEGMENT}.timeindex"
    flip(path, 7)
    text = kafka.dump_log_segments([path], False, False)
    assert segment_dump.parse(text).complaints
