"""Topics made, grown and deleted by clients. Codes and texts are those of a Kafka 4.3.1."""

import pytest
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.log_dir import LogDir
from pylog.testing import Server
from pylog.wire import APIS, NO_UUID

CREATE, DELETE, GROW, ELECT = api(19), api(20), api(37), api(43)


@pytest.fixture(scope="module")
def server():
    with Server(brokers=2) as server:
        yield server


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client
    for name in server.broker.log_dir.topics():
        server.broker.log_dir.delete_topic(name)


def new_topic(name, partitions=1, replicas=1, assignments=(), **configs):
    return CREATE.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=[
            CREATE.CreatableReplicaAssignment(partition_index=index, broker_ids=list(ids))
            for index, ids in assignments
        ],
        configs=[
            CREATE.CreatableTopicConfig(name=key.replace("_", "."), value=value)
            for key, value in configs.items()
        ],
    )


def create(client, *topics, version=7, validate_only=False):
    request = CREATE.CreateTopicsRequest(topics=list(topics), validate_only=validate_only)
    return client.ask(request, version).topics


@pytest.mark.parametrize("version", range(2, 8))
def test_a_topic_is_made_at_every_version(server, client, version):
    (made,) = create(client, new_topic("made", 3), version=version)
    assert (made.name, made.error_code) == ("made", 0)
    topic = server.broker.log_dir.topic("made")
    assert topic.partitions == 3
    if version >= 5:
        assert (made.num_partitions, made.replication_factor) == (3, 1)
    if version >= 7:
        assert made.topic_id == topic.topic_id.bytes


@pytest.mark.parametrize("version", [5, 6, 7])
def test_configs_are_an_array_and_never_null_even_of_a_topic_that_was_not_made(client, version):
    made, refused = create(
        client, new_topic("made", retention_ms="5000"), new_topic("bad name"), version=version
    )
    values = {one.name: (one.value, one.config_source) for one in made.configs}
    assert len(values) == 33
    assert values["retention.ms"] == ("5000", 1)
    assert values["segment.bytes"] == ("1073741824", 5)
    assert refused.configs == []


@pytest.mark.parametrize(
    ("topic", "code", "text"),
    [
        (new_topic("bad name"), KafkaError.TOPIC_EXCEPTION, "Topic name is invalid"),
        (new_topic(""), KafkaError.TOPIC_EXCEPTION, "Topic name is invalid"),
        (new_topic("."), KafkaError.TOPIC_EXCEPTION, "Topic name is invalid"),
        (new_topic("t", 0), KafkaError.INVALID_PARTITIONS, "non-positive"),
        (new_topic("t", -2), KafkaError.INVALID_PARTITIONS, "non-positive"),
        (new_topic("t", 20_001), KafkaError.POLICY_VIOLATION, "at most"),
        (new_topic("t", 1, 0), KafkaError.INVALID_REPLICATION_FACTOR, "larger than 0"),
        (new_topic("t", 1, -2), KafkaError.INVALID_REPLICATION_FACTOR, "larger than 0"),
        (new_topic("t", 1, 4), KafkaError.INVALID_REPLICATION_FACTOR, "4 time"),
        (new_topic("t", nope="1"), KafkaError.INVALID_CONFIG, "Unknown topic config name: nope"),
        (
            new_topic("t", retention_ms="x"),
            KafkaError.INVALID_CONFIG,
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (new_topic("t", retention_ms=None), KafkaError.INVALID_CONFIG, "Null value not supported"),
        (
            new_topic("t", 1, 1, [(0, [0])]),
            KafkaError.INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set",
        ),
        (
            new_topic("t", -1, -1, [(0, [0]), (2, [1])]),
            KafkaError.INVALID_REPLICA_ASSIGNMENT,
            "consecutive 0-based",
        ),
        (
            new_topic("t", -1, -1, [(0, [9])]),
            KafkaError.INVALID_REPLICA_ASSIGNMENT,
            "includes broker 9, but no such broker",
        ),
        (new_topic("t", -1, -1, [(0, [])]), KafkaError.INVALID_REPLICA_ASSIGNMENT, "empty"),
        (
            new_topic("t", -1, -1, [(0, [1, 1])]),
            KafkaError.INVALID_REPLICA_ASSIGNMENT,
            "more than once",
        ),
        (
            new_topic("t", -1, -1, [(0, [0, 1]), (1, [0])]),
            KafkaError.INVALID_REPLICA_ASSIGNMENT,
            "not consistent",
        ),
    ],
)
def test_a_topic_that_cannot_be_made_has_a_code_and_a_reason(server, client, topic, code, text):
    refused, made = create(client, topic, new_topic("beside"))
    assert (refused.error_code, made.error_code) == (code, 0)
    assert text in refused.error_message
    assert list(server.broker.log_dir.topics()) == ["beside"]


def test_a_topic_that_is_there_or_looks_like_it_is_refused(client):
    assert create(client, new_topic("a.b"))[0].error_code == 0
    same, twin = create(client, new_topic("a.b"), new_topic("a_b"))
    assert (same.error_code, same.error_message) == (
        KafkaError.TOPIC_ALREADY_EXISTS, "Topic 'a.b' already exists."
    )  # fmt: skip
    assert twin.error_code == KafkaError.TOPIC_EXCEPTION


def test_a_name_that_is_there_twice_is_one_error(server, client):
    one, other = create(client, new_topic("twice"), new_topic("twice"), new_topic("once"))
    assert (one.name, one.error_code) == ("twice", KafkaError.INVALID_REQUEST)
    assert (other.name, other.error_code) == ("once", 0)
    assert list(server.broker.log_dir.topics()) == ["once"]


def test_validating_makes_nothing(server, client):
    made, refused = create(client, new_topic("t", 2), new_topic("t2", 0), validate_only=True)
    assert (made.error_code, made.num_partitions) == (0, 2)
    assert refused.error_code == KafkaError.INVALID_PARTITIONS
    assert server.broker.log_dir.topics() == {}


def test_minus_one_takes_the_defaults():
    properties = {"num.partitions": "4", "default.replication.factor": "2"}
    with Server(brokers=2, properties=properties) as server, WireClient(server) as client:
        (made,) = create(client, new_topic("made", -1, -1))
        assert (made.num_partitions, made.replication_factor) == (4, 2)


def test_an_assignment_says_how_many_partitions_and_copies(client):
    (made,) = create(client, new_topic("made", -1, -1, [(1, [1, 0]), (0, [0, 1])]))
    assert (made.error_code, made.num_partitions, made.replication_factor) == (0, 2, 2)


def test_three_copies_may_be_asked_for_and_as_many_are_shown_as_there_are_nodes(client):
    (made,) = create(client, new_topic("made", 1, 3))
    assert (made.error_code, made.replication_factor) == (0, 3)
    metadata = api(3)
    asked = [metadata.MetadataRequestTopic(name="made")]
    (topic,) = client.ask(metadata.MetadataRequest(topics=asked)).topics
    assert sorted(topic.partitions[0].replica_nodes) == [0, 1]


def test_the_copies_that_were_asked_for_outlive_the_server_and_changes(tmp_path):
    with Server(tmp_path, brokers=3) as server, WireClient(server) as client:
        create(client, new_topic("made", 1, 3))
        server.broker.log_dir.create_partitions("made", 2)
        server.broker.log_dir.alter_configs("made", {"retention.ms": "5"})
    with LogDir.open(tmp_path) as log_dir:
        assert log_dir.topic("made").replication_factor == 3


def test_a_new_topic_has_what_the_server_was_told_to_give(tmp_path):
    properties = {"log.retention.hours": "2", "message.max.bytes": "5000000"}
    with Server(tmp_path, properties=properties) as server, WireClient(server) as client:
        (made,) = create(client, new_topic("made", max_message_bytes="7"))
        values = {one.name: (one.value, one.config_source) for one in made.configs}
        assert values["retention.ms"] == ("7200000", 4)
        assert values["max.message.bytes"] == ("7", 1)
        # Programs that embed the log see it too.
        assert server.broker.log_dir.topic("made").configs["retention.ms"] == "7200000"


# ---- more partitions ----


def grow(client, *wanted, version=3, validate_only=False):
    topics = [
        GROW.CreatePartitionsTopic(
            name=name,
            count=count,
            assignments=[GROW.CreatePartitionsAssignment(broker_ids=ids) for ids in assignments[0]]
            if assignments
            else None,
        )
        for name, count, *assignments in wanted
    ]
    request = GROW.CreatePartitionsRequest(topics=topics, validate_only=validate_only)
    return client.ask(request, version).results


@pytest.mark.parametrize("version", range(4))
def test_a_topic_grows_at_every_version(server, client, version):
    create(client, new_topic("t", 1))
    (result,) = grow(client, ("t", 3), version=version)
    assert (result.name, result.error_code, result.error_message) == ("t", 0, None)
    assert server.broker.log_dir.topic("t").partitions == 3


def test_each_topic_that_is_to_grow_has_a_result_with_the_reason(server, client):
    create(client, new_topic("t", 2))
    results = {
        one.name: (one.error_code, one.error_message)
        for one in grow(client, ("t", 1), ("none", 3), ("twice", 2), ("twice", 2))
    }
    assert results["t"] == (
        KafkaError.INVALID_PARTITIONS,
        "The topic t currently has 2 partition(s); 1 would not be an increase.",
    )
    assert results["none"][0] == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert results["twice"] == (KafkaError.INVALID_REQUEST, "Duplicate topic name.")
    (same,) = grow(client, ("t", 2))
    assert same.error_message == "Topic already has 2 partition(s)."
    (few,) = grow(client, ("t", 4, [[1]]))
    assert few.error_code == KafkaError.INVALID_REPLICA_ASSIGNMENT
    (stranger,) = grow(client, ("t", 3, [[7]]))
    assert "includes broker 7" in stranger.error_message
    assert grow(client, ("t", 3, [[1]]), validate_only=True)[0].error_code == 0
    assert server.broker.log_dir.topic("t").partitions == 2


# ---- deletion ----


def delete(client, *topics, version=6):
    if version >= 6:
        request = DELETE.DeleteTopicsRequest(topics=list(topics))
    else:
        request = DELETE.DeleteTopicsRequest(topic_names=[topic.name for topic in topics])
    return client.ask(request, version).responses


def named(name, topic_id=NO_UUID):
    return DELETE.DeleteTopicState(name=name, topic_id=topic_id)


@pytest.mark.parametrize("version", range(1, 7))
def test_a_topic_goes_at_every_version(server, client, version):
    create(client, new_topic("t"))
    (result,) = delete(client, named("t"), version=version)
    assert (result.name, result.error_code) == ("t", 0)
    assert server.broker.log_dir.topics() == {}
    (result,) = delete(client, named("t"), version=version)
    assert result.error_code == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_topic_goes_by_its_id_and_is_named_in_the_answer(server, client):
    (made,) = create(client, new_topic("t"))
    (result,) = delete(client, named(None, made.topic_id))
    assert (result.name, result.topic_id, result.error_code) == ("t", made.topic_id, 0)
    assert server.broker.log_dir.topics() == {}


def test_what_cannot_be_deleted_has_a_code_and_a_reason(client):
    results = delete(
        client,
        named("none"), named("bad name"), named(None, b"1" * 16), named("t", b"1" * 16),
        named(None), named("twice"), named("twice"),
    )  # fmt: skip
    assert [(one.name, one.error_code, one.error_message) for one in results] == [
        ("none", 3, "This server does not host this topic-partition."),
        ("bad name", 3, "This server does not host this topic-partition."),
        (None, 100, "This server does not host this topic ID."),
        ("t", 42, "You may not specify both topic name and topic id."),
        (None, 42, "Neither topic name nor id were specified."),
        ("twice", 42, "Duplicate topic name."),
    ]


@pytest.mark.parametrize(
    ("version", "code"), [(2, KafkaError.INVALID_REQUEST), (6, KafkaError.TOPIC_DELETION_DISABLED)]
)
def test_nothing_is_deleted_where_that_is_off(version, code):
    properties = {"delete.topic.enable": "false"}
    with Server(properties=properties) as server, WireClient(server) as client:
        create(client, new_topic("t"))
        (result,) = delete(client, named("t"), version=version)
        assert (result.name, result.error_code) == ("t", code)
        assert list(server.broker.log_dir.topics()) == ["t"]


# ---- elections ----


@pytest.mark.parametrize("version", range(3))
def test_no_partition_needs_an_election(client, version):
    create(client, new_topic("t", 2))
    asked = [
        ELECT.TopicPartitions(topic="t", partitions=[0, 9]),
        ELECT.TopicPartitions(topic="none", partitions=[0]),
    ]
    response = client.ask(ELECT.ElectLeadersRequest(topic_partitions=asked), version)
    found = [
        (result.topic, one.partition_id, one.error_code)
        for result in response.replica_election_results
        for one in result.partition_result
    ]
    assert found == [
        ("t", 0, KafkaError.ELECTION_NOT_NEEDED),
        ("t", 9, KafkaError.UNKNOWN_TOPIC_OR_PART),
        ("none", 0, KafkaError.UNKNOWN_TOPIC_OR_PART),
    ]
    everything = client.ask(ELECT.ElectLeadersRequest(topic_partitions=None), version)
    assert [one.topic for one in everything.replica_election_results] == ["t"]


def test_an_unknown_kind_of_election_is_an_invalid_request(client):
    asked = [ELECT.TopicPartitions(topic="t", partitions=[0])]
    request = ELECT.ElectLeadersRequest(topic_partitions=asked, election_type=7)
    response = client.ask(request, 2)
    assert response.error_code == KafkaError.INVALID_REQUEST
    assert response.replica_election_results[0].partition_result[0].error_code == 42


# ---- pages of partitions ----

PAGES = api(75)


def page(client, names, limit=2000, cursor=None):
    return client.ask(
        PAGES.DescribeTopicPartitionsRequest(
            topics=[PAGES.TopicRequest(name=name) for name in names],
            response_partition_limit=limit,
            cursor=cursor and PAGES.RequestCursor(topic_name=cursor[0], partition_index=cursor[1]),
        )
    )


def test_pages_of_partitions_follow_the_cursor_to_the_end(client):
    create(client, new_topic("a", 3), new_topic("b", 2))
    seen, cursor = [], None
    for _ in range(10):
        response = page(client, [], limit=2, cursor=cursor)
        seen += [
            (topic.name, one.partition_index)
            for topic in response.topics
            for one in topic.partitions
        ]
        if response.next_cursor is None:
            break
        cursor = response.next_cursor.topic_name, response.next_cursor.partition_index
    assert seen == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


def test_a_page_has_a_leader_and_no_other_to_elect_and_says_what_is_missing(client):
    create(client, new_topic("t", 1))
    described, missing = page(client, ["t", "zzz", "t"]).topics
    (partition,) = described.partitions
    assert partition.leader_id == partition.isr_nodes[0]
    assert partition.eligible_leader_replicas == partition.last_known_elr == []
    assert described.topic_authorized_operations == 3576
    assert (missing.name, missing.error_code) == ("zzz", KafkaError.UNKNOWN_TOPIC_OR_PART)


def test_every_version_of_these_apis_is_tested():
    versions = {key: APIS[key].versions for key in (19, 20, 37, 43, 75)}
    assert {key: (one.first, one.last) for key, one in versions.items()} == {
        19: (2, 7), 20: (1, 6), 37: (0, 3), 43: (0, 2), 75: (0, 0)
    }  # fmt: skip
