"""Bytes of Kafka's consumer protocol; the golden ones were made by Kafka 4.3.1's classes."""

import random

import pytest

from pylog.errors import KafkaError, KafkaException
from pylog.group import protocol
from pylog.group.protocol import Assignment, Subscription

OWNED = (("a", 1), ("a", 3), ("t", 1))

# ConsumerProtocol.serializeSubscription: topic t, user data 00 01, these partitions, generation 5.
GOLDEN_SUBSCRIPTIONS = {
    0: "000000000001000174000000020001",
    1: "000100000001000174000000020001"
    "0000000200016100000002000000010000000300017400000001" + "00000001",
    2: "000200000001000174000000020001"
    "0000000200016100000002000000010000000300017400000001" + "0000000100000005",
    3: "000300000001000174000000020001"
    "0000000200016100000002000000010000000300017400000001" + "0000000100000005ffff",
}
# ConsumerProtocol.serializeAssignment of a [1], a [3], t [1] with user data 00 01.
GOLDEN_ASSIGNMENT = "00000002000161000000020000000100000003000174000000010000000100000002" + "0001"


def error_of(call, *arguments) -> KafkaError:
    with pytest.raises(KafkaException) as raised:
        call(*arguments)
    return raised.value.args[0]


def test_a_subscription_is_written_as_kafka_writes_it():
    written = protocol.encode_subscription(["t"], reversed(OWNED), 5, b"\0\1")
    assert written.hex() == GOLDEN_SUBSCRIPTIONS[3]


def test_topics_are_written_in_order():
    assert protocol.encode_subscription(["b", "a"]) == protocol.encode_subscription(["a", "b"])


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_a_subscription_of_each_version_is_read(version: int):
    read = protocol.decode_subscription(bytes.fromhex(GOLDEN_SUBSCRIPTIONS[version]))
    assert read == Subscription(
        ("t",),
        OWNED if version >= 1 else (),
        5 if version >= 2 else -1,
        b"\0\1",
        None,
        version,
    )


def test_an_assignment_is_written_as_kafka_writes_it():
    written = protocol.encode_assignment(reversed(OWNED), b"\0\1")
    assert written.hex() == "0003" + GOLDEN_ASSIGNMENT


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_an_assignment_of_each_version_is_read(version: int):
    read = protocol.decode_assignment(version.to_bytes(2, "big") + bytes.fromhex(GOLDEN_ASSIGNMENT))
    assert read == Assignment(OWNED, b"\0\1", version)


def test_a_newer_version_is_read_as_the_newest_known():
    newer = bytearray(protocol.encode_subscription(["t"], OWNED, 7, None, "r1"))
    newer[:2] = b"\0\x09"
    assert protocol.decode_subscription(bytes(newer) + b"more") == Subscription(
        ("t",), OWNED, 7, None, "r1", 9
    )
    newer = bytearray(protocol.encode_assignment(OWNED))
    newer[:2] = b"\0\x09"
    assert protocol.decode_assignment(bytes(newer) + b"more") == Assignment(OWNED, None, 9)


def test_an_empty_rack_and_no_user_data_are_none():
    read = protocol.decode_subscription(protocol.encode_subscription(["t"], rack=""))
    assert (read.rack, read.user_data) == (None, None)
    assert protocol.decode_subscription(protocol.encode_subscription([], user_data=b"")) == (
        Subscription((), user_data=b"")
    )


def test_user_data_of_the_sticky_strategies_are_read_back():
    data = protocol.encode_sticky_user_data(OWNED, 9)
    assert protocol.decode_sticky_user_data(data) == (OWNED, 9)
    assert protocol.decode_sticky_user_data(data[:-4]) == (OWNED, -1)  # version 0
    assert protocol.encode_cooperative_user_data(9) == b"\0\0\0\x09"
    assert protocol.decode_cooperative_user_data(b"\xff\xff\xff\xff") == -1


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (
            protocol.decode_subscription,
            protocol.encode_subscription(["t", "u"], OWNED, 5, b"12", "rack"),
        ),
        (protocol.decode_assignment, protocol.encode_assignment(OWNED, b"12")),
    ],
)
def test_bytes_that_are_cut_short_are_refused_at_each_length(decode, data: bytes):
    for length in range(len(data)):
        error = error_of(decode, data[:length])
        assert error == KafkaError._BAD_MSG
        assert f"of {length}: " in error.str()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("ffff00000000ffffffff", "version, at byte 2 of 10: -1 is none"),
        ("0000ffffffff", "topics, at byte 6 of 6: -1 items in 0 bytes"),
        ("00007fffffff0001", "topics, at byte 6 of 8: 2147483647 items in 2 bytes"),
        ("000000000001ffff", "topic, at byte 8 of 8: null"),
        ("000000000001fffe", "topic, at byte 8 of 8: a string of -2 bytes"),
        ("0000000000010001ff", "topic, at byte 9 of 9: no UTF-8: invalid start byte"),
        ("000000000000fffffffe", "user data, at byte 10 of 10: -2 bytes"),
        (
            "000100000000ffffffff00000001000174" + "00000001ffffffff",
            "owned partitions, at byte 25 of 25: t [-1] is no partition",
        ),
    ],
)
def test_garbage_is_refused_with_the_field_and_the_place(data: str, what: str):
    error = error_of(protocol.decode_subscription, bytes.fromhex(data))
    assert error == KafkaError._BAD_MSG
    assert error.str() == f"consumer protocol, subscription, {what}"


def test_random_bytes_are_read_or_refused(random_source: random.Random):
    sound = protocol.encode_subscription(["t", "u"], OWNED, 5, b"12", "rack")
    decoders = [
        protocol.decode_subscription,
        protocol.decode_assignment,
        protocol.decode_sticky_user_data,
        protocol.decode_cooperative_user_data,
    ]
    for _ in range(2000):
        data = bytearray(sound)
        for _ in range(random_source.randint(1, 4)):
            data[random_source.randrange(len(data))] = random_source.choice([0, 1, 127, 128, 255])
        for decode in decoders:
            try:
                decode(bytes(data))
            except KafkaException as exception:
                assert exception.args[0] == KafkaError._BAD_MSG


def test_what_does_not_fit_the_protocol_is_refused():
    for call, argument in [
        (protocol.encode_subscription, ["x" * 40_000]),
        (protocol.encode_assignment, [("t", -1)]),
        (protocol.encode_assignment, [("t", 1 << 31)]),
    ]:
        assert error_of(call, argument) == KafkaError._INVALID_ARG
