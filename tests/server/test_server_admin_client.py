"""confluent_kafka's AdminClient against a server, as a program uses it."""

import pytest
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from pylog.errors import KafkaError

TIMEOUT_S = 20


@pytest.fixture
def admin(kafka_server):
    return AdminClient({"bootstrap.servers": kafka_server.bootstrap_servers})


def result(futures):
    (future,) = futures.values() if isinstance(futures, dict) else [futures]
    return future.result(TIMEOUT_S)


def code(futures):
    with pytest.raises(KafkaException) as failed:
        result(futures)
    return failed.value.args[0].code()


def test_topics_are_made_listed_described_and_deleted(admin):
    assert result(admin.create_topics([NewTopic("t", 3, 1)])) is None
    assert code(admin.create_topics([NewTopic("t", 3, 1)])) == KafkaError.TOPIC_ALREADY_EXISTS
    assert code(admin.create_topics([NewTopic("a b", 1, 1)])) == KafkaError.TOPIC_EXCEPTION
    listed = admin.list_topics(timeout=TIMEOUT_S)
    assert {name: len(one.partitions) for name, one in listed.topics.items()} == {"t": 3}
    assert listed.cluster_id
    described = result(admin.describe_topics(TopicCollection(["t"])))
    assert [one.leader.id for one in described.partitions] == [0, 0, 0]
    missing = admin.describe_topics(TopicCollection(["missing"]))
    assert code(missing) == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert result(admin.delete_topics(["t"])) is None
    assert admin.list_topics(timeout=TIMEOUT_S).topics == {}
    assert code(admin.delete_topics(["t"])) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_topic_that_a_client_names_is_made(admin):
    assert admin.list_topics("named", timeout=TIMEOUT_S).topics["named"].error is None


def test_a_topic_grows_and_does_not_shrink(admin):
    result(admin.create_topics([NewTopic("t", 2, 1)]))
    assert result(admin.create_partitions([NewPartitions("t", 4)])) is None
    assert len(admin.list_topics("t", timeout=TIMEOUT_S).topics["t"].partitions) == 4
    refused = admin.create_partitions([NewPartitions("t", 3)])
    assert code(refused) == KafkaError.INVALID_PARTITIONS


def test_configs_are_described_and_altered(admin):
    result(admin.create_topics([NewTopic("t", 1, 1, config={"retention.ms": "5000"})]))
    topic = ConfigResource(ResourceType.TOPIC, "t")
    entry = result(admin.describe_configs([topic]))["retention.ms"]
    assert (entry.value, entry.is_default, entry.source) == ("5000", False, 1)
    change = ConfigEntry(
        "cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND
    )
    result(admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, "t", incremental_configs=[change])]
    ))  # fmt: skip
    configs = result(admin.describe_configs([topic]))
    assert configs["cleanup.policy"].value == "delete,compact"
    assert configs["segment.bytes"].is_default
    whole = ConfigResource(ResourceType.TOPIC, "t", {"segment.ms": "7000"})
    with pytest.deprecated_call():
        result(admin.alter_configs([whole]))
    configs = result(admin.describe_configs([topic]))
    assert configs["segment.ms"].value == "7000"
    assert configs["retention.ms"].value == "604800000"
    broker = result(admin.describe_configs([ConfigResource(ResourceType.BROKER, "0")]))
    assert broker["num.partitions"].value == "1"
    refused = admin.describe_configs([ConfigResource(ResourceType.BROKER, "0x")])
    with pytest.raises((KafkaException, ValueError)):
        result(refused)


@pytest.mark.kafka_server(brokers=3)
def test_a_cluster_of_three_is_described(admin):
    cluster = result(admin.describe_cluster(include_authorized_operations=True))
    assert [node.id for node in cluster.nodes] == [0, 1, 2]
    assert cluster.controller.id == 0
    assert cluster.authorized_operations
    result(admin.create_topics([NewTopic("t", 3, 3)]))
    described = result(admin.describe_topics(TopicCollection(["t"])))
    assert sorted(one.leader.id for one in described.partitions) == [0, 1, 2]
    assert all(len(one.replicas) == len(one.isr) == 3 for one in described.partitions)
