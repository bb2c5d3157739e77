"""One connection: order, pieces, garbage, limits, ends."""

import socket
import struct

import pytest
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.connection import LEAST_BYTES_A_SECOND
from pylog.testing import Server

VERSIONS, METADATA, DESCRIBE, CREATE = api(18), api(3), api(32), api(19)


def api_versions():
    return VERSIONS.ApiVersionsRequest(client_software_name="test", client_software_version="1")


def create(name):
    topic = CREATE.CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    return CREATE.CreateTopicsRequest(topics=[topic])


def connection_of(server, client):
    """The server's end of a connection."""
    port = client.socket.getsockname()[1]

    def find():
        for connection in server.broker.connections:
            if connection._transport.get_extra_info("peername")[1] == port:
                return connection
        return None

    client.ask(api_versions(), 3)
    return server.call(find)


# ---- order ----


def test_responses_come_in_the_order_of_their_requests(client):
    """Making a topic waits for the disk, the request behind it does not."""
    for number in range(30):
        client.send(create(f"ordered-{number}"), 7)
        client.send(api_versions(), 3)
        client.send(METADATA.MetadataRequest(topics=[]), 12)
    for number in range(30):
        (made,) = client.receive().topics
        assert (made.name, made.error_code) == (f"ordered-{number}", 0)
        assert client.receive().api_keys
        assert client.receive().brokers


def test_a_request_sees_what_the_one_before_it_did(client):
    client.send(create("seen"), 7)
    client.send(
        METADATA.MetadataRequest(
            topics=[METADATA.MetadataRequestTopic(name="seen")], allow_auto_topic_creation=False
        ),
        12,
    )
    client.receive()
    assert client.receive().topics[0].error_code == 0


def test_the_correlation_id_is_repeated_whatever_it_is(client):
    for number in (-1, 0, -(2**31), 2**31 - 1):
        frame = bytearray(client.frame(api_versions(), 3))
        frame[8:12] = struct.pack(">i", number)
        client.socket.sendall(frame)
        assert client.receive_frame()[:4] == struct.pack(">i", number)
    client.forget()


@pytest.mark.parametrize("client_id", [None, "", "x" * 3000, "ünï"])
def test_any_client_id_will_do(server, client_id):
    with WireClient(server, client_id) as client:
        assert client.ask(api_versions(), 3).error_code == 0


# ---- pieces ----


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_requests_may_come_in_pieces_of_any_size(client, size):
    data = client.frame(api_versions(), 3) + client.frame(METADATA.MetadataRequest(topics=[]), 12)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(data), size):
        client.socket.sendall(data[start : start + size])
    assert client.receive().api_keys
    assert client.receive().brokers


def test_bytes_behind_the_message_are_passed_over_as_kafka_does(client):
    frame = client.frame(api_versions(), 3) + b"more"
    client.socket.sendall(struct.pack(">i", len(frame) - 4) + frame[4:])
    assert client.receive().api_keys
    assert client.ask(api_versions(), 3).api_keys


# ---- what is no request ----


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),  # a TLS hello
        bytes(4),
        struct.pack(">i", 3) + b"abc",
        struct.pack(">i", -1),
        struct.pack(">i", 2**31 - 1),
        struct.pack(">ihhih", 10, 4711, 0, 1, -1),  # an unknown API
        struct.pack(">ihhih", 10, 3, 999, 1, -1),  # an unknown version
        struct.pack(">ihhih", 10, 3, -1, 1, -1),
        struct.pack(">ihhih", 10, 18, 0, 1, 100),  # a client id longer than the frame
        struct.pack(">ihhihi", 14, 3, 1, 1, -1, 2**31 - 1),  # an array longer than the frame
        struct.pack(">ihhihi", 14, 3, 1, 1, -1, -2),
        struct.pack(">ihhih", 12, 18, 0, 1, 2) + b"\xff\xfe",  # a client id that is no text
    ],
)
def test_what_is_no_request_closes_its_connection_and_no_other(server, client, data):
    with WireClient(server) as stranger:
        stranger.socket.sendall(data)
        assert stranger.is_closed()
    assert client.ask(api_versions(), 3).error_code == 0


def test_what_was_asked_before_garbage_is_answered(server):
    with WireClient(server) as client:
        client.socket.sendall(client.frame(create("before"), 7) + struct.pack(">i", -5))
        assert client.receive().topics[0].error_code == 0
        assert client.is_closed()


def test_a_request_larger_than_allowed_closes_the_connection():
    properties = {"socket.request.max.bytes": "100000", "message.max.bytes": "1000"}
    with Server(properties=properties) as server, WireClient(server) as client:
        client.socket.sendall(struct.pack(">i", 100_001))
        assert client.is_closed()


def test_a_client_that_hangs_up_half_way_harms_nobody(server, client):
    for size in (1, 4, 10, 20):
        with WireClient(server) as other:
            other.socket.sendall(other.frame(METADATA.MetadataRequest(topics=[]), 12)[:size])
    for _ in range(3):
        with WireClient(server) as other:
            other.send(create("left-behind"), 7)
    assert client.ask(api_versions(), 3).error_code == 0


def test_a_client_that_sends_no_more_still_gets_its_answers(client):
    for number in range(5):
        client.send(create(f"half-closed-{number}"), 7)
    client.socket.shutdown(socket.SHUT_WR)
    for _ in range(5):
        assert client.receive().topics[0].error_code == 0
    assert client.is_closed()


# ---- clients that do not do their part ----


def describe_broker():
    resource = DESCRIBE.DescribeConfigsResource(
        resource_type=4, resource_name="0", configuration_keys=None
    )
    return DESCRIBE.DescribeConfigsRequest(resources=[resource] * 20, include_synonyms=True)


def test_a_client_that_does_not_read_is_not_served_on_and_loses_nothing(server, client):
    """Its requests wait where TCP holds them, so that they cost the server no memory."""
    count = 40
    connection = connection_of(server, client)
    frames = [client.frame(describe_broker(), 4) for _ in range(count)]
    client.socket.setblocking(False)
    sent = 0
    data = memoryview(b"".join(frames))
    while sent < len(data):
        try:
            sent += client.socket.send(data[sent:])
        except BlockingIOError:
            break
    client.socket.settimeout(20)
    with WireClient(server) as other:
        for _ in range(20):
            assert other.ask(api_versions(), 3).error_code == 0
    written = server.call(lambda: connection._transport.get_write_buffer_size())
    assert written < 8 << 20
    answers = 0
    while answers * len(frames[0]) < sent - len(frames[0]):
        assert len(client.receive().results) == 20
        answers += 1
    assert answers > 0


def test_an_idle_connection_is_closed():
    properties = {"connections.max.idle.ms": "50"}
    with Server(properties=properties) as server, WireClient(server) as client:
        assert client.is_closed()


def test_a_request_that_comes_in_too_slowly_is_given_up(server, client):
    connection = connection_of(server, client)
    begun = client.frame(METADATA.MetadataRequest(topics=[]), 12)[:-1]
    client.socket.sendall(begun)

    def is_begun():
        return connection._frame_since_s is not None

    while not server.call(is_begun):
        pass
    now_s = server.broker.loop.time()
    grace_s = server.broker.config.request_receive_s + len(begun) / LEAST_BYTES_A_SECOND
    server.call(connection.sweep, now_s + grace_s - 1)
    assert not connection._is_closing
    server.call(connection.sweep, now_s + grace_s + 1)
    assert client.is_closed()


def test_a_resting_connection_holds_no_memory(server, client):
    connection = connection_of(server, client)
    assert connection.held_bytes > 0
    server.call(connection.sweep, server.broker.loop.time() + 5)
    assert connection.held_bytes == 0
    assert client.ask(api_versions(), 3).error_code == 0


# ---- limits ----


@pytest.mark.kafka_server(properties={"max.connections": "2"})
def test_a_connection_too_many_is_refused_until_another_one_goes(kafka_server):
    first, second = WireClient(kafka_server), WireClient(kafka_server)
    assert first.ask(api_versions(), 3).error_code == 0
    assert second.ask(api_versions(), 3).error_code == 0
    with WireClient(kafka_server) as third:
        assert third.is_closed()
    first.close()
    while kafka_server.call(lambda: kafka_server.broker.limits.connection_count) > 1:
        pass
    with WireClient(kafka_server) as third:
        assert third.ask(api_versions(), 3).error_code == 0
    second.close()


@pytest.mark.kafka_server(properties={"queued.max.request.bytes": "200000"})
def test_requests_share_a_limit_of_memory_and_all_of_them_come_through(kafka_server):
    """Over the limit a connection waits, and the one that began first goes on."""
    names = [METADATA.MetadataRequestTopic(name="x" * 200) for _ in range(1500)]
    clients = [WireClient(kafka_server) for _ in range(4)]
    frames = []
    for client in clients:
        connection_of(kafka_server, client)
        request = METADATA.MetadataRequest(topics=names, allow_auto_topic_creation=False)
        frames.append(client.frame(request, 12))
        client.socket.sendall(frames[-1][:180_000])
    limits = kafka_server.broker.limits
    while kafka_server.call(lambda: len(limits._waiting)) < 3:
        pass
    assert kafka_server.call(lambda: limits.held_bytes) < 2 * 320_000
    assert sum(one.held_bytes for one in kafka_server.broker.connections) < 320_000 + 3 * 70_000
    for client, frame in zip(clients, frames, strict=True):
        client.socket.sendall(frame[180_000:])
    for client in clients:
        assert len(client.receive().topics) == 1500
        client.close()


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_connections_one_after_another_leave_nothing_behind(server, client, count):
    host, port = server.bootstrap_servers.split(":")
    for number in range(count):
        stranger = socket.create_connection((host, int(port)))
        if number % 3 == 0:
            stranger.sendall(b"\0\0")
        # Reset, so that the machine does not run out of ports.
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stranger.close()
    assert client.ask(api_versions(), 3).error_code == 0
    while server.call(lambda: server.broker.limits.connection_count) > 1:
        pass
    assert len(server.broker.connections) == 1


def test_a_handler_that_fails_answers_with_an_error_and_the_connection_goes_on(tmp_path):
    """A folder that goes under the server: nothing can be made, and the server lives on."""
    with Server(tmp_path) as server, WireClient(server) as client:
        (tmp_path / ".topics").mkdir(exist_ok=True)
        (tmp_path / ".pending").chmod(0o700)
        meta = (tmp_path / "pylog.meta").rename(tmp_path / "away")
        failed = client.ask(CREATE.CreateTopicsRequest(
            topics=[CREATE.CreatableTopic(name="t", num_partitions=-1, replication_factor=1)]
        ))  # fmt: skip
        assert failed.topics[0].error_code not in (0, KafkaError.UNKNOWN)
        meta.rename(tmp_path / "pylog.meta")
        assert client.ask(create("t")).topics[0].error_code == 0
