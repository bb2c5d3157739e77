"""Bad input: whatever comes in, the others are served, and the server lives on."""

import logging
import random
import socket
import struct

import pytest
from confluent_kafka import Consumer, Producer
from fuzz.fuzz_server import Failures, run_round
from tests.wire.random_messages import seeded_random
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.handlers import HANDLER_MODULES, offered_versions
from pylog.testing import Server
from pylog.wire import APIS, Request, encode_request

VERSIONS, METADATA, FETCH, PRODUCE = api(18), api(3), api(1), api(0)
CLIENT_ENDS = frozenset({0})  # Produce with acks=0, which a request with nothing in it has


@pytest.fixture
def failures():
    """What the server logs as its own failure while a test runs; there may be none."""
    handler = Failures()
    logger = logging.getLogger("pylog.server")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    assert handler.found == []


def is_served(server):
    with WireClient(server) as client:
        request = VERSIONS.ApiVersionsRequest(client_software_name="t", client_software_version="1")
        return client.ask(request, 3).error_code == 0


def every_version():
    for key in sorted(HANDLER_MODULES):
        offered = offered_versions(key)
        first = max(offered.first, APIS[key].versions.first)
        for version in range(first, min(offered.last, APIS[key].versions.last) + 1):
            yield key, version


def test_a_request_with_nothing_in_it_is_answered_in_every_version(server, failures):
    """All fields have their defaults: names are empty, arrays too."""
    for key, version in every_version():
        with WireClient(server) as client:
            request = APIS[key].request()
            if key in CLIENT_ENDS:
                request.acks = 1
            client.send(request, version)
            response = client.receive()
            assert getattr(response, "error_code", 0) != KafkaError.UNKNOWN, (key, version)


def test_a_request_may_end_anywhere_too_early(server, failures):
    """Each API, cut behind every byte, with a size that fits: refused, or passed over."""
    for key in sorted(HANDLER_MODULES):
        version = min(offered_versions(key).last, APIS[key].versions.last)
        frame = b"".join(encode_request(Request(key, version, 1, "x", APIS[key].request())))[4:]
        for end in range(len(frame)):
            with WireClient(server) as client:
                client.socket.sendall(struct.pack(">i", end) + frame[:end])
                client.socket.shutdown(socket.SHUT_WR)
                assert client.is_closed()
    assert is_served(server)


@pytest.mark.parametrize("count", [2**31 - 1, 2**20, 1000, -2, -(2**31)])
def test_arrays_longer_than_the_frame_take_no_memory(server, failures, count):
    """Counts at every place where one could be, in versions with counts of four bytes."""
    before = _resident_bytes()
    wrong = struct.pack(">i", count)
    for key in sorted(HANDLER_MODULES):
        version = max(offered_versions(key).first, APIS[key].versions.first)
        frame = b"".join(encode_request(Request(key, version, 1, "x", APIS[key].request())))[4:]
        for at in range(11, len(frame) - 3):
            body = frame[:at] + wrong + frame[at + 4 :]
            with WireClient(server) as client:
                client.socket.sendall(struct.pack(">i", len(body)) + body)
                client.socket.shutdown(socket.SHUT_WR)
                client.is_closed()
    assert is_served(server)
    assert _resident_bytes() - before < 64 << 20


def test_many_tagged_fields_are_passed_over_or_refused(server, failures):
    for count in (1, 64, 65, 10_000):
        with WireClient(server) as client:
            body = struct.pack(">hhih", 18, 3, 1, -1) + _varint(count)
            body += b"".join(_varint(1000 + tag) + b"\x01x" for tag in range(count))
            body += b"\x02t\x021\x00"
            client.socket.sendall(struct.pack(">i", len(body)) + body)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.is_closed()
    assert is_served(server)


def test_whatever_clients_send_and_however_they_end_the_server_goes_on(failures):
    """A round of fuzz/fuzz_server.py: all APIs and versions, whole, changed, cut, delayed."""
    with Server(brokers=2) as server:
        run_round(server, seeded_random("bad input"), share=0.25)


def test_a_consumer_that_never_reads_holds_up_nobody_and_costs_little(server, failures):
    """It asks for the same large batches again and again."""
    config = {"bootstrap.servers": server.bootstrap_servers}
    producer = Producer(config | {"compression.type": "none", "batch.size": 500_000})
    for _ in range(20):
        producer.produce("unread", random.Random(1).randbytes(400_000))
    producer.flush(20)
    before = _resident_bytes()
    partition = FETCH.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FETCH.FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=8 << 20,
        topics=[FETCH.FetchTopic(topic="unread", partitions=[partition])],
    )
    clients = [WireClient(server) for _ in range(20)]
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(50):
            client.send(request, 11)
    consumer = Consumer(config | {"group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["unread"])
    assert len([each for each in consumer.consume(20, 20) if each.error() is None]) == 20
    consumer.close()
    assert _resident_bytes() - before < 128 << 20
    for client in clients:
        client.close()
    assert is_served(server)


def test_as_many_connections_as_there_may_be_are_served_and_one_more_is_not(failures):
    with Server(properties={"max.connections": "200"}) as server:
        clients = [WireClient(server) for _ in range(200)]
        request = METADATA.MetadataRequest(topics=[])
        for client in clients:
            client.send(request, 12)
        for client in clients:
            assert client.receive().brokers
        with WireClient(server) as client:
            assert client.is_closed()
        for client in clients:
            client.close()


def test_a_frame_that_comes_byte_by_byte_from_many_clients_holds_no_memory(server, failures):
    """A size of 16 MiB is promised, and one byte sent: nothing is set aside for the rest."""
    before = _resident_bytes()
    clients = [WireClient(server) for _ in range(90)]
    for client in clients:
        client.socket.sendall(struct.pack(">i", 16 << 20) + b"\0")
    assert is_served(server)
    assert _resident_bytes() - before < 32 << 20
    for client in clients:
        client.close()


def test_topics_with_names_that_are_paths_are_refused(server, failures):
    create = api(19)
    names = ["", ".", "..", "../up", "a/b", "/etc", "a\0b", "x" * 250, "ü", "a b", "-\n"]
    topics = [
        create.CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names
    ]
    with WireClient(server) as client:
        response = client.ask(create.CreateTopicsRequest(topics=topics), 7)
        codes = {each.name: each.error_code for each in response.topics}
        assert codes == dict.fromkeys(names, KafkaError.TOPIC_EXCEPTION)
        topics = [METADATA.MetadataRequestTopic(name=name) for name in names]
        response = client.ask(METADATA.MetadataRequest(topics=topics), 12)
        assert {each.error_code for each in response.topics} == {KafkaError.TOPIC_EXCEPTION}


@pytest.mark.parametrize("partitions", [0, -2, 20_001, 2**31 - 1])
def test_a_topic_of_too_many_partitions_is_refused(server, failures, partitions):
    create = api(19)
    topic = create.CreatableTopic(name="large", num_partitions=partitions, replication_factor=1)
    with WireClient(server) as client:
        (answer,) = client.ask(create.CreateTopicsRequest(topics=[topic]), 7).topics
        assert answer.error_code in (KafkaError.INVALID_PARTITIONS, KafkaError.POLICY_VIOLATION)


def test_an_offset_that_is_to_last_for_ever_lasts_for_ever(server, failures):
    commit = api(8)
    partition = commit.OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    with WireClient(server) as client:
        client.ask(METADATA.MetadataRequest(topics=[METADATA.MetadataRequestTopic(name="kept")]), 4)
        request = commit.OffsetCommitRequest(
            group_id="kept",
            retention_time_ms=2**63 - 1,
            topics=[commit.OffsetCommitRequestTopic(name="kept", partitions=[partition])],
        )
        (topic,) = client.ask(request, 2).topics
        assert topic.partitions[0].error_code == 0


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def _resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
