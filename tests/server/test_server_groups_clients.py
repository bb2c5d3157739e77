"""Groups of real clients: librdkafka's consumers, in both protocols, over kills of the server."""

import contextlib
import time
import uuid

import confluent_kafka
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from group_client import GroupClient

import pylog
from pylog.log_dir import LogDir
from pylog.testing import Server, ServerProcess

PARTITIONS = 6
RECORDS = 300
PATIENCE_S = 30.0
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
PROPERTIES = {
    "group.consumer.heartbeat.interval.ms": "100",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.min.session.timeout.ms": "1000",
}


@pytest.fixture(scope="module")
def server():
    with Server(properties=PROPERTIES) as server:
        yield server


@pytest.fixture
def topic(server):
    """A topic with records in each partition."""
    name = f"topic-{uuid.uuid4()}"
    fill(server.broker.log_dir, name)
    return name


def fill(log_dir, name):
    log_dir.create_topic(name, PARTITIONS)
    with pylog.Producer({"log.dir": log_dir.path}) as producer:
        for number in range(RECORDS):
            producer.produce(name, f"record {number}", partition=number % PARTITIONS)


@contextlib.contextmanager
def consumers(server, topic, protocol, count, **extra):
    config = {
        "bootstrap.servers": server.bootstrap_servers,
        "group.id": topic,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
    }
    if protocol == "classic":
        config |= {"heartbeat.interval.ms": 100, "session.timeout.ms": 2000}
    config |= {name.replace("_", "."): value for name, value in extra.items()}
    made = []
    try:
        for number in range(count):
            own = {"client.id": f"client-{number}"}
            if "group.instance.id" in config:
                own["group.instance.id"] = f"{config['group.instance.id']}-{number}"
            made.append(confluent_kafka.Consumer(config | own))
            made[-1].subscribe([topic])
        yield made
    finally:
        for consumer in made:
            with contextlib.suppress(RuntimeError):
                consumer.close()


def read_until(members, is_done, found=None):
    """Poll all members until something is so; what they read."""
    found = [] if found is None else found
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_done(found):
        assert time.monotonic() < deadline_s, [member.assignment() for member in members]
        for member in members:
            for message in member.consume(100, 0.02):
                assert message.error() is None, message.error()
                found.append((message.partition(), message.offset()))
    return found


def are_shared_out(members):
    owned = [(one.topic, one.partition) for member in members for one in member.assignment()]
    return len(owned) == len(set(owned)) == PARTITIONS and all(m.assignment() for m in members)


@PROTOCOLS
def test_three_members_share_a_topic(server, topic, protocol):
    with consumers(server, topic, protocol, 3) as members:
        read_until(members, lambda _: are_shared_out(members))
        admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})

        def describe():
            return admin.describe_consumer_groups([topic])[topic].result()

        # A member has its partitions before the server has heard that it has.
        stable = confluent_kafka.ConsumerGroupState.STABLE
        read_until(members, lambda _: describe().state == stable)
        described = describe()
        assert sorted(member.client_id for member in described.members) == [
            "client-0", "client-1", "client-2",
        ]  # fmt: skip
        assert [len(m.assignment.topic_partitions) for m in described.members] == [2, 2, 2]


@PROTOCOLS
def test_what_a_member_leaves_the_others_go_on_with(server, topic, protocol):
    with consumers(server, topic, protocol, 2) as members:
        found = read_until(members, lambda found: len(set(found)) == RECORDS)
        read_until(members, lambda _: are_shared_out(members), found)
        members[0].close()
        read_until(members[1:], lambda _: are_shared_out(members[1:]), found)
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        committed = members[1].committed(places[:], timeout=10)
        assert {one.offset for one in committed} <= {RECORDS // PARTITIONS, -1001}
    assert set(found) == {
        (number, offset) for number in range(PARTITIONS) for offset in range(RECORDS // PARTITIONS)
    }


@PROTOCOLS
def test_the_next_member_begins_where_the_last_one_committed(server, topic, protocol):
    with consumers(server, topic, protocol, 1) as members:
        first = read_until(members, lambda found: len(found) >= RECORDS // 2)
    with consumers(server, topic, protocol, 1) as members:
        second = read_until(members, lambda found: len(found) + len(first) >= RECORDS)
    assert len(set(first + second)) == len(first + second) == RECORDS


def test_a_static_member_that_comes_back_keeps_its_partitions(server, topic):
    extra = {"group_instance_id": "static", "session_timeout_ms": 10_000}
    with consumers(server, topic, "classic", 2, **extra) as members:
        read_until(members, lambda _: are_shared_out(members))
        before = {(one.topic, one.partition) for one in members[1].assignment()}
        group = server.broker.groups.find(topic)
        generation = group.look().generation
        members[1].close()
        with GroupClient(server) as client:
            assert client.describe(topic).group_state == "Stable"
            assert len(client.describe(topic).members) == 2
        config = {
            "bootstrap.servers": server.bootstrap_servers,
            "group.id": topic,
            "group.instance.id": "static-1",
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 100,
        }
        back = confluent_kafka.Consumer(config)
        try:
            back.subscribe([topic])
            read_until([members[0], back], lambda _: back.assignment())
            assert {(one.topic, one.partition) for one in back.assignment()} == before
            assert group.look().generation == generation
        finally:
            back.close()


def test_an_admin_alters_lists_and_deletes_offsets_of_a_group(server, topic):
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
    place = TopicPartition(topic, 1, 7, metadata="by hand")
    asked = ConsumerGroupTopicPartitions(topic, [place])
    (altered,) = admin.alter_consumer_group_offsets([asked])[topic].result().topic_partitions
    assert altered.error is None
    listed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(topic)])
    (found,) = listed[topic].result().topic_partitions
    assert (found.partition, found.offset) == (1, 7)
    assert topic in {group.group_id for group in admin.list_consumer_groups().result().valid}
    admin.delete_consumer_groups([topic])[topic].result()
    assert topic not in {group.group_id for group in admin.list_consumer_groups().result().valid}


@PROTOCOLS
def test_a_group_reads_on_over_a_kill_of_the_server(protocol, tmp_path):
    with LogDir.open(str(tmp_path)) as log_dir:
        fill(log_dir, "over")
    with (
        ServerProcess(tmp_path, properties=PROPERTIES) as server,
        consumers(server, "over", protocol, 2) as members,
    ):
        found = read_until(members, lambda _: are_shared_out(members))
        server.kill()
        server.start()
        read_until(members, lambda found: len(set(found)) == RECORDS, found)
        read_until(members, lambda _: are_shared_out(members), found)


def test_an_embedded_member_takes_over_when_the_clients_have_gone(server, topic):
    with consumers(server, topic, "classic", 1) as members:
        found = read_until(members, lambda found: len(found) >= RECORDS // 2)
    embedded = pylog.Consumer(
        {"log.dir": server.folder, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    try:
        embedded.subscribe([topic])
        read_until([embedded], lambda found: len(found) >= RECORDS, found)
    finally:
        embedded.close()
    assert len(set(found)) == len(found) == RECORDS
