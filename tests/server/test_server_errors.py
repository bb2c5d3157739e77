"""From exceptions to codes, from codes to responses: every API can say no at every version."""

import dataclasses

import pytest
from wire_client import api

from logcore.config_def import ConfigError
from logcore.errors import DiskFullError, FsyncError, LogClosedError, LogError, LogIOError
from pylog.errors import KafkaError, KafkaException
from pylog.group.group_types import GroupError
from pylog.server.errors import error_of, refusal
from pylog.wire import APIS, Message, Request, WireError, decode_response, encode_response
from pylog.wire.fields import MessageType

CODE = KafkaError.KAFKA_STORAGE_ERROR
ALL = [
    (key, version)
    for key, known in APIS.items()
    for version in range(known.versions.first, known.versions.last + 1)
]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaException(KafkaError(KafkaError.INVALID_CONFIG, "x")), KafkaError.INVALID_CONFIG),
        (KafkaException(KafkaError(KafkaError._FS, "x")), KafkaError.KAFKA_STORAGE_ERROR),
        (KafkaException(KafkaError(KafkaError._TIMED_OUT, "x")), KafkaError.REQUEST_TIMED_OUT),
        (KafkaException(KafkaError(KafkaError._NOENT, "x")), KafkaError.UNKNOWN),
        (DiskFullError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (FsyncError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (LogIOError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (LogClosedError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (LogError("x"), KafkaError.KAFKA_STORAGE_ERROR),
        (OSError(28, "No space left on device"), KafkaError.KAFKA_STORAGE_ERROR),
        (OSError(24, "Too many open files"), KafkaError.KAFKA_STORAGE_ERROR),
        (ConfigError("a", "b", "c"), KafkaError.INVALID_CONFIG),
        (GroupError(KafkaError.UNKNOWN_MEMBER_ID, "x"), KafkaError.UNKNOWN_MEMBER_ID),
        (WireError("x"), KafkaError.INVALID_REQUEST),
        (ZeroDivisionError("x"), KafkaError.UNKNOWN),
    ],
)
def test_each_kind_of_exception_has_its_code(error, code):
    found, text = error_of(error)
    assert found == code
    assert text


def filled(kind: MessageType, version: int) -> Message:
    """A message with one item in every array, so that there is something to refuse."""
    message = kind()
    for name, field in kind.layout.fields.items():
        if version not in field.versions or not field.is_array:
            continue
        if isinstance(field.kind, MessageType):
            setattr(message, name, [filled(field.kind, version)])
        elif field.kind == "string":
            setattr(message, name, ["asked-for"])
        elif field.kind in ("int8", "int16", "int32", "int64"):
            setattr(message, name, [3])
    return message


def codes_in(message: Message) -> list[int]:
    found = []
    for name, field in type(message).layout.fields.items():
        value = getattr(message, name)
        if name in ("error_code", "partition_error_code"):
            found.append(value)
        elif field.is_array and isinstance(field.kind, MessageType):
            found += [code for item in value or [] for code in codes_in(item)]
    return found


# Their handlers say it themselves: nothing of the request is in the response.
BY_HAND = {30, 31}


@pytest.mark.parametrize(("key", "version"), [pair for pair in ALL if pair[0] not in BY_HAND])
def test_every_api_can_be_refused_at_every_version(key, version):
    asked = filled(APIS[key].request, version)
    response = refusal(asked, key, version, CODE, "no")
    frame = b"".join(encode_response(Request(key, version, 7, "x", asked), response))
    correlation_id, answer = decode_response(frame[4:], key, version)
    assert correlation_id == 7
    assert CODE in codes_in(answer), "the client is told"
    assert set(codes_in(answer)) <= {CODE, 0}


@pytest.mark.parametrize("key", sorted(APIS.keys() - BY_HAND))
def test_an_empty_request_is_refused_too(key):
    version = APIS[key].versions.last
    asked = APIS[key].request()
    encode_response(Request(key, version, 1, None, asked), refusal(asked, key, version, CODE, "no"))


def test_a_refusal_names_what_it_refuses():
    produce = api(0)
    asked = produce.ProduceRequest(
        topic_data=[
            produce.TopicProduceData(
                name="t", partition_data=[produce.PartitionProduceData(index=4)]
            )
        ]
    )
    (topic,) = refusal(asked, 0, 9, CODE, "no").responses
    (partition,) = topic.partition_responses
    assert (topic.name, partition.index, partition.error_code) == ("t", 4, CODE)
    assert partition.error_message == "no"
    fetch = api(9)
    asked = fetch.OffsetFetchRequest(
        group_id="g",
        topics=[fetch.OffsetFetchRequestTopic(name="t", partition_indexes=[1, 2])],
    )
    (topic,) = refusal(asked, 9, 1, CODE, "no").topics
    assert topic.name == "t"
    assert [(one.partition_index, one.error_code) for one in topic.partitions] == [
        (1, CODE), (2, CODE)
    ]  # fmt: skip


def test_fields_of_the_table_are_plain():
    assert all(dataclasses.is_dataclass(field) for field in APIS[3].request.layout.fields.values())
