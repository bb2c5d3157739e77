"""What foreign-key joins write: hashes, subscriptions, answers, keys of the subscription store.

Cases of Kafka Streams' Murmur3Test, SubscriptionWrapperSerdeTest,
SubscriptionResponseWrapperSerdeTest and CombinedKeySchemaTest; bytes from
tests/golden/streams/changelogs.
"""

from base64 import b64decode
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylog.streams import serdes
from pylog.streams.config import StreamsConfig
from pylog.streams.errors import SerializationError
from pylog.streams.processors.foreign_key import (
    CombinedKey,
    CombinedKeySchema,
    Instruction,
    SubscriptionResponseWrapper,
    SubscriptionResponseWrapperSerde,
    SubscriptionWrapper,
    SubscriptionWrapperSerde,
    response_partitioner,
)
from pylog.streams.processors.foreign_key.value_hash import hash_value
from pylog.streams.serde import Serde

HASH = hash_value(b"\xff\xaa\x00\x19")
SUBSCRIPTIONS = SubscriptionWrapperSerde("pk", serdes.string)
ANSWERS = SubscriptionResponseWrapperSerde(serdes.string)


@pytest.mark.parametrize(
    ("data", "halves"),
    [
        (b"21", (5857341059704281894, -5288187638297930763)),
        (b"foobar", (-351361463397418609, 8959716011862540668)),
        (b"a-little-bit-long-string", (8836256500583638442, -198172363548498523)),
        (b"a-little-bit-longer-string", (1838346159335108511, 8794688210320490705)),
        (
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            (-4024021876037397259, -1482317706335141238),
        ),
        (b"abc", (1489494923063836066, -5440978547625122829)),
    ],
)
def test_hash_is_murmur3_of_128_bits(data: bytes, halves: tuple[int, int]) -> None:
    assert unpack(">qq", hash_value(data, 123)) == halves


def test_hash_of_a_row_is_that_of_kafka_streams() -> None:
    assert hash_value(b"l0") == b64decode("AQPX+aVDau3oJwHJlW8G9PalQQAAAAA=")[2:18]


@pytest.mark.parametrize("partition", [0, 10])
@pytest.mark.parametrize("value_hash", [HASH, None])
@pytest.mark.parametrize("instruction", list(Instruction))
def test_subscription_comes_back(
    instruction: Instruction, value_hash: bytes | None, partition: int
) -> None:
    wrapper = SubscriptionWrapper(value_hash, instruction, "key", partition)
    assert SUBSCRIPTIONS.deserialize("t", SUBSCRIPTIONS.serialize("t", wrapper)) == wrapper


@pytest.mark.parametrize("value_hash", [HASH, None])
def test_subscription_of_version_0_has_no_partition(value_hash: bytes | None) -> None:
    instruction = Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE
    wrapper = SubscriptionWrapper(value_hash, instruction, "key", None, version=0)
    assert SUBSCRIPTIONS.deserialize("t", SUBSCRIPTIONS.serialize("t", wrapper)) == wrapper


@pytest.mark.parametrize(("upgrade_from", "version"), [("3.2", 0), ("3.3", 0), ("3.4", 1)])
def test_subscriptions_are_of_version_0_while_old_readers_are_there(
    upgrade_from: str, version: int
) -> None:
    config = StreamsConfig(
        {"application.id": "app", "log.dir": "unused", "upgrade.from": upgrade_from}
    )
    serde = SUBSCRIPTIONS.resolve(config)
    wrapper = SubscriptionWrapper(HASH, Instruction.DELETE_KEY_AND_PROPAGATE, "key", 10)
    read = serde.deserialize("t", serde.serialize("t", wrapper))
    assert (read.version, read.primary_partition) == (version, None if version == 0 else 10)


def test_bytes_of_a_subscription_are_those_of_kafka_streams() -> None:
    golden = b64decode("AQPX+aVDau3oJwHJlW8G9PalQQAAAAA=")
    wrapper = SubscriptionWrapper(
        hash_value(b"l0"), Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE, "A", 0
    )
    assert SUBSCRIPTIONS.serialize("t", wrapper) == golden
    assert SUBSCRIPTIONS.deserialize("t", golden) == wrapper


def test_bytes_of_a_subscription_without_hash() -> None:
    wrapper = SubscriptionWrapper(None, Instruction.DELETE_KEY_AND_PROPAGATE, "A", 258)
    assert SUBSCRIPTIONS.serialize("t", wrapper) == b"\x81\x01A\x00\x00\x01\x02"


@pytest.mark.parametrize(
    "wrapper",
    [
        SubscriptionWrapper(HASH, Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE, None, 10),
        SubscriptionWrapper(HASH, Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE, "key", None),
        SubscriptionWrapper(HASH, Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE, "key", 1, 128),
    ],
    ids=["no key", "no partition", "unknown version"],
)
def test_subscription_that_cannot_be_written_is_refused(wrapper: SubscriptionWrapper) -> None:
    with pytest.raises(SerializationError):
        SUBSCRIPTIONS.serialize("t", wrapper)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x01\x03", b"\x02\x03" + bytes(24), b"\x81\x04key\x00\x00\x00\x00"],
    ids=["nothing", "one byte", "no hash", "version 2", "instruction 4"],
)
def test_bytes_that_are_no_subscription_are_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        SUBSCRIPTIONS.deserialize("t", data)


@given(st.binary(max_size=64))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    for serde in (SUBSCRIPTIONS, ANSWERS):
        try:
            read = serde.deserialize("t", data)
        except SerializationError:
            continue
        assert serde.serialize("t", read) == data


def test_primary_keys_are_serialized_for_a_topic_of_their_own() -> None:
    topics = []

    class Telling(Serde):
        def serialize(self, topic: str | None, data: str) -> bytes:
            topics.append(topic)
            return data.encode()

    config = StreamsConfig({"application.id": "app", "log.dir": "unused"})
    serde = SubscriptionWrapperSerde("subscriptions-pk", Telling()).resolve(config)
    wrapper = SubscriptionWrapper(HASH, Instruction.PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE, "key", 1)
    serde.serialize("app-subscriptions", wrapper)
    assert topics == ["app-subscriptions-pk"]


@pytest.mark.parametrize("foreign_value", ["foreign value", None])
@pytest.mark.parametrize("value_hash", [HASH, None])
def test_answer_comes_back_without_its_partition(
    value_hash: bytes | None, foreign_value: str | None
) -> None:
    answer = SubscriptionResponseWrapper(value_hash, foreign_value, 1)
    read = ANSWERS.deserialize("t", ANSWERS.serialize("t", answer))
    assert read == SubscriptionResponseWrapper(value_hash, foreign_value, None)


def test_bytes_of_an_answer_are_those_of_kafka_streams() -> None:
    golden = b64decode("ANf5pUNq7egnAcmVbwb09qVyNQ==")
    answer = SubscriptionResponseWrapper(hash_value(b"l0"), "r5", 0)
    assert ANSWERS.serialize("t", answer) == golden


def test_answer_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(SerializationError):
        ANSWERS.serialize("t", SubscriptionResponseWrapper(None, None, 1, version=-1))
    with pytest.raises(SerializationError):
        ANSWERS.deserialize("t", b"\x81")


def test_answer_goes_to_the_partition_of_the_left_row() -> None:
    assert response_partitioner("t", "key", SubscriptionResponseWrapper(HASH, "r", 7), 8) == 7
    assert response_partitioner("t", "key", SubscriptionResponseWrapper(HASH, "r", None), 8) is None


class _Context:
    application_id = "app"
    config = StreamsConfig({"application.id": "app", "log.dir": "unused"})


SCHEMA = CombinedKeySchema("fk", serdes.string, "pk", serdes.int).bind(_Context())  # type: ignore[arg-type]


def test_combined_key_comes_back() -> None:
    assert SCHEMA.from_bytes(SCHEMA.to_bytes("foreign", -999)) == CombinedKey("foreign", -999)


def test_combined_key_begins_with_the_size_of_the_foreign_key() -> None:
    assert SCHEMA.prefix_bytes("some foreign key") == pack(">i", 16) + b"some foreign key"
    assert SCHEMA.to_bytes("A", 1) == b"\x00\x00\x00\x01A\x00\x00\x00\x01"


def test_combined_key_needs_both_keys() -> None:
    with pytest.raises(SerializationError):
        SCHEMA.to_bytes("foreign", None)
    with pytest.raises(SerializationError):
        SCHEMA.to_bytes(None, 10)
    with pytest.raises(SerializationError):
        SCHEMA.prefix_bytes(None)
