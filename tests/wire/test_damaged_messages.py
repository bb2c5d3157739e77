"""Bytes that are no message: a WireError, nothing read behind them, little memory taken."""

import random
import struct
import tracemalloc
from typing import Any

import pytest
from tests.wire.guarded_bytes import GuardedBytes
from tests.wire.random_messages import RandomMessages, every_version, seeded_random

from pylog.wire import Request, WireError, decode_request, encode_request
from pylog.wire.decoder import decode
from pylog.wire.encoder import encode
from pylog.wire.fields import MessageType
from pylog.wire.messages.api_00_produce import ProduceRequest
from pylog.wire.messages.api_01_fetch import FetchRequest
from pylog.wire.messages.api_03_metadata import MetadataRequest
from pylog.wire.messages.api_17_sasl_handshake import SaslHandshakeRequest
from pylog.wire.messages.api_18_api_versions import ApiVersionsRequest
from pylog.wire.messages.api_32_describe_configs import DescribeConfigsRequest
from pylog.wire.messages.api_36_sasl_authenticate import SaslAuthenticateRequest
from pylog.wire.planner import plan_of

CASES = [pytest.param(*one[:3], id=f"{one[0].__name__}-{one[2]}") for one in every_version()]
TELLING_BYTES = b"\x00\x01\x7f\x80\xff\xfe\x02"
MUTATIONS = 40
MODEST_BYTES = 1 << 20


@pytest.fixture(scope="module")
def guarded() -> GuardedBytes:
    return GuardedBytes(1 << 20)


def random_bytes(cls: MessageType, version: int, source: random.Random) -> bytes:
    message = RandomMessages(source).make(cls, version)
    return b"".join(encode(plan_of(cls, version), message))


@pytest.mark.parametrize(("cls", "api_key", "version"), CASES)
def test_a_message_cut_anywhere_is_refused(
    cls: MessageType, api_key: int, version: int, guarded: GuardedBytes
):
    source = seeded_random(f"{cls.__name__} v{version}")
    plan = plan_of(cls, version)
    whole = random_bytes(cls, version, source)
    lengths = range(len(whole))
    if len(whole) > 2000:
        lengths = sorted({*lengths[:500], *source.sample(lengths, 300), *lengths[-200:]})
    for length in lengths:
        with guarded.holding(whole[:length]) as part, pytest.raises(WireError) as raised:
            decode(plan, part)
        assert 0 <= raised.value.position <= length


def mutated(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(changed))
        match source.randrange(4):
            case 0:
                changed[at] ^= 1 << source.randrange(8)
            case 1:
                changed[at] = source.choice(TELLING_BYTES)
            case 2:
                changed[at : at + 4] = source.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"))
            case 3:
                changed[at:at] = source.randbytes(source.randrange(6))
    return bytes(changed)


@pytest.mark.parametrize(("cls", "api_key", "version"), CASES)
def test_a_changed_message_is_read_or_refused(
    cls: MessageType, api_key: int, version: int, guarded: GuardedBytes
):
    source = seeded_random(f"{cls.__name__} v{version}")
    plan = plan_of(cls, version)
    whole = random_bytes(cls, version, source)
    for _ in range(MUTATIONS):
        changed = mutated(whole or b"\0", source)
        with guarded.holding(changed) as part:
            try:
                message = decode(plan, part)
            except WireError:
                continue
            again = b"".join(encode(plan, message))  # before the bytes go
        assert b"".join(encode(plan, decode(plan, again))) == again


def uvarint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found + bytes([value]))


INT32_MAX = b"\x7f\xff\xff\xff"
LARGEST = uvarint(0xFFFFFFFF)
DAMAGE: list[tuple[str, type, int, bytes, str]] = [
    ("string", SaslHandshakeRequest, 1, b"\x7f\xffPLAIN", "mechanism at byte 2: 32767 bytes nee"),
    ("string null", SaslHandshakeRequest, 1, b"\xff\xff", "mechanism at byte 2: null where it ma"),
    ("string -2", SaslHandshakeRequest, 1, b"\xff\xfe", "mechanism at byte 2: a length of -2"),
    ("string text", SaslHandshakeRequest, 1, b"\0\2\xc3\x28", "mechanism at byte 4: not UTF-8"),
    ("bytes", SaslAuthenticateRequest, 1, INT32_MAX + b"x", "auth_bytes at byte 4: 2147483647 by"),
    ("bytes -2", SaslAuthenticateRequest, 1, b"\xff\xff\xff\xfe", "auth_bytes at byte 4: a length"),
    ("compact bytes", SaslAuthenticateRequest, 2, LARGEST + b"x", "auth_bytes at byte 5: 429"),
    ("varint of 6", SaslAuthenticateRequest, 2, b"\x80" * 5 + b"\1", "at byte 0: no varint"),
    ("varint of 33 bits", SaslAuthenticateRequest, 2, b"\xff" * 4 + b"\x1f", "no varint in"),
    ("array", MetadataRequest, 1, INT32_MAX + b"\0\0" * 9, "topics at byte 4: 2147483647 elements"),
    ("array -2", MetadataRequest, 1, b"\xff\xff\xff\xfe", "topics at byte 4: a length of -2"),
    ("array null", MetadataRequest, 0, b"\xff\xff\xff\xff", "topics at byte 4: null where"),
    ("null in an array", DescribeConfigsRequest, 4, b"\2\4\2t\2\0\0\0\0\0",
     "resources[0].configuration_keys[0] at byte 6: null where"),
    ("compact array", MetadataRequest, 9, LARGEST + b"\0" * 9, "topics at byte 5: 4294967294"),
    ("element", MetadataRequest, 1, b"\0\0\0\2\0\1a\0\5b", "topics[1].name at byte 9: 5 bytes"),
    ("records", ProduceRequest, 3,
     b"\xff\xff\0\1\0\0\0\1" + b"\0\0\0\1\0\1t\0\0\0\1\0\0\0\7" + INT32_MAX + b"r",
     "topic_data[0].partition_data[0].records at byte 27: 2147483647 bytes needed, 1 left"),
    ("tags", ApiVersionsRequest, 3, b"\2a\2b" + uvarint(65), "tagged fields at byte 5: 65 tagged"),
    ("tag of more", ApiVersionsRequest, 3, b"\2a\2b\1\7\6" + b"x" * 5, "fields at byte 7: 6"),
    ("behind", ApiVersionsRequest, 3, b"\2a\2b\0more", "at byte 5: 4 bytes after the message"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "version", "data", "text"),
    [pytest.param(*case[1:], id=case[0]) for case in DAMAGE],
)
def test_what_is_wrong_is_named_with_its_place(
    cls: Any, version: int, data: bytes, text: str, guarded: GuardedBytes
):
    with guarded.holding(data) as part, pytest.raises(WireError) as raised:
        decode(plan_of(cls, version), part)
    assert text in str(raised.value)
    assert str(raised.value).startswith(f"{cls.__name__} v{version}")
    assert raised.value.message_name == f"{cls.__name__} v{version}"


def fetch_v12(tags: bytes) -> bytes:
    return struct.pack(">iiiibii", 0, 0, 0, 0, 0, 0, 0) + b"\1\1\1" + tags


def test_a_tag_that_is_longer_than_its_field_is_refused():
    with pytest.raises(WireError, match=r"cluster_id at byte .*: tag 0: 1 bytes left over"):
        decode(plan_of(FetchRequest, 12), fetch_v12(b"\1\0\3\2cx"))


def test_a_field_that_is_longer_than_its_tag_is_refused():
    with pytest.raises(WireError, match=r"cluster_id at byte .*: 3 bytes needed, 1 left"):
        decode(plan_of(FetchRequest, 12), fetch_v12(b"\1\0\2\4c") + b"lu")


def test_a_tag_that_comes_twice_is_refused():
    with pytest.raises(WireError, match="tag 0 twice"):
        decode(plan_of(FetchRequest, 12), fetch_v12(b"\2\0\2\2c\0\2\2d"))


def test_tags_may_come_in_any_order():
    data = fetch_v12(b"\3\7\1x\0\2\2c\5\0")
    assert decode(plan_of(FetchRequest, 12), data).cluster_id == "c"


def test_a_string_is_at_most_32767_bytes_long_in_flexible_versions_too():
    data = uvarint(0x8000 + 1) + b"x" * 0x8000 + b"\1\0"
    with pytest.raises(WireError, match="a string of 32768 bytes"):
        decode(plan_of(ApiVersionsRequest, 3), data)


@pytest.mark.parametrize("version", [1, 9])
def test_a_count_takes_no_memory_before_its_elements_are_there(version: int):
    count = 1_000_000
    head = struct.pack(">i", count) if version == 1 else uvarint(count + 1)
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="1000000 elements in"):
            decode(plan_of(MetadataRequest, version), head + b"\0" * 1000)
        assert tracemalloc.get_traced_memory()[1] < MODEST_BYTES
    finally:
        tracemalloc.stop()


def test_a_message_has_at_most_so_many_elements():
    # Three bytes each on the wire, and a hundred in memory.
    count = (1 << 18) + 1
    data = uvarint(count + 1) + b"\1\0" * (count + 10)
    with pytest.raises(WireError, match=r"more than 262144 elements in one message"):
        decode(plan_of(MetadataRequest, 9), data)


@pytest.mark.parametrize("tags", [b"\x41", b"\1\0\5abc", b""])
def test_a_damaged_header_is_refused(tags: bytes):
    head = struct.pack(">hhih", 18, 3, 7, 2) + b"me"
    with pytest.raises(WireError):
        decode_request(head + tags)


@pytest.mark.parametrize("length", range(20))
def test_a_request_cut_anywhere_is_refused(length: int, guarded: GuardedBytes):
    request = Request(18, 3, 7, "me", ApiVersionsRequest(client_software_name="a"))
    frame = b"".join(encode_request(request))[4:]
    assert len(frame) > length or length > 15
    if length < len(frame):
        with guarded.holding(frame[:length]) as part, pytest.raises(WireError):
            decode_request(part)
