"""CRC-32C: the published vectors, and the instruction against the table."""

import pytest
from partition_files import seeded_random

from logcore.batch import crc32c

ASCENDING = bytes(range(32))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # this and the next: RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (ASCENDING, 0x46DD794E),
        (ASCENDING[::-1], 0x113FDB5C),
    ],
)
@pytest.mark.parametrize("use_table", [False, True])
def test_known_vectors(data: bytes, expected: int, use_table: bool) -> None:
    assert crc32c(data, use_table=use_table) == expected


def test_the_instruction_and_the_table_agree_at_every_size_and_place() -> None:
    rng = seeded_random("crc32c")
    data = rng.randbytes(60_000)
    view = memoryview(data)
    # Around the lanes of the three-way loops (3 KiB, 24 KiB), and anywhere.
    sizes = [*range(40), *range(3060, 3090), *range(24_560, 24_590), 30_000, 49_152]
    sizes += [rng.randrange(50_000) for _ in range(300)]
    for size in sizes:
        start, value = rng.randrange(len(data) - size), rng.getrandbits(32)
        part = view[start : start + size]
        assert crc32c(part, value) == crc32c(part, value, use_table=True), (start, size)


def test_a_crc_goes_on_where_another_ended() -> None:
    rng = seeded_random("crc32c in parts")
    data = rng.randbytes(30_000)
    for _ in range(100):
        at = rng.randrange(len(data))
        assert crc32c(data[at:], crc32c(data[:at])) == crc32c(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_contiguous_buffer_is_taken(kind: type) -> None:
    assert crc32c(kind(b"123456789")) == 0xE3069283


def test_a_buffer_with_gaps_is_refused() -> None:
    with pytest.raises(BufferError):
        crc32c(memoryview(b"12345678")[::2])
