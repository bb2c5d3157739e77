"""Who is let in: how many at a time, how many a second, and from when on a connection counts."""

import contextlib
import resource
import socket
import time

import pytest
from secure_server import make_certificates
from wire_client import WireClient, api

from pylog.server.quota_store import CONNECTION_CREATION_RATE, IP
from pylog.testing import Server, ServerProcess

METADATA = api(3)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_server(certificates, **properties):
    return Server(
        properties={
            "listeners": "SSL://127.0.0.1:0,PLAINTEXT://127.0.0.1:0",
            "ssl.keystore.location": str(certificates / "server.pem"),
            **properties,
        }
    )


def plain_address(server):
    (node,) = server.broker.nodes["PLAINTEXT"]
    return f"{node.host}:{node.port}"


def connect(server):
    """A connection to the first listener that says nothing."""
    host, port = server.bootstrap_servers.split(":")
    return socket.create_connection((host, int(port)), 20)


def wait_for_count(server, count):
    deadline_s = time.monotonic() + 20
    while server.call(lambda: server.broker.limits.connection_count) != count:
        assert time.monotonic() < deadline_s


def is_served(address, source_host=None):
    """Whether a connection is answered; False when it is closed without a word."""
    with WireClient(address, source_host=source_host) as client:
        try:
            return bool(client.ask(METADATA.MetadataRequest(topics=[]), 12).brokers)
        except ConnectionError:
            return False


def test_who_has_not_said_a_word_of_tls_counts(certificates):
    with tls_server(certificates, **{"max.connections": "3"}) as server:
        with contextlib.ExitStack() as silent:
            for _ in range(3):
                silent.enter_context(connect(server))
            wait_for_count(server, 3)
            assert not is_served(plain_address(server))
        wait_for_count(server, 0)
        assert is_served(plain_address(server))


def test_who_has_not_said_a_word_of_tls_counts_for_its_address(certificates):
    with tls_server(certificates, **{"max.connections.per.ip": "2"}) as server:
        limits = server.broker.limits
        with connect(server), connect(server):
            wait_for_count(server, 2)
            assert server.call(limits.admit, "10.0.0.1") == ""
            assert server.call(lambda: dict(limits._by_address)) == {"127.0.0.1": 2, "10.0.0.1": 1}


def test_a_handshake_that_fails_counts_no_more(certificates):
    with tls_server(certificates) as server:
        with connect(server) as client:
            wait_for_count(server, 1)
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while client.recv(4096):
                    pass
        wait_for_count(server, 0)


def test_a_server_ends_at_once_beside_an_unfinished_handshake(certificates):
    with contextlib.ExitStack() as silent:
        with tls_server(certificates) as server:
            client = silent.enter_context(connect(server))
            wait_for_count(server, 1)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 5
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_server_ends_at_once_beside_a_connection_that_just_came(turns, caplog):
    with contextlib.ExitStack() as clients:
        server = Server().start()
        loop, stopping = server._loop, server._stopping
        (acceptor,) = server._listener._acceptors

        def come_and_stop():
            clients.enter_context(connect(server))
            acceptor._accept(acceptor._sockets[0])
            assert server.broker.limits.connection_count == 1
            stop_after(turns)

        def stop_after(count):
            if count:
                loop.call_soon(stop_after, count - 1)
            else:
                stopping.set()

        begun_s = time.monotonic()
        server.call(come_and_stop)
        server.stop()
        assert time.monotonic() - begun_s < 4
        assert [line for line in caplog.records if line.levelname == "ERROR"] == []


# ---- a second ----


def test_an_address_over_its_rate_is_let_wait_and_closed_and_no_other_is():
    with Server() as server:
        address = server.bootstrap_servers
        quota = (frozenset({(IP, "127.0.0.2")}), CONNECTION_CREATION_RATE, 1.0)
        server.broker.quotas.store.change([quota])
        served, waits_s = 0, []
        for _ in range(13):
            begun_s = time.monotonic()
            if is_served(address, "127.0.0.2"):
                served += 1
            else:
                waits_s.append(time.monotonic() - begun_s)
            assert is_served(address)
        assert served >= 10  # one a second, for all windows but one
        assert waits_s
        assert 0.05 < max(waits_s) < 3
        server.broker.quotas.store.change([(*quota[:2], None)])
        assert is_served(address, "127.0.0.2")


def test_a_server_ends_at_once_beside_connections_that_wait_to_be_closed():
    with contextlib.ExitStack() as clients:
        with Server() as server:
            default = (frozenset({(IP, None)}), CONNECTION_CREATION_RATE, 1.0)
            server.broker.quotas.store.change([default])
            held = [clients.enter_context(connect(server)) for _ in range(20)]
            wait_for_count(server, 10)
        with contextlib.suppress(ConnectionError):
            assert [each.recv(1) for each in held] == [b""] * 20


# ---- no room in the process ----


def test_a_process_without_room_for_more_serves_who_is_there_and_others_later():
    with ServerProcess() as server, WireClient(server) as first:
        request = METADATA.MetadataRequest(topics=[])
        assert first.ask(request, 12).brokers
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as more:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (60, hard))
            for _ in range(80):
                more.enter_context(connect(server))
            assert first.ask(request, 12).brokers
        assert is_served(server)
        assert first.ask(request, 12).brokers
        assert "no more connections for now" in server.stop()
