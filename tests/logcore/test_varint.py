"""Varints, seen through the records that hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logcore.batch import BatchBuilder, crc32c, iter_records
from logcore.errors import CorruptRecordError

HEADER_SIZE = 61
TIMES = st.integers(-(2**63), 2**63 - 1)


def zigzag(value: int) -> bytes:
    raw = (value << 1) ^ (value >> 63)
    out = bytearray()
    while raw >= 0x80:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    out.append(raw)
    return bytes(out)


def put_records(batch: bytes, records: bytes) -> bytes:
    """`batch` with other records, its length and CRC set right."""
    body = batch[21:HEADER_SIZE] + records
    length = (HEADER_SIZE - 12 + len(records)).to_bytes(4, "big")
    return batch[:8] + length + batch[12:17] + crc32c(body).to_bytes(4, "big") + body


def one_record_batch(timestamp_ms: int = 0) -> bytes:
    builder = BatchBuilder()
    builder.append(timestamp_ms, None, b"v")
    return builder.build()


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_every_difference_of_timestamps_comes_back(times: list[int]) -> None:
    builder = BatchBuilder()
    for time_ms in times:
        builder.append(time_ms, None, b"")
    assert [record.timestamp_ms for record in iter_records(builder.build())] == times


@pytest.mark.parametrize("delta", [0, -1, 1, 63, 64, -64, -65, 2**31, -(2**31), 2**62, -(2**62)])
def test_a_delta_is_zigzag_and_seven_bits_a_byte(delta: int) -> None:
    builder = BatchBuilder()
    builder.append(0, None, b"")
    builder.append(delta, None, b"")
    first = b"\x0c\0\0\0\x01\0\0"
    body = b"\0" + zigzag(delta) + zigzag(1) + b"\x01\0\0"
    assert builder.build()[HEADER_SIZE:] == first + zigzag(len(body)) + body


@pytest.mark.parametrize("size", [0, 1, 63, 64, 8191, 8192, 1 << 20])
def test_sizes_of_every_width_come_back(size: int) -> None:
    builder = BatchBuilder()
    key, value = b"k" * size, b"v" * size
    builder.append(0, key, value, [("h" * size, value)])
    (record,) = iter_records(builder.build())
    assert (record.key, record.value, record.headers) == (key, value, [("h" * size, value)])


@pytest.mark.parametrize(
    "records",
    [
        b"",
        b"\x0e",
        b"\x80\x80\x80\x80\x80\x00" + bytes(7),  # a length of six bytes
        b"\xff\xff\xff\xff\x10" + bytes(7),  # a length of more than 32 bits
        b"\x01" + bytes(7),  # a negative length
        b"\x0e\0" + b"\x80" * 10 + b"\0",  # a timestamp of eleven bytes
        b"\x26\0" + b"\x80" * 9 + b"\x02\0\x01\x01\0" + bytes(4),  # of more than 64 bits
        b"\x0c\0\0\0\x03\x01\0",  # a key size of -2
        b"\x0c\0\0\0\x01\x03\0",  # a value size of -2
        b"\x0c\0\0\0\x01\x01\x01",  # a header count of -1
        b"\x0c\0\0\0\x02\x01\0",  # a key that runs over the value size
        b"\x0c\0\0\0\x01\x01\x02",  # a header that is not there
        b"\x0e\0\0\0\x01\x01\0\0",  # a byte behind the record's last field
        b"\x0c\0\0\0\x01\x01\0\0",  # a byte behind the last record
    ],
)
def test_a_malformed_record_is_corrupt(records: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        list(iter_records(put_records(one_record_batch(), records.ljust(7, b"\xff"))))
