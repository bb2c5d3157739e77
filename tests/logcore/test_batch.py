"""Record batches: what is built is read back, by hand-made bytes and under every flipped bit."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_files import TIME_MS, make_batch, told, with_header

from logcore import codecs
from logcore.batch import (
    MAX_DECOMPRESSED_BYTES,
    BatchBuilder,
    BatchView,
    crc32c,
    iter_batches,
    iter_records,
)
from logcore.errors import CorruptRecordError, InvalidRecordError, RecordTooLargeError

CODECS = sorted(codecs.CODEC_NAMES)
FIELDS = st.none() | st.binary(max_size=200)
HEADERS = st.lists(st.tuples(st.text(max_size=8), FIELDS), max_size=3)
RECORDS = st.lists(
    st.tuples(st.integers(-1, 2**53), FIELDS, FIELDS, HEADERS), min_size=1, max_size=20
)


def test_the_bytes_of_a_small_batch() -> None:
    builder = BatchBuilder()
    builder.append(1000, b"k", b"v", {"h": b"x"})
    builder.append(1002, None, None)
    records = b"\x18\0\0\0\x02k\x02v\x02\x02h\x02x" + b"\x0c\0\x04\x02\x01\x01\0"
    body = struct.pack(">hiqqqhii", 0, 1, 1000, 1002, -1, -1, -1, 2) + records
    head = struct.pack(">qiibI", 0, 9 + len(body), -1, 2, crc32c(body))
    assert builder.build() == head + body


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=40, deadline=None)
@given(records=RECORDS)
def test_what_is_appended_is_read_back(codec: int, records: list) -> None:  # type: ignore[type-arg]
    builder = BatchBuilder(codec)
    for record in records:
        builder.append(*record)
    (batch,) = iter_batches(builder.build())
    assert [told(record)[1:] for record in batch.records()] == records
    assert [record.offset for record in batch.records()] == list(range(len(records)))
    assert batch.max_timestamp_ms == max(record[0] for record in records)
    assert (batch.base_timestamp_ms, batch.codec) == (records[0][0], codec)
    assert (batch.record_count, batch.next_offset) == (len(records), len(records))


def test_a_builder_is_empty_after_a_batch() -> None:
    builder = BatchBuilder()
    builder.append(5, None, b"one")
    first = builder.build()
    builder.append(1, None, b"two")
    assert [record.value for record in iter_records(first + builder.build())] == [b"one", b"two"]
    with pytest.raises(InvalidRecordError):
        builder.build()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_keys_and_values_are_any_bytes(kind: type) -> None:
    builder = BatchBuilder()
    builder.append(0, kind(b"key"), kind(b"value"), [("h", kind(b"x")), ("t", "text")])
    (record,) = iter_records(builder.build())
    assert told(record) == (0, 0, b"key", b"value", [("h", b"x"), ("t", b"text")])


@pytest.mark.parametrize("bad", ["text", 1, 1.5, ["v"], memoryview(b"abcd")[::2]])
def test_what_is_not_bytes_is_refused_and_leaves_no_trace(bad: object) -> None:
    builder = BatchBuilder()
    builder.append(0, None, b"one")
    for key, value in ((bad, b""), (b"", bad)):
        with pytest.raises((TypeError, BufferError)):
            builder.append(0, key, value)
    for headers in ([("h", 1)], [(b"h", b"")], ["h"], [1], [("h", b"", b"")]):
        with pytest.raises(TypeError):
            builder.append(0, None, b"", headers)
    assert [record.value for record in iter_records(builder.build())] == [b"one"]


@pytest.mark.parametrize("codec", [-1, 5, 7])
def test_an_unknown_codec_makes_no_builder(codec: int) -> None:
    with pytest.raises(ValueError, match="codec"):
        BatchBuilder(codec)


@pytest.mark.parametrize("codec", CODECS)
def test_every_flipped_bit_under_the_crc_is_found(codec: int) -> None:
    data = make_batch([b"value %d" % i for i in range(5)], codec=codec, key=b"key")
    for bit in range(12 * 8, len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        if 12 <= bit // 8 < 16:  # leader_epoch: the log's own, checked by its reader
            assert BatchView(flipped).leader_epoch != -1
            continue
        with pytest.raises(CorruptRecordError):
            BatchView(flipped)


@pytest.mark.parametrize(
    "fields",
    [
        {"magic": 1},
        {"magic": 3},
        {"batch_length": 48},
        {"batch_length": -1},
        {"batch_length": 2**31 - 1},
        {"base_offset": -1},
        {"record_count": -1},
        {"record_count": 2**31 - 1},
        {"last_offset_delta": -1},
        {"last_offset_delta": 0},
        {"attributes": 5},
        {"attributes": 7},
        {"crc": 0},
    ],
)
def test_a_header_out_of_bounds_is_corrupt(fields: dict[str, int]) -> None:
    with pytest.raises(CorruptRecordError):
        BatchView(with_header(make_batch([b"one", b"two"]), **fields))


@pytest.mark.parametrize("count", [1, 3])
def test_another_record_count_is_corrupt(count: int) -> None:
    batch = with_header(make_batch([b"one", b"two"]), record_count=count, last_offset_delta=2)
    with pytest.raises(CorruptRecordError):
        BatchView(batch).records()


@pytest.mark.parametrize("codec", CODECS[1:])
def test_a_compressed_batch_cannot_claim_more_records_than_its_bytes_hold(codec: int) -> None:
    batch = with_header(
        make_batch([b"one", b"two"], codec=codec),
        record_count=2**31 - 1,
        last_offset_delta=2**31 - 2,
    )
    with pytest.raises(InvalidRecordError):
        BatchView(batch).records()


@pytest.mark.parametrize("codec", CODECS[1:])
def test_garbage_in_place_of_compressed_records_is_corrupt(codec: int) -> None:
    packed = make_batch([b"x" * 100], codec=codec)
    garbage = with_header(packed[:61] + b"\x55" * (len(packed) - 61))
    with pytest.raises((CorruptRecordError, InvalidRecordError)):
        BatchView(garbage).records()


@pytest.mark.parametrize("codec", CODECS[1:])
def test_a_decompression_bomb_is_refused(codec: int) -> None:
    packed = codecs.compress(codec, bytes(MAX_DECOMPRESSED_BYTES + 1))
    head = make_batch([b"v"], codec=codec)[:61]
    bomb = with_header(head + packed, batch_length=49 + len(packed))
    with pytest.raises(InvalidRecordError):
        BatchView(bomb).records()


def test_a_batch_that_no_reader_would_take_is_not_built() -> None:
    builder = BatchBuilder(codecs.ZSTD)
    for _ in range(65):
        builder.append(TIME_MS, None, bytes(1 << 20))
    with pytest.raises(RecordTooLargeError):
        builder.build()


@pytest.mark.parametrize("delta", [-1, 1, 2, 2**31 - 1])
def test_a_record_outside_its_batch_is_corrupt(delta: int) -> None:
    raw = (delta << 1) ^ (delta >> 31)
    varint = bytearray()
    while raw >= 0x80:
        varint.append(raw & 0x7F | 0x80)
        raw >>= 7
    varint.append(raw)
    record = b"\0\0" + bytes(varint) + b"\x01\x01\0"
    data = make_batch([b"v"])[:61] + bytes([len(record) << 1]) + record
    batch = BatchView(with_header(data, batch_length=len(data) - 12))
    with pytest.raises(CorruptRecordError):
        batch.records()


def test_whole_batches_are_iterated_and_a_part_at_the_end_is_left_out() -> None:
    one, two = make_batch([b"one"]), make_batch([b"two", b"three"])
    for size in range(len(two)):
        assert len(list(iter_batches(one + two[:size]))) == 1
    assert [record.value for record in iter_records(one + two)] == [b"one", b"two", b"three"]
    with pytest.raises(CorruptRecordError) as caught:
        list(iter_batches(one + with_header(two, crc=0)))
    assert caught.value.position == len(one)


def test_log_append_time_is_the_time_of_every_record() -> None:
    batch = with_header(make_batch([b"a", b"b"]), attributes=8, max_timestamp_ms=77)
    assert [record.timestamp_ms for record in iter_records(batch)] == [77, 77]
