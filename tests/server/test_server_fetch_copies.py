"""Records on their way to a client whose transport loads them itself: TLS, and asyncio without
uvloop. They are what is on the disk, and what was mapped is not needed any more.
"""

import asyncio
import fcntl
import random
import socket
import ssl
import sys
import termios
from pathlib import Path

import pytest
from produced import create, fetch_request, make_batch, partitions_of, produce, values_of, wanted
from secure_server import make_certificates
from wire_client import WireClient, api

import pylog.testing.server
from logcore.batch import iter_batches
from pylog.testing import Server

DELETE = api(20)
BATCH_BYTES = 900_000
BATCH_COUNT = 10


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["PLAINTEXT uvloop", "PLAINTEXT asyncio", "SSL uvloop", "SSL asyncio"])
def kind(request, monkeypatch):
    protocol, loop = request.param.split()
    if loop == "asyncio":
        monkeypatch.setattr(pylog.testing.server, "new_loop", asyncio.new_event_loop)
    else:
        pytest.importorskip("uvloop")
    return protocol, loop


@pytest.fixture
def server(kind, certificates):
    properties = {
        "listeners": f"{kind[0]}://127.0.0.1:0,INSIDE://127.0.0.1:0",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,INSIDE:PLAINTEXT",
        "ssl.keystore.location": str(certificates / "server.pem"),
    }
    with Server(properties=properties) as server:
        yield server


@pytest.fixture
def inside(server):
    (node,) = server.broker.nodes["INSIDE"]
    with WireClient(f"{node.host}:{node.port}") as client:
        yield client


def reader(server, protocol, certificates):
    """A client with little room for what comes in."""
    client = WireClient(server)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    if protocol == "SSL":
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    return client


def fill(client, topic):
    """Make a topic with records, all of them different bytes."""
    noise = random.Random(7)
    create(client, topic)
    for _ in range(BATCH_COUNT):
        answer = produce(client, topic, make_batch(noise.randbytes(BATCH_BYTES)))
        assert answer.error_code == 0


def kept(server, topic):
    """The batches on the disk."""
    (path,) = Path(server.folder, f"{topic}-0").glob("*.log")
    data, batches = path.read_bytes(), []
    for _ in range(BATCH_COUNT):
        size = 12 + int.from_bytes(data[8:12], "big")
        batches.append(data[:size])
        data = data[size:]
    return batches


def delete(client, topic):
    topics = [DELETE.DeleteTopicState(name=topic)]
    request = DELETE.DeleteTopicsRequest(topics=topics, timeout_ms=10_000)
    assert client.ask(request, 6).responses[0].error_code == 0


def wait_until_it_comes(client):
    """Until a response comes in: then the transport has all of it."""
    waiting = bytearray(4)
    while int.from_bytes(waiting, sys.byteorder) < 100_000:
        fcntl.ioctl(client.socket, termios.FIONREAD, waiting)


def fetch_from(offset, max_bytes=1 << 26):
    return fetch_request(("t", [wanted(0, offset, max_bytes)]))


def records_of(batch):
    return [record for each in iter_batches(batch) for record in each.records()]


def mapped_segments(folder):
    """Which segments of a folder this process has mapped, deleted ones too."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if folder in line and ".log" in line]


def test_the_bytes_of_the_disk_come_through(server, kind, certificates, inside):
    fill(inside, "t")
    expected = kept(server, "t")
    with reader(server, kind[0], certificates) as client:
        for offset, data in enumerate(expected):
            (answer,) = partitions_of(client.ask(fetch_from(offset, 1000), 12))
            assert bytes(answer.records) == data
        (answer,) = partitions_of(client.ask(fetch_from(0), 12))
        assert bytes(answer.records) == b"".join(expected)
        (connection,) = (one for one in server.broker.connections if one.listener_name == kind[0])
        assert connection.sends_in_place == (kind == ("PLAINTEXT", "uvloop"))


def test_large_requests_are_received_as_they_were_sent(server, kind, certificates, inside):
    create(inside, "t")
    noise = random.Random(8)
    with reader(server, kind[0], certificates) as client:
        sent = [make_batch(noise.randbytes(BATCH_BYTES)) for _ in range(3)]
        for batch in sent:
            assert produce(client, "t", batch).error_code == 0
        for offset, batch in enumerate(sent):
            (answer,) = partitions_of(inside.ask(fetch_from(offset, 1000), 12))
            assert values_of(answer) == [record.value for record in records_of(batch)]


def test_a_slow_client_gets_all_of_a_response_though_the_topic_is_deleted_meanwhile(
    server, kind, certificates, inside
):
    fill(inside, "t")
    expected = b"".join(kept(server, "t"))
    with reader(server, kind[0], certificates) as client:
        client.send(fetch_from(0), 12)
        wait_until_it_comes(client)
        delete(inside, "t")
        # Where it was copied, nothing is left of the log; else it is until all is sent.
        is_in_place = kind == ("PLAINTEXT", "uvloop")
        assert bool(mapped_segments(server.folder)) == is_in_place
        fill(inside, "other")  # in the place of what is free now
        (answer,) = partitions_of(client.receive())
        assert bytes(answer.records) == expected
        delete(inside, "other")
        while mapped_segments(server.folder):
            assert is_in_place
            server.call(lambda: None)
