"""Messages that a version cannot carry, and records that are sent without being copied."""

import mmap
from typing import Any

import pytest

from pylog.wire import Message, Request, WireError, encode_response
from pylog.wire.decoder import decode
from pylog.wire.encoder import encode
from pylog.wire.messages.api_01_fetch import (
    AbortedTransaction,
    FetchableTopicResponse,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
)
from pylog.wire.messages.api_03_metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponseTopic,
)
from pylog.wire.messages.api_12_heartbeat import HeartbeatResponse
from pylog.wire.messages.api_18_api_versions import ApiVersion, ApiVersionsResponse
from pylog.wire.messages.api_36_sasl_authenticate import SaslAuthenticateResponse
from pylog.wire.messages.api_68_consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatResponse,
)
from pylog.wire.planner import plan_of


def written(message: Message, version: int) -> bytes:
    return b"".join(encode(plan_of(type(message), version), message))


def fetched(records: Any, **fields: Any) -> FetchResponse:
    partition = PartitionData(partition_index=3, records=records, **fields)
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[partition])])


UNFIT: list[tuple[str, Message, int, str, str]] = [
    ("null", HeartbeatResponse(error_code=None), 0, "error_code", "cannot be interpreted as an int|"
     "null where"),
    ("int16", HeartbeatResponse(error_code=1 << 15), 0, "error_code", "32768 is not within -32768"),
    ("int32", HeartbeatResponse(throttle_time_ms=1 << 40), 1, "throttle_time_ms", "is not within"),
    ("int64", SaslAuthenticateResponse(session_lifetime_ms=1 << 63), 1, "session_lifetime_ms",
     "too"),
    ("float", HeartbeatResponse(error_code=1.5), 0, "error_code", "float"),
    ("string", MetadataResponse(cluster_id=7), 2, "cluster_id", "int is no text"),
    ("long string", MetadataResponse(cluster_id="é" * 20_000), 2, "cluster_id", "length of 40000"),
    ("surrogate", MetadataResponse(cluster_id="\ud800"), 9, "cluster_id", "surrogates not allowed"),
    ("bytes", SaslAuthenticateResponse(auth_bytes="secret"), 1, "auth_bytes", "bytes-like"),
    ("no list", MetadataResponse(brokers=7), 1, "brokers", "int is no list"),
    ("text as list", MetadataResponse(brokers="ab"), 1, "brokers", "str is no list"),
    ("null list", MetadataResponse(brokers=None), 1, "brokers", "null where"),
    ("null in a list", MetadataResponse(brokers=[None]), 1, "brokers[0]", "null where"),
    ("another class", MetadataResponse(brokers=[HeartbeatResponse()]), 1, "brokers[0]",
     "HeartbeatResponse is no MetadataResponseBroker"),
    ("deep", MetadataResponse(brokers=[MetadataResponseBroker(), MetadataResponseBroker(port="x")]),
     1, "brokers[1].port", "str"),
    ("uuid", MetadataResponse(topics=[MetadataResponseTopic(topic_id=b"short")]), 10,
     "topics[0].topic_id", "is not 16 bytes"),
    ("null struct", ConsumerGroupHeartbeatResponse(assignment=Assignment(topic_partitions=None)), 0,
     "assignment.topic_partitions", "null where"),
    ("no such field", MetadataRequest(allow_auto_topic_creation=False), 3,
     "allow_auto_topic_creation", "the version has no such field"),
    ("records", fetched("text"), 4, "responses[0].partitions[0].records", "bytes-like"),
    ("gaps", fetched(memoryview(b"abcd")[::2]), 12, "responses[0].partitions[0].records", "contig"),
    ("several", fetched([b"a", None]), 12, "responses[0].partitions[0].records", "bytes-l"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "version", "where", "reason"),
    [pytest.param(*case[1:], id=case[0]) for case in UNFIT],
)
def test_what_does_not_fit_is_named_with_its_place(
    message: Message, version: int, where: str, reason: str
):
    with pytest.raises(WireError, match=reason) as raised:
        written(message, version)
    assert raised.value.where == where
    assert raised.value.message_name == f"{type(message).__name__} v{version}"
    assert raised.value.position == -1


def test_a_deleted_field_is_named():
    response = HeartbeatResponse()
    del response.error_code
    with pytest.raises(WireError, match="error_code: the attribute was deleted"):
        written(response, 0)


def test_a_message_of_another_class_is_refused():
    with pytest.raises(WireError, match="MetadataRequest is no HeartbeatResponse"):
        encode(plan_of(HeartbeatResponse, 0), MetadataRequest())


def test_what_a_version_lacks_is_dropped_where_the_schema_allows_it():
    response = MetadataResponse(throttle_time_ms=5, cluster_id="c", controller_id=1)
    assert decode(plan_of(MetadataResponse, 0), written(response, 0)) == MetadataResponse()


def test_tagged_fields_with_their_defaults_are_left_out():
    response = fetched(b"", current_leader=LeaderIdAndEpoch())
    assert written(response, 12) == written(fetched(b""), 12)
    response.responses[0].partitions[0].current_leader = LeaderIdAndEpoch(leader_id=7)
    assert len(written(response, 12)) == len(written(fetched(b""), 12)) + 2 + 4 + 4 + 1


def test_a_tagged_field_may_be_longer_than_127_bytes():
    response = ApiVersionsResponse(finalized_features=[])
    assert written(response, 3).endswith(b"\0")
    hosts = FetchResponse()
    hosts.node_endpoints = [NodeEndpoint(node_id=number, host="h" * 200) for number in range(100)]
    plan = plan_of(FetchResponse, 16)
    assert decode(plan, b"".join(encode(plan, hosts))) == hosts


def test_numbers_that_are_no_int_but_stand_for_one_are_taken():
    class Index:
        def __index__(self) -> int:
            return 7

    response = HeartbeatResponse(error_code=Index())
    assert decode(plan_of(HeartbeatResponse, 0), written(response, 0)).error_code == 7


@pytest.mark.parametrize("version", [4, 11, 12, 18])
def test_records_are_sent_from_where_they_are(version: int):
    with mmap.mmap(-1, 1 << 16) as segment:
        segment[:] = b"r" * (1 << 16)
        first, second = memoryview(segment)[:1000], memoryview(segment)[5000:5010]
        response = FetchResponse(
            responses=[
                FetchableTopicResponse(
                    topic="t" * (version < 13),
                    partitions=[
                        PartitionData(partition_index=0, records=first),
                        PartitionData(partition_index=1, records=None),
                        PartitionData(partition_index=2, records=b""),
                        PartitionData(
                            partition_index=3,
                            aborted_transactions=[AbortedTransaction(producer_id=1)],
                            records=[second, b"more"],
                        ),
                    ],
                )
            ]
        )
        buffers = encode_response(Request(1, version, 9), response)
        assert [type(each) for each in buffers[:3]] == [bytes, memoryview, bytes]
        assert buffers[1] is first
        assert buffers[3] is second
        assert buffers[4] == b"more"
        whole = b"".join(buffers)
        assert int.from_bytes(whole[:4], "big") == len(whole) - 4
        head = 9 if version >= 12 else 8
        read = decode(plan_of(FetchResponse, version), whole[head:])
        found = [partition.records for partition in read.responses[0].partitions]
        assert found == [b"r" * 1000, None, b"", b"r" * 10 + b"more"]
        del buffers, response, found, read
        first.release()
        second.release()


def test_records_that_are_read_are_slices_of_the_frame():
    plan = plan_of(FetchResponse, 4)
    frame = bytearray(b"".join(encode(plan, fetched(b"abc"))))
    records = decode(plan, frame).responses[0].partitions[0].records
    assert isinstance(records, memoryview)
    assert records.obj is frame
    frame[-3:] = b"xyz"
    assert records == b"xyz"


def test_a_message_larger_than_the_first_buffer_is_whole():
    versions = [ApiVersion(api_key=key, max_version=5) for key in range(20_000)]
    response = ApiVersionsResponse(api_keys=versions)
    for version in (0, 3):
        plan = plan_of(ApiVersionsResponse, version)
        assert decode(plan, b"".join(encode(plan, response))) == response
