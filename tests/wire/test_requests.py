"""Headers: which version has which, byte by byte, and what happens with unknown ones."""

import struct

import pytest
from tests.wire.random_messages import RandomMessages, seeded_random

from pylog.wire import (
    API_VERSIONS,
    APIS,
    Request,
    WireError,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from pylog.wire.messages.api_00_produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from pylog.wire.messages.api_18_api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)

UNSUPPORTED_VERSION = 35


def frame_of(buffers: list[bytes | bytearray | memoryview]) -> bytes:
    whole = b"".join(buffers)
    assert int.from_bytes(whole[:4], "big") == len(whole) - 4
    return whole[4:]


def test_a_request_without_tagged_fields_is_read():
    frame = bytes.fromhex("0000 0003 0000002a 0002 6d65  ffff ffff 00007530 00000001")
    frame += bytes.fromhex("0001 74 00000001 00000005 00000003 616263")
    request = decode_request(frame)
    assert (request.api_key, request.api_version, request.correlation_id) == (0, 3, 42)
    assert request.client_id == "me"
    assert request.trailing_bytes == 0
    partition = PartitionProduceData(index=5, records=memoryview(b"abc"))
    topic = TopicProduceData(name="t", partition_data=[partition])
    assert request.message == ProduceRequest(acks=-1, timeout_ms=30_000, topic_data=[topic])
    assert frame_of(encode_request(request)) == frame


def test_a_flexible_request_has_tagged_fields_in_its_header():
    frame = bytes.fromhex("0012 0003 00000007 ffff 00  0561626364 0331 2e 00")
    request = decode_request(frame)
    assert request.client_id is None
    assert request.message == ApiVersionsRequest(
        client_software_name="abcd", client_software_version="1."
    )
    assert frame_of(encode_request(request)) == frame
    tagged = bytes.fromhex("0012 0003 00000007 ffff 01 05 02 aabb 0561626364 0331 2e 00")
    assert decode_request(tagged).message == request.message


def test_the_response_header_of_a_flexible_version_has_tagged_fields():
    partition = PartitionProduceResponse(index=5, base_offset=9)
    response = ProduceResponse(
        responses=[TopicProduceResponse(name="t", partition_responses=[partition])]
    )
    old = frame_of(encode_response(Request(0, 8, 42), response))
    assert old[:8] == bytes.fromhex("0000002a 00000001")
    flexible = frame_of(encode_response(Request(0, 9, 42), response))
    assert flexible[:6] == bytes.fromhex("0000002a 00 02")
    assert decode_response(old, 0, 8) == decode_response(flexible, 0, 9) == (42, response)


def test_the_response_header_of_api_versions_never_has():
    response = ApiVersionsResponse(api_keys=[ApiVersion(api_key=1, min_version=4, max_version=18)])
    frame = frame_of(encode_response(Request(API_VERSIONS, 3, 7), response))
    assert frame == bytes.fromhex("00000007 0000 02 0001 0004 0012 00 00000000 00")
    assert decode_response(frame, API_VERSIONS, 3) == (7, response)


def test_api_versions_of_a_later_version_is_answered_at_version_0():
    request = decode_request(bytes.fromhex("0012 0063 00000007 0002 6d65 00 ffff"))
    assert request.message is None
    assert request.client_id == "me"
    response = ApiVersionsResponse(
        error_code=UNSUPPORTED_VERSION,
        api_keys=[ApiVersion(api_key=18, max_version=4)],
        throttle_time_ms=9,  # which version 0 lacks
    )
    frame = frame_of(encode_response(request, response))
    assert frame == bytes.fromhex("00000007 0023 00000001 0012 0000 0004")


@pytest.mark.parametrize(
    ("api_key", "version"),
    [(4, 0), (-1, 0), (0, 2), (0, 14), (0, -1), (999, 0), (127, 3), (128, 0)],
)
def test_an_api_or_version_that_is_not_known_has_a_header_and_no_message(
    api_key: int, version: int
):
    request = decode_request(struct.pack(">hhih", api_key, version, 7, -1) + b"anything")
    assert (request.api_key, request.api_version, request.correlation_id) == (api_key, version, 7)
    assert request.message is None
    with pytest.raises(WireError, match=f"no API key {api_key} with version {version}"):
        encode_response(request, ProduceResponse())
    with pytest.raises(WireError, match=f"no API key {api_key} with version {version}"):
        decode_response(b"", api_key, version)


def test_bytes_behind_the_message_are_counted():
    frame = frame_of(encode_request(Request(18, 0, 7, None, ApiVersionsRequest())))
    assert decode_request(frame + b"more").trailing_bytes == 4


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "a header in 0 bytes"),
        (b"\0" * 9, "a header in 9 bytes"),
        (struct.pack(">hhih", 18, 0, 7, -2), "a client id of -2 bytes"),
        (struct.pack(">hhih", 18, 0, 7, 5) + b"abc", "5 bytes needed, 3 left"),
        (struct.pack(">hhih", 18, 0, 7, 2) + b"\xc3\x28", "a client id that is not UTF-8"),
    ],
)
def test_a_broken_header_is_refused(head: bytes, reason: str):
    with pytest.raises(WireError, match=reason):
        decode_request(head)


def test_a_client_id_that_is_too_long_is_refused():
    request = Request(18, 0, 7, "x" * 40_000, ApiVersionsRequest())
    with pytest.raises(WireError, match="a client id of 40000 bytes"):
        encode_request(request)


@pytest.mark.parametrize("api", APIS.values(), ids=lambda api: api.name)
def test_requests_and_responses_come_back_with_their_headers(api):
    source = seeded_random(api.name)
    maker = RandomMessages(source)
    for version in range(api.versions.first, api.versions.last + 1):
        sent = Request(api.key, version, source.randrange(1 << 31), "naïve",
                       maker.make(api.request, version))  # fmt: skip
        request = decode_request(frame_of(encode_request(sent)))
        assert repr(request).startswith(f"Request(api_key={api.key}, api_version={version}, ")
        assert request.message == sent.message
        assert (request.correlation_id, request.client_id) == (sent.correlation_id, "naïve")
        response = maker.make(api.response, version)
        answer = frame_of(encode_response(request, response))
        assert decode_response(answer, api.key, version) == (sent.correlation_id, response)
