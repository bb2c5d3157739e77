"""Offsets of groups over the wire: committed, fetched, forgotten, expired."""

import time

import pytest
from group_client import COMMIT, FETCH, GroupClient

from pylog import Producer, TopicPartition
from pylog.errors import KafkaError
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.protocol import encode_subscription
from pylog.server import offset_expiry
from pylog.testing import Server, ServerProcess

NO_ERROR = KafkaError.NO_ERROR
UNKNOWN = KafkaError.UNKNOWN_MEMBER_ID
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        server.broker.log_dir.create_topic("t", 4)
        yield server


@pytest.fixture
def client(server):
    with GroupClient(server) as client:
        yield client


@pytest.fixture
def group_id(request):
    return request.node.name


@pytest.mark.parametrize("version", range(2, 10))
def test_an_offset_is_committed_at_every_version(client, group_id, version):
    codes = client.commit(group_id, {("t", 0): 5, ("t", 3): 7}, version=version, metadata="note")
    assert codes == [NO_ERROR, NO_ERROR]
    assert client.offsets(group_id, ("t", 0), ("t", 1), ("t", 3)) == [5, -1, 7]


@pytest.mark.parametrize("version", range(1, 8))
def test_offsets_are_fetched_at_every_old_version(client, group_id, version):
    client.commit(group_id, {("t", 1): 5}, metadata="note", leader_epoch=4)
    topics = [FETCH.OffsetFetchRequestTopic(name="t", partition_indexes=[1, 2])]
    answer = client.ask(FETCH.OffsetFetchRequest(group_id=group_id, topics=topics), version)
    found, missing = answer.topics[0].partitions
    assert (found.committed_offset, found.metadata, found.error_code) == (5, "note", NO_ERROR)
    assert found.committed_leader_epoch == (4 if version >= 5 else -1)
    assert (missing.committed_offset, missing.metadata, missing.error_code) == (-1, "", NO_ERROR)
    assert answer.error_code == NO_ERROR


def test_several_groups_are_fetched_at_once(client, group_id):
    client.commit(group_id, {("t", 1): 5})
    groups = [
        FETCH.OffsetFetchRequestGroup(group_id=name, topics=None) for name in (group_id, "nobody")
    ]
    known, unknown = client.ask(FETCH.OffsetFetchRequest(groups=groups), 8).groups
    assert [(topic.name, len(topic.partitions)) for topic in known.topics] == [("t", 1)]
    assert (unknown.error_code, list(unknown.topics)) == (NO_ERROR, [])


def test_a_group_that_nobody_knows_has_no_offsets_and_no_error(client):
    answer = client.fetch("nobody", [("t", 0), ("no such topic", 1)])
    rows = [row for topic in answer.topics for row in topic.partitions]
    assert [(row.committed_offset, row.error_code) for row in rows] == [(-1, 0), (-1, 0)]


def test_topics_go_by_their_ids(server, client, group_id):
    topic_id = server.broker.log_dir.topic("t").topic_id.bytes
    topics = [
        COMMIT.OffsetCommitRequestTopic(
            topic_id=name,
            partitions=[COMMIT.OffsetCommitRequestPartition(partition_index=0, committed_offset=9)],
        )
        for name in (topic_id, b"\1" * 16)
    ]
    request = COMMIT.OffsetCommitRequest(group_id=group_id, topics=topics)
    codes = [topic.partitions[0].error_code for topic in client.ask(request, 10).topics]
    assert codes == [NO_ERROR, KafkaError.UNKNOWN_TOPIC_ID]
    asked = [
        FETCH.OffsetFetchRequestTopics(topic_id=name, partition_indexes=[0])
        for name in (topic_id, b"\1" * 16)
    ]
    groups = [
        FETCH.OffsetFetchRequestGroup(group_id=group_id, topics=asked),
        FETCH.OffsetFetchRequestGroup(group_id=group_id, topics=None),
    ]
    some, everything = client.ask(FETCH.OffsetFetchRequest(groups=groups), 10).groups
    rows = [topic.partitions[0] for topic in some.topics]
    assert [(row.committed_offset, row.error_code) for row in rows] == [(9, 0), (-1, 100)]
    assert [topic.topic_id for topic in everything.topics] == [topic_id]


def test_each_partition_has_its_own_answer(client, group_id):
    offsets = {("t", 0): 1, ("t", 9): 1, ("nope", 0): 1, ("t", 1): -1}
    assert client.commit(group_id, offsets) == [
        NO_ERROR,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.INVALID_COMMIT_OFFSET_SIZE,
    ]
    assert client.commit(group_id, {("t", 0): 2}, metadata="x" * 4097) == [12]
    assert client.commit(group_id, {("t", 0): 2}, metadata="x" * 4096) == [NO_ERROR]
    assert client.commit("", {("t", 0): 2}) == [KafkaError.INVALID_GROUP_ID]


def test_only_members_commit_for_a_group_that_has_some(client, group_id):
    offsets = {("t", 0): 1}
    assert client.commit(group_id, offsets, 3, "m", version=8) == [KafkaError.ILLEGAL_GENERATION]
    assert client.commit(group_id, offsets, 3, "m") == [KafkaError.GROUP_ID_NOT_FOUND]
    joined = client.join(group_id)
    member_id, generation = joined.member_id, joined.generation_id
    assert client.commit(group_id, offsets, generation, member_id) == [27]  # until it has synced
    client.sync(group_id, generation, member_id, {member_id: b""})
    assert client.commit(group_id, offsets, generation, member_id) == [NO_ERROR]
    assert client.commit(group_id, offsets, generation + 1, member_id) == [22]
    assert client.commit(group_id, offsets, generation, "nobody") == [UNKNOWN]
    assert client.commit(group_id, offsets) == [UNKNOWN]
    client.leave(group_id, (member_id, None))
    assert client.commit(group_id, offsets, generation, member_id) == [UNKNOWN]
    assert client.commit(group_id, offsets) == [NO_ERROR]


def test_offsets_of_an_open_transaction_are_not_stable(server, client, group_id):
    client.commit(group_id, {("t", 0): 1})
    with Producer({"log.dir": server.folder, "transactional.id": "x"}) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        metadata = _metadata_of(server, group_id)
        producer.send_offsets_to_transaction([TopicPartition("t", 0, 8)], metadata)
        (topic,) = client.fetch(group_id, [("t", 0)], stable=True).topics
        assert topic.partitions[0].error_code == KafkaError.UNSTABLE_OFFSET_COMMIT
        assert client.offsets(group_id, ("t", 0)) == [1]
        producer.commit_transaction()
    (topic,) = client.fetch(group_id, [("t", 0)], stable=True).topics
    assert topic.partitions[0].committed_offset == 8


def _metadata_of(server, group_id):
    from pylog import Consumer

    consumer = Consumer({"log.dir": server.folder, "group.id": group_id})
    try:
        return consumer.consumer_group_metadata()
    finally:
        consumer.close()


def test_what_embedded_programs_commit_clients_see_and_the_other_way_round(
    server, client, group_id
):
    GroupOffsets.of(server.broker.log_dir).commit(group_id, {("t", 2): OffsetAndMetadata(4)})
    assert client.offsets(group_id, ("t", 2)) == [4]
    client.commit(group_id, {("t", 2): 6})
    assert GroupOffsets.of(server.broker.log_dir).committed(group_id)["t", 2].offset == 6


def test_offsets_are_forgotten_but_for_topics_that_are_read(client, group_id):
    subscription = encode_subscription(["t"])
    client.commit(group_id, {("t", 0): 1})
    member_id, _ = client.lead(group_id, protocols=(("range", subscription),))
    asked = [("t", 0), ("t", 9), ("nope", 0)]
    assert client.forget_offsets(group_id, *asked) == (NO_ERROR, [86, 3, 3])
    client.leave(group_id, (member_id, None))
    assert client.forget_offsets(group_id, ("t", 0), ("t", 1)) == (NO_ERROR, [0, 0])
    assert client.offsets(group_id, ("t", 0)) == [-1]
    assert client.forget_offsets("nobody", ("t", 0))[0] == KafkaError.GROUP_ID_NOT_FOUND
    client.lead(group_id, protocol_type="connect")
    assert client.forget_offsets(group_id, ("t", 0))[0] == KafkaError.NON_EMPTY_GROUP


def test_offsets_are_there_after_the_server_was_killed():
    with ServerProcess() as server:
        with GroupClient(server) as client:
            client.ask_to_create("t", 2)
            assert client.commit("g", {("t", 0): 5}) == [NO_ERROR]
        server.kill()
        server.start()
        with GroupClient(server) as client:
            assert client.offsets("g", ("t", 0)) == [5]


# ---- expiry ----


def test_offsets_without_a_group_go_when_they_are_old(server, client, group_id):
    log_dir, now_ms = server.broker.log_dir, time.time_ns() // 1_000_000
    client.commit(group_id, {("t", 0): 1})
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, now_ms + DAY_MS - 60_000) == 0
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, now_ms + DAY_MS + 60_000) == 1
    assert client.offsets(group_id, ("t", 0)) == [-1]
    assert group_id not in client.list_groups()


def test_a_group_keeps_its_offsets_while_it_reads_the_topic(server, client, group_id):
    log_dir, late_ms = server.broker.log_dir, time.time_ns() // 1_000_000 + 9 * DAY_MS
    server.broker.log_dir.create_topic(group_id, 1)
    subscription = encode_subscription(["t"])
    member_id, generation = client.lead(group_id, protocols=(("range", subscription),))
    client.commit(group_id, {("t", 0): 1, (group_id, 0): 2}, generation, member_id)
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, late_ms) == 1
    assert client.offsets(group_id, ("t", 0), (group_id, 0)) == [1, -1]
    client.leave(group_id, (member_id, None))
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, late_ms - 9 * DAY_MS) == 0
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, late_ms) == 1
    assert group_id not in client.list_groups()


def test_an_offset_may_have_a_time_of_its_own(server, client, group_id):
    log_dir, now_ms = server.broker.log_dir, time.time_ns() // 1_000_000
    partition = COMMIT.OffsetCommitRequestPartition(partition_index=0, committed_offset=3)
    request = COMMIT.OffsetCommitRequest(
        group_id=group_id,
        retention_time_ms=3_600_000,
        topics=[COMMIT.OffsetCommitRequestTopic(name="t", partitions=[partition])],
    )
    assert client.ask(request, 4).topics[0].partitions[0].error_code == NO_ERROR
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, now_ms + 3_000_000) == 0
    assert offset_expiry.expire_group(log_dir, group_id, DAY_MS, now_ms + 4_000_000) == 1


def test_the_server_looks_for_old_offsets_by_itself():
    properties = {
        "offsets.retention.check.interval.ms": "1",
        "offsets.retention.minutes": "0",
    }
    with Server(properties=properties) as server, GroupClient(server) as client:
        server.broker.log_dir.create_topic("t", 1)
        client.commit("g", {("t", 0): 1})
        while client.offsets("g", ("t", 0)) != [-1]:
            pass
