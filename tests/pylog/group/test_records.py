"""Records of __consumer_offsets: Kafka's bytes, every version, and what is none of them."""

import random
import struct
import uuid

import pytest

from logcore.errors import CorruptRecordError, UnsupportedFormatError
from pylog.group.records import (
    ConsumerGroupKey,
    GroupKey,
    GroupMetadata,
    MemberMetadata,
    OffsetAndMetadata,
    OffsetKey,
    OtherKey,
    decode_consumer_group_value,
    decode_group_value,
    decode_key,
    decode_offset_value,
    encode_consumer_group_key,
    encode_consumer_group_value,
    encode_group_key,
    encode_group_value,
    encode_offset_key,
    encode_offset_value,
)
from pylog.record_fields import FieldReader, FieldWriter

TOPIC_ID = uuid.UUID("f3a1c2d4-0000-4000-8000-00000000002a")


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def compact(value: str) -> bytes:
    return bytes([len(value.encode()) + 1]) + value.encode()


# ---- keys ----


def test_the_key_of_an_offset_is_version_group_topic_partition():
    key = encode_offset_key("g", "topic", 7)
    assert key == b"\0\1" + text("g") + text("topic") + b"\0\0\0\7"
    assert decode_key(key) == OffsetKey("g", "topic", 7)


def test_the_key_of_a_group_is_version_and_group():
    assert encode_group_key("grün") == b"\0\2" + text("grün")
    assert decode_key(encode_group_key("grün")) == GroupKey("grün")


def test_the_oldest_key_of_an_offset_reads_like_the_newer_one():
    assert decode_key(b"\0\0" + encode_offset_key("g", "t", 1)[2:]) == OffsetKey("g", "t", 1)


def test_a_group_of_the_newer_protocol_is_written_as_kafka_writes_it():
    assert encode_consumer_group_key("k0") == b"\0\3\0\2k0"
    assert decode_key(b"\0\3\0\2k0") == ConsumerGroupKey("k0")
    assert encode_consumer_group_value(5) == b"\0\0\0\0\0\5\0"
    assert decode_consumer_group_value(b"\0\0\0\0\0\5\0") == 5
    with pytest.raises(UnsupportedFormatError, match="version 1"):
        decode_consumer_group_value(b"\0\1\0\0\0\5\0")


@pytest.mark.parametrize("version", [4, 5, 22, 32767])
def test_keys_of_other_kinds_of_groups_are_kept_apart(version):
    assert decode_key(struct.pack(">h", version) + text("g") + b"whatever") == OtherKey(version)


# ---- offsets ----


def offset_value(version: int) -> bytes:
    """A value made by hand from Kafka's message table."""
    parts = [struct.pack(">hq", version, 1234)]
    if version >= 3:
        parts.append(struct.pack(">i", 9))
    parts.append(compact("note") if version >= 4 else text("note"))
    parts.append(struct.pack(">q", 1_700_000_000_000))
    if version == 1:
        parts.append(struct.pack(">q", 1_700_000_600_000))
    if version >= 4:
        parts.append(b"\1\0\x10" + TOPIC_ID.bytes)
    return b"".join(parts)


@pytest.mark.parametrize("version", range(5))
def test_an_offset_is_read_in_every_version(version):
    assert decode_offset_value(offset_value(version)) == OffsetAndMetadata(
        1234,
        9 if version >= 3 else -1,
        "note",
        1_700_000_000_000,
        1_700_000_600_000 if version == 1 else -1,
        TOPIC_ID if version == 4 else None,
    )


def test_an_offset_is_written_as_version_4_and_as_version_1_when_it_expires():
    value = OffsetAndMetadata(1234, 9, "note", 1_700_000_000_000, -1, TOPIC_ID)
    assert encode_offset_value(value) == offset_value(4)
    expiring = OffsetAndMetadata(1234, -1, "note", 1_700_000_000_000, 1_700_000_600_000)
    assert encode_offset_value(expiring) == offset_value(1)


def test_a_topic_id_of_zeros_is_none_and_unknown_tags_are_passed_over():
    plain = encode_offset_value(OffsetAndMetadata(1, 2, "", 3))
    assert plain.endswith(b"\0")
    zeros = plain[:-1] + b"\1\0\x10" + bytes(16)
    strange = plain[:-1] + b"\2\5\2xy\x81\1\0"
    for data in (plain, zeros, strange):
        assert decode_offset_value(data) == OffsetAndMetadata(1, 2, "", 3)


# ---- groups ----

MEMBER = MemberMetadata("m-1", "client", "/127.0.0.1", 45_000, 300_000, "inst", b"sub", b"assign")


def group_value(version: int) -> bytes:
    flexible = version >= 4
    string = compact if flexible else text

    def binary(data: bytes) -> bytes:
        return (bytes([len(data) + 1]) if flexible else struct.pack(">i", len(data))) + data

    parts = [struct.pack(">h", version), string("consumer"), struct.pack(">i", 3)]
    parts += [string("range"), string("m-1")]
    if version >= 2:
        parts.append(struct.pack(">q", 1_700_000_000_000))
    parts += [b"\2" if flexible else b"\0\0\0\1", string("m-1")]
    if version >= 3:
        parts.append(string("inst"))
    parts += [string("client"), string("/127.0.0.1")]
    if version >= 1:
        parts.append(struct.pack(">i", 300_000))
    parts += [struct.pack(">i", 45_000), binary(b"sub"), binary(b"assign")]
    if flexible:
        parts += [b"\0", b"\0"]
    return b"".join(parts)


@pytest.mark.parametrize("version", range(5))
def test_a_group_is_read_in_every_version(version):
    member = MemberMetadata(
        "m-1", "client", "/127.0.0.1", 45_000, 300_000 if version >= 1 else 45_000,
        "inst" if version >= 3 else None, b"sub", b"assign",
    )  # fmt: skip
    assert decode_group_value(group_value(version)) == GroupMetadata(
        "consumer", 3, "range", "m-1", 1_700_000_000_000 if version >= 2 else -1, (member,)
    )


def test_a_group_is_written_as_version_3():
    group = GroupMetadata("consumer", 3, "range", "m-1", 1_700_000_000_000, (MEMBER,))
    assert encode_group_value(group) == group_value(3)


def test_an_empty_group_has_neither_protocol_nor_leader():
    group = GroupMetadata("consumer", 4)
    assert decode_group_value(encode_group_value(group)) == group


# ---- what a broker wrote ----

# Keys and values from the __consumer_offsets of Kafka 4.3.1: an offset, a group with a member that
# librdkafka made, and that group when the member had left.
BROKERS = [
    (
        "000100046c69766500017400000000",
        "000400000000000000050000000001000001a20529b7c5010010fd60b459827c4c69a09d40cb052372d7",
    ),
    (
        "000200046c697665",
        "00030008636f6e73756d657200000001000572616e676500286369642d38316532303331342d353637392d"
        "346137322d383962632d616330353166333839343061000001a20529b72b0000000100286369642d383165"
        "32303331342d353637392d346137322d383962632d616330353166333839343061ffff0003636964000a2f"
        "3132372e302e302e31000493e0000017700000001700030000000100017400000000"
        "00000000ffffffff00000000001900000000000100017400000002000000000000000100000000",
    ),
    ("000200046c697665", "00030008636f6e73756d657200000002ffffffff000001a2052a609d00000000"),
]


@pytest.mark.parametrize(("key", "value"), BROKERS, ids=["offset", "group", "empty group"])
def test_what_a_broker_wrote_is_read_and_written_the_same(key, value):
    raw_key, raw_value = bytes.fromhex(key), bytes.fromhex(value)
    decoded = decode_key(raw_key)
    if isinstance(decoded, OffsetKey):
        assert decoded == OffsetKey("live", "t", 0)
        offset = decode_offset_value(raw_value)
        assert (offset.offset, offset.leader_epoch, offset.commit_timestamp_ms) == (
            5, 0, 1795382949829,
        )  # fmt: skip
        assert encode_offset_key(*decoded) == raw_key
        assert encode_offset_value(offset) == raw_value
    else:
        assert decoded == GroupKey("live")
        assert encode_group_value(decode_group_value(raw_value)) == raw_value
        assert decode_group_value(raw_value).protocol_type == "consumer"


# ---- garbage ----


@pytest.mark.parametrize("version", range(5))
@pytest.mark.parametrize("kind", ["offset", "group"])
def test_a_value_cut_short_or_with_something_left_over_is_refused(kind, version):
    data, decode = (
        (offset_value(version), decode_offset_value)
        if kind == "offset"
        else (group_value(version), decode_group_value)
    )
    for size in range(len(data)):
        with pytest.raises(CorruptRecordError):
            decode(data[:size])
    with pytest.raises(CorruptRecordError):
        decode(data + b"\0")


def test_a_key_cut_short_or_with_something_left_over_is_refused():
    for key in (encode_offset_key("group", "topic", 7), encode_group_key("group")):
        for size in range(len(key)):
            with pytest.raises(CorruptRecordError):
                decode_key(key[:size])
        with pytest.raises(CorruptRecordError):
            decode_key(key + b"\0")


@pytest.mark.parametrize(
    "key",
    [
        b"\xff\xff" + text("g"),
        b"\0\1" + b"\xff\xff" + text("t") + b"\0\0\0\0",
        b"\0\1" + text("g") + text("t") + b"\xff\xff\xff\xff",
        b"\0\2" + b"\0\1\xff",
    ],
    ids=["version", "null", "partition", "utf-8"],
)
def test_a_key_with_an_impossible_field_is_refused(key):
    with pytest.raises(CorruptRecordError, match="not a key of __consumer_offsets"):
        decode_key(key)


def test_a_version_of_the_future_is_named():
    for decode in (decode_offset_value, decode_group_value):
        with pytest.raises(UnsupportedFormatError, match="version 5"):
            decode(b"\0\5" + bytes(40))


def test_an_offset_below_zero_is_refused():
    with pytest.raises(CorruptRecordError, match="offset -1"):
        decode_offset_value(offset_value(3).replace(struct.pack(">q", 1234), b"\xff" * 8))


def test_an_array_that_claims_more_than_there_is_costs_nothing():
    data = group_value(3).replace(b"\0\0\0\1" + text("m-1"), b"\x7f\xff\xff\xff" + text("m-1"))
    with pytest.raises(CorruptRecordError, match="array of 2147483647"):
        decode_group_value(data)


def test_bytes_at_random_are_read_or_refused():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    generator = random.Random(seed)
    samples = [offset_value(version) for version in range(5)]
    samples += [group_value(version) for version in range(5)]
    samples += [encode_offset_key("group", "topic", 7), encode_group_key("group")]
    for _ in range(3000):
        data = bytearray(generator.choice(samples))
        for _ in range(generator.randrange(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        for decode in (decode_key, decode_offset_value, decode_group_value):
            try:
                decode(bytes(data))
            except (CorruptRecordError, UnsupportedFormatError):
                continue


def test_a_varint_of_33_bits_is_refused():
    for data in (b"\xff\xff\xff\xff\x1f", b"\x80\x80\x80\x80\x80\x00"):
        with pytest.raises(CorruptRecordError, match="32 bits"):
            FieldReader(data, "number").uvarint()


def test_a_string_longer_than_kafka_can_write_is_refused():
    with pytest.raises(ValueError, match="32767"):
        FieldWriter().string("x" * 32768)
    with pytest.raises(ValueError, match="32767"):
        encode_group_key("ü" * 20_000)
