"""A disk without room: whatever writes is refused with a code, and all is well once there is some.

The server is a process of its own, of which no file may grow (RLIMIT_FSIZE).
"""

import contextlib
import resource
import time

import pytest
from confluent_kafka import Consumer
from group_client import GroupClient
from produced import INIT, TOPICS, create, make_batch, produce
from wire_client import api

from pylog.errors import KafkaError
from pylog.server.errors import STORAGE_LOG_INTERVAL_S
from pylog.testing import ServerProcess

METADATA = api(3)
FULL = KafkaError.KAFKA_STORAGE_ERROR


@contextlib.contextmanager
def no_room(server, largest=0):
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def server():
    with ServerProcess() as server:
        yield server


@pytest.fixture
def client(server):
    with GroupClient(server) as client:
        create(client, "t")
        assert produce(client, "t", make_batch(b"before"), acks=-1).error_code == 0
        assert client.commit("g", {("t", 0): 1}) == [0]
        yield client


@pytest.mark.parametrize("acks", [1, -1])
def test_a_batch_is_a_storage_error_and_the_next_one_with_room_has_the_next_offset(
    server, client, acks
):
    with no_room(server):
        for _ in range(3):
            answer = produce(client, "t", make_batch(bytes(5000)), acks=acks)
            assert (answer.error_code, answer.base_offset) == (FULL, -1)
    answer = produce(client, "t", make_batch(b"after"), acks=acks)
    assert (answer.error_code, answer.base_offset) == (0, 1)


def test_the_log_tells_of_a_full_disk_but_not_for_every_batch(server, client):
    began_s = time.monotonic()
    with no_room(server, largest=4096):  # stderr is a file too
        for _ in range(20):
            assert produce(client, "t", make_batch(bytes(5000)), acks=1).error_code == FULL
    took_s = time.monotonic() - began_s
    lines = server.stop().splitlines()
    assert f"ERROR pylog.server: storage error: cannot append to {server.folder}/t-0" in lines[0]
    assert len(lines) <= 1 + took_s / STORAGE_LOG_INTERVAL_S


def test_a_topic_is_made_whole_or_not_at_all(server, client):
    topic = TOPICS.CreatableTopic(name="new", num_partitions=3, replication_factor=1)
    asked = METADATA.MetadataRequest(topics=[METADATA.MetadataRequestTopic(name="named")])
    with no_room(server):
        (made,) = client.ask(TOPICS.CreateTopicsRequest(topics=[topic]), 7).topics
        assert made.error_code == FULL
        assert [each.error_code for each in client.ask(asked, 12).topics] == [FULL]
        everything = client.ask(METADATA.MetadataRequest(topics=None), 12)
        assert [each.name for each in everything.topics if not each.is_internal] == ["t"]
    create(client, "new", 3)
    assert [each.error_code for each in client.ask(asked, 12).topics] == [0]


def test_members_of_groups_look_for_the_coordinator_until_there_is_room(server, client):
    """They have no word for a full disk: of any other code they would make an end."""
    with no_room(server):
        assert client.commit("g", {("t", 0): 2}) == [KafkaError.NOT_COORDINATOR]
        assert client.offsets("g", ("t", 0)) == [1]
        assert client.join("new").error_code == KafkaError.NOT_COORDINATOR
        answer = client.consume("newer", "member", topics=["t"])
        assert answer.error_code == KafkaError.NOT_COORDINATOR
    assert client.commit("g", {("t", 0): 3}) == [0]
    assert client.offsets("g", ("t", 0)) == [3]
    client.lead("new")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_consumer_of_librdkafka_outlives_a_full_disk(server, client, protocol):
    config = {
        "bootstrap.servers": server.bootstrap_servers,
        "group.id": f"rd-{protocol}",
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(config)
    with no_room(server):
        consumer.subscribe(["t"])
        assert consumer.poll(1.0) is None
    (message,) = consumer.consume(1, 20)
    assert message.value() == b"before"
    consumer.commit(message, asynchronous=False)
    consumer.close()


def test_a_producer_gets_its_id_when_there_is_room(server, client):
    def init(transactional_id):
        request = INIT.InitProducerIdRequest(
            transactional_id=transactional_id, transaction_timeout_ms=10_000
        )
        return client.ask(request, 4).error_code

    with no_room(server):
        assert init("tx") == KafkaError.COORDINATOR_NOT_AVAILABLE
    assert init("tx") == 0
    assert init(None) == 0
