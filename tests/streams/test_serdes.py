"""Serdes: Kafka's bytes, what comes back, and what is refused.

The bytes were written by the serializers of kafka-clients and kafka-streams 4.3.1.
"""

import struct
import subprocess
import sys
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.streams import serdes
from pylog.streams.changed_serde import ChangedSerde
from pylog.streams.config import StreamsConfig
from pylog.streams.errors import SerializationError, StreamsConfigError
from pylog.streams.record import Change
from pylog.streams.serde import Serde, decode, encode
from pylog.streams.window import SessionWindow, Window, Windowed

AN_ID = UUID("123e4567-e89b-12d3-a456-426614174000")
TUMBLING = serdes.time_windowed(serdes.string, 10)
SESSIONS = serdes.session_windowed(serdes.string)
CHANGES = ChangedSerde(serdes.string)
OF_JAVA = [
    (serdes.string, "añ€😀", "61c3b1e282acf09f9880"),
    (serdes.bytes, b"\x00\xff", "00ff"),
    (serdes.short, -2, "fffe"),
    (serdes.int, -5, "fffffffb"),
    (serdes.long, -(2**63) + 7, "8000000000000007"),
    (serdes.double, -1.1, "bff199999999999a"),
    (serdes.boolean, True, "01"),
    (serdes.boolean, False, "00"),
    (serdes.uuid, AN_ID, str(AN_ID).encode().hex()),
    (serdes.list_of(serdes.int), [1, None, 3], "000000000100000001000000030000000100000003"),
    (serdes.list_of(serdes.string), ["a", None, ""], "01000000030000000161ffffffff00000000"),
    (serdes.list_of(serdes.boolean), [True], "01000000010000000101"),
    (serdes.list_of(serdes.boolean), [], "0100000000"),
    (serdes.list_of(serdes.float), [1.5], "0000000000000000013fc00000"),
    (serdes.list_of(serdes.uuid), [AN_ID], "000000000000000001" + str(AN_ID).encode().hex()),
    (TUMBLING, Windowed("key", Window(10, 20)), "6b6579000000000000000a"),
    (
        SESSIONS,
        Windowed("key", SessionWindow(10, 20)),
        "6b65790000000000000014000000000000000a",
    ),
    (CHANGES, Change("n", None), "6e01"),
    (CHANGES, Change(None, "o"), "6f00"),
    (CHANGES, Change("n" * 100, "o"), "c801" + "6e" * 100 + "6f02"),
]


@pytest.mark.parametrize(("serde", "value", "expected"), OF_JAVA)
def test_the_bytes_are_those_of_java_and_come_back(serde: Serde, value: object, expected: str):
    encoded = bytes.fromhex(expected)
    assert encode(serde, "t", value) == encoded
    assert serde.serialize("t", value) == encoded
    assert decode(serde, "t", encoded) == value
    assert serde.deserialize("t", encoded) == value


def test_a_float_of_four_bytes_comes_back_less_exact():
    assert encode(serdes.float, "t", -1.1).hex() == "bf8ccccd"
    assert (
        decode(serdes.float, "t", bytes.fromhex("bf8ccccd"))
        == struct.unpack(">f", bytes.fromhex("bf8ccccd"))[0]
    )
    assert encode(serdes.float, "t", float("inf")).hex() == "7f800000"


@pytest.mark.parametrize(
    "serde",
    [serdes.string, serdes.long, serdes.json, serdes.uuid, TUMBLING, SESSIONS, CHANGES,
     serdes.list_of(serdes.int), serdes.void],
)  # fmt: skip
def test_none_is_null_both_ways(serde: Serde):
    assert encode(serde, "t", None) is None
    assert decode(serde, "t", None) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_long_comes_back(number: int):
    assert decode(serdes.long, "t", encode(serdes.long, "t", number)) == number
    assert encode(serdes.long, "t", number) == number.to_bytes(8, "big", signed=True)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(text: str):
    assert decode(serdes.string, "t", encode(serdes.string, "t", text)) == text


@given(st.floats(allow_nan=False))
def test_every_double_comes_back(number: float):
    assert encode(serdes.double, "t", number) == struct.pack(">d", number)
    assert decode(serdes.double, "t", struct.pack(">d", number)) == number


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_every_list_comes_back(items: list[str | None]):
    serde = serdes.list_of(serdes.string)
    assert decode(serde, "t", encode(serde, "t", items)) == items


@given(st.binary())
def test_no_bytes_crash_a_deserializer(data: bytes):
    for serde in (
        TUMBLING, SESSIONS, CHANGES, serdes.list_of(serdes.int), serdes.list_of(serdes.string),
        serdes.string, serdes.long, serdes.double, serdes.boolean, serdes.uuid, serdes.json,
    ):  # fmt: skip
        try:
            decode(serde, "t", data)
        except SerializationError as error:
            assert "'t'" in str(error)


def test_what_python_has_for_bytes_and_numbers_is_taken():
    assert encode(serdes.bytes, "t", bytearray(b"ab")) == b"ab"
    assert encode(serdes.bytes, "t", memoryview(b"ab")) == b"ab"
    import numpy

    assert decode(serdes.long, "t", encode(serdes.long, "t", numpy.int64(7))) == 7
    assert decode(serdes.double, "t", encode(serdes.double, "t", 7)) == 7.0


@pytest.mark.parametrize(
    ("serde", "value", "words"),
    [
        (serdes.int, 2**31, "serdes.int.*int.*2147483648 is outside of -2147483648 to 2147483647"),
        (serdes.long, 2**63, "serdes.long.*is outside"),
        (serdes.short, -32769, "serdes.short.*is outside of -32768 to 32767"),
        (serdes.long, 1.0, "type float: an integer is needed"),
        (serdes.long, "1", "type str: an integer is needed"),
        (serdes.double, "1", "type str: a number is needed"),
        (serdes.double, 10**400, "out of range"),
        (serdes.float, 1e300, "out of range"),
        (serdes.string, b"a", "type bytes: text is needed"),
        (serdes.string, "\ud800", "surrogates not allowed"),
        (serdes.bytes, "a", "type str: bytes are needed"),
        (serdes.boolean, 1, "True or False"),
        (serdes.uuid, str(AN_ID), "a uuid.UUID is needed"),
        (serdes.void, 0, "only None"),
        (serdes.json, object(), "serdes.json.*object"),
        (serdes.list_of(serdes.int), 5, "a list is needed"),
        (serdes.list_of(serdes.int), ["a"], "serdes.int.*str"),
        (TUMBLING, "key", "a Windowed key is needed"),
        (TUMBLING, Windowed(None, Window(0, 10)), "not None"),
        (CHANGES, "new", "a Change is needed"),
        (CHANGES, Change(None, None), "new and its old value are null"),
        (serdes.assumed_string, 5, "say its serde: key_serde=serdes.long"),
    ],
)
def test_what_cannot_be_serialized_says_topic_serde_and_type(
    serde: Serde, value: object, words: str
):
    with pytest.raises(SerializationError, match=f"(?s)topic 'clicks'.*{words}"):
        encode(serde, "clicks", value)


@pytest.mark.parametrize(
    ("serde", "data", "words"),
    [
        (serdes.int, b"123", "serdes.int.*of 3 bytes: 4 bytes are needed"),
        (serdes.double, b"123", "8 bytes are needed"),
        (serdes.float, b"123", "4 bytes are needed"),
        (serdes.string, b"\xff", "invalid start byte"),
        (serdes.boolean, b"\x02", "one byte"),
        (serdes.uuid, b"none", "badly formed"),
        (serdes.void, b"", "only null"),
        (serdes.json, b"{", "truncated"),
        (serdes.long, "12345678", "bytes are needed"),
        (serdes.list_of(serdes.int), b"", "first byte"),
        (serdes.list_of(serdes.string), b"\x00\x00\x00\x00\x00", "first byte"),
        (serdes.list_of(serdes.string), b"\x01\x00\x00\x00\x09", "requires a buffer"),
        (TUMBLING, b"short", "the window alone takes 8 bytes"),
        (TUMBLING, b"\xff" * 9, "starts at -1"),
        (SESSIONS, b"\x00" * 15, "16 bytes"),
        (SESSIONS, b"k" + bytes(8) + bytes(7) + b"\x01", "reaches from 1 to 0"),
        (CHANGES, b"", "its last byte"),
        (CHANGES, b"ab\x07", "its last byte"),
        (CHANGES, b"\x7fab\x02", "is cut short|no varint"),
    ],
)
def test_what_cannot_be_deserialized_says_topic_serde_and_size(
    serde: Serde, data: object, words: str
):
    with pytest.raises(SerializationError, match=f"(?s)topic 'clicks'.*{words}"):
        decode(serde, "clicks", data)


def test_the_end_of_the_last_window_is_the_end_of_time():
    key = Windowed("k", Window(2**63 - 5, 2**63 - 1))
    assert decode(TUMBLING, "t", encode(TUMBLING, "t", key)) == key


def test_empty_bytes_of_a_windowed_key_are_none():
    assert decode(TUMBLING, "t", b"") is None
    assert decode(SESSIONS, "t", b"") is None


def test_keys_of_a_window_stores_changelog_are_read():
    serde = serdes.time_windowed_changelog(serdes.string, "10s")
    data = b"key" + (5000).to_bytes(8, "big") + (3).to_bytes(4, "big")
    assert decode(serde, "t", data) == Windowed("key", Window(5000, 15000))


def test_a_change_that_is_not_the_latest_is_read():
    assert decode(CHANGES, "t", b"n\x00\x04").is_latest is False
    assert decode(CHANGES, "t", b"o\x01\x03") == Change(None, "o")
    assert decode(CHANGES, "t", b"\x02no\x00\x05") == Change("n", "o", False)


def test_equal_json_has_equal_bytes():
    assert encode(serdes.json, "t", {"b": 1, "a": [None, 2.5, "ü"]}) == (
        '{"a":[null,2.5,"ü"],"b":1}'.encode()
    )
    assert decode(serdes.json, "t", b"null") is None


@dataclass
class Point:
    x: int
    y: int


def test_json_of_a_type_makes_and_checks_that_type():
    serde = serdes.json_of(Point)
    assert decode(serde, "t", encode(serde, "t", Point(1, 2))) == Point(1, 2)
    with pytest.raises(SerializationError, match=r"serdes.json_of\(Point\).*y"):
        decode(serde, "t", b'{"x": 1}')


def test_without_msgspec_json_says_what_to_install():
    program = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from pylog.streams import serdes\n"
        "try: serdes.json\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "serdes.json needs msgspec: pip install 'pylog-stream[streams]'\n"


def test_text_in_another_encoding():
    latin = serdes.string_of("latin-1")
    assert encode(latin, "t", "ü") == b"\xfc"
    assert decode(serdes.string_of(errors="replace"), "t", b"a\xff") == "a\ufffd"
    with pytest.raises(LookupError):
        serdes.string_of("no-such-encoding")


class Celsius(Serde):
    def serialize(self, topic: str | None, data: float) -> bytes:
        return f"{topic} {data} C".encode()

    def deserialize(self, topic: str | None, data: bytes) -> float:
        return float(data.split()[1])


def test_a_serde_of_ones_own_is_a_subclass():
    assert encode(Celsius(), "t", 21.5) == b"t 21.5 C"
    assert decode(Celsius(), "t", b"t 21.5 C") == 21.5
    with pytest.raises(SerializationError, match="Celsius cannot deserialize.*IndexError"):
        decode(Celsius(), "t", b"")


def test_a_serde_is_made_of_two_functions():
    serde = Serde.of(lambda pair: b"%d,%d" % pair, lambda data: tuple(map(int, data.split(b","))))
    assert decode(serde, "t", encode(serde, "t", (3, 4))) == (3, 4)
    with pytest.raises(SerializationError, match="lambda.*str"):
        encode(serde, "t", "no pair")


def test_a_serializer_that_returns_no_bytes_is_an_error():
    with pytest.raises(SerializationError, match="returned str, not bytes"):
        encode(Serde.of(str, str), "t", 5)
    assert encode(Serde.of(lambda value: bytearray(b"x"), bytes), "t", 5) == b"x"


def test_a_serde_needs_functions():
    with pytest.raises(TypeError, match="two functions"):
        Serde.of(b"a", bytes)  # type: ignore[arg-type]


def test_confluents_serializers_get_topic_and_field():
    seen = []

    def serializer(data: str, context: object) -> bytes:
        seen.append((context.topic, context.field, context.headers))  # type: ignore[attr-defined]
        return data.encode()

    def deserializer(data: bytes, context: object) -> str:
        seen.append((context.topic, context.field, context.headers))  # type: ignore[attr-defined]
        return data.decode()

    serde = serdes.from_confluent(serializer, deserializer, is_key=True)
    assert decode(serde, "t", encode(serde, "t", "a")) == "a"
    assert seen == [("t", "key", None)] * 2
    assert serdes.from_confluent(serializer, None).name.endswith("(confluent_kafka, value)")
    with pytest.raises(SerializationError, match="no deserializer was given"):
        decode(serdes.from_confluent(serializer, None), "t", b"a")


def test_confluents_own_serializers_work():
    from confluent_kafka import serialization as confluent

    serde = serdes.from_confluent(
        confluent.IntegerSerializer(), confluent.IntegerDeserializer(), is_key=False
    )
    assert encode(serde, "t", 5) == b"\x00\x00\x00\x05"
    assert decode(serde, "t", b"\x00\x00\x00\x05") == 5
    with pytest.raises(SerializationError, match="IntegerSerializer.*str"):
        encode(serde, "t", "five")


def test_an_inner_serde_that_was_not_said_is_the_default():
    config = StreamsConfig({"application.id": "a", "default.key.serde": serdes.long})
    serde = serdes.time_windowed(None, 10)
    with pytest.raises(StreamsConfigError, match="no serde for the key"):
        encode(serde, "t", Windowed(5, Window(0, 10)))
    resolved = config.key_serde_for(serde)
    assert encode(resolved, "t", Windowed(5, Window(0, 10))) == bytes(7) + b"\x05" + bytes(8)
    assert config.key_serde_for(TUMBLING) is TUMBLING
    assert config.key_serde_for(serdes.session_windowed(None)).inner is serdes.long  # type: ignore[attr-defined]


def test_windows_of_a_key_share_the_bytes_of_the_key():
    assert TUMBLING.serialize_base_key("t", Windowed("key", Window(0, 10))) == b"key"
    assert SESSIONS.serialize_base_key("t", Windowed("key", SessionWindow(3, 4))) == b"key"
