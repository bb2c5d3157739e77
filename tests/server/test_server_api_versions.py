import struct

import pytest
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.handlers import HANDLER_MODULES
from pylog.testing import Server
from pylog.wire import APIS, Request, decode_response, encode_request

M = api(18)
NAMED = {"client_software_name": "test", "client_software_version": "1.0"}


@pytest.fixture(scope="module")
def client():
    with Server() as server, WireClient(server) as client:
        yield client


@pytest.mark.parametrize("version", range(5))
def test_every_api_with_a_handler_is_named_at_every_version(client, version):
    response = client.ask(M.ApiVersionsRequest(**(NAMED if version >= 3 else {})), version)
    assert response.error_code == 0
    assert [known.api_key for known in response.api_keys] == sorted(HANDLER_MODULES)
    for known in response.api_keys:
        offered = APIS[known.api_key].offered
        assert (known.min_version, known.max_version) == (offered.first, offered.last)


@pytest.mark.parametrize("version", [5, 7, 99, 32767])
def test_an_unknown_version_is_answered_at_version_0_and_the_connection_goes_on(client, version):
    known = b"".join(encode_request(Request(18, 3, 4711, "x", M.ApiVersionsRequest(**NAMED))))
    client.socket.sendall(known[:6] + version.to_bytes(2, "big") + known[8:])
    correlation_id, response = decode_response(client.receive_frame(), 18, 0)
    assert correlation_id == 4711
    assert response.error_code == KafkaError.UNSUPPORTED_VERSION
    assert [(one.api_key, one.min_version, one.max_version) for one in response.api_keys] == [
        (18, 0, 4)
    ]
    assert client.ask(M.ApiVersionsRequest(**NAMED)).error_code == 0


def test_the_response_header_is_the_old_one_in_flexible_versions_too(client):
    client.send(M.ApiVersionsRequest(**NAMED), 4)
    frame = client.receive_frame()
    client.forget()
    assert frame[4:6] == b"\0\0", "the error code follows the correlation id at once"


def test_produce_is_offered_from_version_0_for_librdkafka_to_compress(client):
    known = {one.api_key: one for one in client.ask(M.ApiVersionsRequest(**NAMED)).api_keys}
    assert known[0].min_version == 0


@pytest.mark.parametrize("version", range(3))
def test_produce_before_version_3_is_offered_and_ends_its_connection(client, version):
    host, port = client.socket.getpeername()
    with WireClient(f"{host}:{port}") as old:
        head = struct.pack(">hhih", 0, version, 1, -1)
        body = head + struct.pack(">hii", 1, 1000, 0)  # acks, timeout, no topics
        old.socket.sendall(struct.pack(">i", len(body)) + body)
        assert old.is_closed()
    assert client.ask(M.ApiVersionsRequest(**NAMED)).error_code == 0


@pytest.mark.parametrize(
    ("name", "software_version"), [("", "1"), ("a b", "1"), ("-a", "1"), ("a", "")]
)
def test_software_without_a_proper_name_is_an_invalid_request(client, name, software_version):
    asked = M.ApiVersionsRequest(
        client_software_name=name, client_software_version=software_version
    )
    assert client.ask(asked, 3).error_code == KafkaError.INVALID_REQUEST


def test_no_features_are_finalized(client):
    response = client.ask(M.ApiVersionsRequest(**NAMED), 4)
    assert response.finalized_features == []
    assert response.finalized_features_epoch == -1
