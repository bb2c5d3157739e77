"""Configs described and changed by clients. Codes and texts are those of a Kafka 4.3.1."""

import logging

import pytest
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.log_dir import LogDir
from pylog.testing import Server

DESCRIBE, ALTER, INCREMENT, LIST = api(32), api(33), api(44), api(74)
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


@pytest.fixture(scope="module")
def server():
    with Server(brokers=2, properties={"log.retention.hours": "2"}) as server:
        yield server


@pytest.fixture
def client(server):
    server.broker.log_dir.create_topic("t", 1, {"retention.ms": "5000"})
    with WireClient(server) as client:
        yield client
    server.broker.log_dir.delete_topic("t")


def describe(client, kind, name, keys=None, version=4, synonyms=True, **fields):
    resource = DESCRIBE.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=keys
    )
    request = DESCRIBE.DescribeConfigsRequest(
        resources=[resource], include_synonyms=synonyms, **fields
    )
    (result,) = client.ask(request, version).results
    return result


def values(result):
    return {one.name: (one.value, one.config_source) for one in result.configs}


def increment(client, kind, name, *changes, version=1, validate_only=False):
    configs = [
        INCREMENT.AlterableConfig(name=key, config_operation=change, value=value)
        for key, change, value in changes
    ]
    resource = INCREMENT.AlterConfigsResource(
        resource_type=kind, resource_name=name, configs=configs
    )
    request = INCREMENT.IncrementalAlterConfigsRequest(
        resources=[resource], validate_only=validate_only
    )
    (result,) = client.ask(request, version).responses
    return result.error_code, result.error_message


def alter(client, kind, name, version=2, validate_only=False, **configs):
    resource = ALTER.AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[
            ALTER.AlterableConfig(name=key.replace("_", "."), value=value)
            for key, value in configs.items()
        ],
    )
    request = ALTER.AlterConfigsRequest(resources=[resource], validate_only=validate_only)
    (result,) = client.ask(request, version).responses
    return result.error_code, result.error_message


# ---- described ----


@pytest.mark.parametrize("version", range(1, 5))
def test_every_config_of_a_topic_is_described_with_value_and_source(client, version):
    found = values(describe(client, TOPIC, "t", version=version))
    assert len(found) == 33
    assert found["retention.ms"] == ("5000", 1)
    assert found["segment.bytes"] == ("1073741824", 5)
    assert found["cleanup.policy"] == ("delete", 5)


def test_synonyms_types_and_texts_come_when_they_are_asked_for(client):
    full = describe(client, TOPIC, "t", ["retention.ms"], include_documentation=True)
    (entry,) = full.configs
    assert [(one.name, one.value, one.source) for one in entry.synonyms] == [
        ("retention.ms", "5000", 1),
        ("log.retention.hours", "2", 4),
        ("log.retention.hours", "168", 5),
    ]
    assert entry.config_type == 5
    assert entry.documentation
    (entry,) = describe(client, TOPIC, "t", ["retention.ms"], synonyms=False).configs
    assert (entry.synonyms, entry.documentation) == ([], None)


@pytest.mark.parametrize("keys", [None, []])
def test_no_keys_are_all_keys(client, keys):
    assert len(describe(client, TOPIC, "t", keys).configs) == 33


def test_unknown_keys_are_left_out(client):
    assert list(values(describe(client, TOPIC, "t", ["nope", "retention.ms"]))) == ["retention.ms"]


def test_every_config_of_a_broker_is_described(server, client):
    found = values(describe(client, BROKER, "1"))
    assert len(found) > 100
    assert found["node.id"] == ("1", 4)
    assert found["log.dirs"] == (server.folder, 4)
    assert found["num.partitions"] == ("1", 4)
    assert found["log.retention.hours"] == ("2", 4)
    assert found["log.retention.bytes"] == ("-1", 5)
    assert found["offsets.retention.minutes"] == ("10080", 5)
    assert found["listeners"][0].startswith("PLAINTEXT://127.0.0.1:")


def test_a_broker_config_that_topics_have_the_value_of_is_explained(client):
    keys = ["log.retention.hours", "log.cleaner.backoff.ms"]
    texts = {
        one.name: one.documentation
        for one in describe(client, BROKER, "1", keys, include_documentation=True).configs
    }
    assert "retention.ms" in texts["log.retention.hours"]
    assert texts["log.cleaner.backoff.ms"] is None
    assert describe(client, BROKER, "1", keys).configs[0].documentation is None


def test_secrets_are_told_to_nobody():
    with (
        Server(properties={"ssl.keystore.password": "hunter2"}) as server,
        WireClient(server) as client,
    ):
        (entry,) = describe(client, BROKER, "0", ["ssl.keystore.password"]).configs
    assert (entry.is_sensitive, entry.value, entry.synonyms) == (True, None, [])


@pytest.mark.parametrize(
    ("kind", "name", "code", "text"),
    [
        (TOPIC, "none", KafkaError.UNKNOWN_TOPIC_OR_PART, ""),
        (TOPIC, "bad name", KafkaError.TOPIC_EXCEPTION, "Topic name is invalid"),
        (BROKER, "99", KafkaError.INVALID_REQUEST, "Unexpected broker id"),
        (BROKER, "x", KafkaError.INVALID_REQUEST, "Broker id must be an integer"),
        (LOGGER, "99", KafkaError.INVALID_REQUEST, "Unexpected broker id"),
        (GROUP, "", KafkaError.INVALID_REQUEST, "Group name must not be empty"),
        (3, "x", KafkaError.INVALID_REQUEST, ""),
    ],
)
def test_what_has_no_configs_has_an_error(client, kind, name, code, text):
    result = describe(client, kind, name)
    assert (result.error_code, result.configs) == (code, [])
    assert text in result.error_message


# ---- changed ----


@pytest.mark.parametrize("version", [0, 1])
def test_a_config_is_set_and_taken_back(server, client, version):
    log_dir = server.broker.log_dir
    assert increment(client, TOPIC, "t", ("segment.ms", SET, "7000"), version=version) == (0, None)
    assert log_dir.topic("t").configs["segment.ms"] == "7000"
    assert increment(client, TOPIC, "t", ("segment.ms", DELETE, None)) == (0, None)
    assert "segment.ms" not in log_dir.topic("t").configs


def test_what_is_taken_back_has_what_the_server_gives_new_topics(client):
    assert increment(client, TOPIC, "t", ("retention.ms", DELETE, None)) == (0, None)
    assert values(describe(client, TOPIC, "t"))["retention.ms"] == ("7200000", 4)


def test_lists_are_edited(client):
    def policy():
        return values(describe(client, TOPIC, "t"))["cleanup.policy"][0]

    assert increment(client, TOPIC, "t", ("cleanup.policy", APPEND, "compact")) == (0, None)
    assert policy() == "delete,compact"
    assert increment(client, TOPIC, "t", ("cleanup.policy", SUBTRACT, "delete")) == (0, None)
    assert policy() == "compact"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ([("retention.ms", SET, "x")], 40, "Not a number of type LONG"),
        ([("retention.ms", SET, None)], 42, "Null value not supported for : retention.ms"),
        (
            [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)],
            42, "Error due to duplicate config keys",
        ),
        ([("retention.ms", APPEND, "5")], 40, "Can't APPEND to key retention.ms"),
        ([("nope", SET, "1")], 40, "Unknown topic config name: nope"),
        ([("retention.ms", 7, "1")], 42, "Unknown operation 7"),
        ([("retention.ms", SET, "1\nx=2")], 40, "line break"),
        ([("retention.ms", SET, "1\rx=2")], 40, "line break"),
        ([("a=b", SET, "1")], 40, "equals sign"),
    ],
)  # fmt: skip
def test_a_change_that_makes_no_sense_is_refused(server, client, changes, code, text):
    found, message = increment(client, TOPIC, "t", *changes)
    assert found == code
    assert text in message
    assert server.broker.log_dir.topic("t").configs == {"retention.ms": "5000"}


def test_deleting_what_is_not_set_is_no_error(client):
    assert increment(client, TOPIC, "t", ("nope", DELETE, None)) == (0, None)


@pytest.mark.parametrize(("name", "code"), [("none", 3), ("", 42)])
def test_configs_of_no_topic_are_refused(client, name, code):
    assert increment(client, TOPIC, name, ("retention.ms", SET, "1"))[0] == code
    assert alter(client, TOPIC, name, retention_ms="1")[0] == code


@pytest.mark.parametrize("version", range(3))
def test_alter_configs_replaces_all_of_them(server, client, version):
    assert alter(client, TOPIC, "t", version, segment_ms="8000") == (0, None)
    configs = server.broker.log_dir.topic("t").configs
    assert configs == {"segment.ms": "8000", "retention.ms": "7200000"}


def test_validating_changes_nothing(server, client):
    assert increment(client, TOPIC, "t", ("segment.ms", SET, "7000"), validate_only=True)[0] == 0
    assert increment(client, TOPIC, "t", ("segment.ms", SET, "x"), validate_only=True)[0] == 40
    assert alter(client, TOPIC, "t", validate_only=True, segment_ms="1")[0] == 0
    assert server.broker.log_dir.topic("t").configs == {"retention.ms": "5000"}


def test_a_resource_that_is_there_twice_is_refused(client):
    resource = INCREMENT.AlterConfigsResource(resource_type=TOPIC, resource_name="t", configs=[])
    request = INCREMENT.IncrementalAlterConfigsRequest(resources=[resource, resource])
    (result,) = client.ask(request).responses
    assert result.error_code == KafkaError.INVALID_REQUEST


def test_an_embedding_program_sees_the_change(server, client):
    with LogDir.open(server.folder) as log_dir:
        increment(client, TOPIC, "t", ("max.message.bytes", SET, "77"))
        assert log_dir.partition("t", 0).config.max_message_bytes == 77


# ---- brokers ----


def test_a_brokers_config_counts_at_once_and_outlives_the_server(tmp_path):
    with Server(tmp_path) as server, WireClient(server) as client:
        changes = [("max.connections", SET, "17"), ("message.max.bytes", SET, "2000000")]
        assert increment(client, BROKER, "0", *changes) == (0, None)
        assert server.broker.config.integer("max.connections") == 17
        create = api(19)
        topic = create.CreatableTopic(name="t", num_partitions=1, replication_factor=1)
        client.ask(create.CreateTopicsRequest(topics=[topic]))
        assert values(describe(client, TOPIC, "t"))["max.message.bytes"] == ("2000000", 2)
    with Server(tmp_path) as server, WireClient(server) as client:
        assert server.broker.config.integer("max.connections") == 17
        assert values(describe(client, BROKER, "0"))["max.connections"] == ("17", 2)
        assert increment(client, BROKER, "0", ("max.connections", DELETE, None)) == (0, None)
        assert server.broker.config.integer("max.connections") == 1000


def test_a_config_of_all_brokers_yields_to_one_of_a_broker(tmp_path):
    with Server(tmp_path) as server, WireClient(server) as client:
        assert describe(client, BROKER, "").configs == []
        assert increment(client, BROKER, "", ("max.connections", SET, "20")) == (0, None)
        assert values(describe(client, BROKER, "")) == {"max.connections": ("20", 3)}
        assert server.broker.config.integer("max.connections") == 20
        assert increment(client, BROKER, "0", ("max.connections", SET, "30")) == (0, None)
        assert server.broker.config.integer("max.connections") == 30


@pytest.mark.parametrize(
    ("name", "changes", "code", "text"),
    [
        (
            "0", [("num.partitions", SET, "3")],
            42, "Cannot update these configs dynamically: [num.partitions]",
        ),
        ("0", [("message.max.bytes", SET, "x")], 42, "Not a number of type INT"),
        ("99", [("message.max.bytes", SET, "1")], 42, "Unexpected broker id"),
        ("x", [("message.max.bytes", SET, "1")], 42, "Broker id must be an integer"),
    ],
)  # fmt: skip
def test_a_brokers_config_that_cannot_be_changed_is_refused(client, name, changes, code, text):
    found, message = increment(client, BROKER, name, *changes)
    assert found == code
    assert text in message


# ---- groups, loggers, lists ----


def test_a_group_has_its_own_timeouts(server, client):
    assert values(describe(client, GROUP, "g"))["consumer.session.timeout.ms"] == ("45000", 5)
    assert increment(client, GROUP, "g", ("consumer.session.timeout.ms", SET, "50000")) == (0, None)
    assert values(describe(client, GROUP, "g"))["consumer.session.timeout.ms"] == ("50000", 8)
    code, text = increment(client, GROUP, "g", ("consumer.session.timeout.ms", SET, "5"))
    assert code == 40
    assert "must be greater than or equal to group.consumer.min.session.timeout.ms" in text
    assert increment(client, GROUP, "g", ("nope", SET, "5"))[0] == 40
    assert increment(client, GROUP, "g", ("consumer.session.timeout.ms", DELETE, None))[0] == 0


def test_levels_of_loggers_are_described_and_set(client):
    logger = logging.getLogger("pylog.server")
    before = logger.level
    try:
        assert increment(client, LOGGER, "0", ("pylog.server", SET, "ERROR")) == (0, None)
        assert logger.level == logging.ERROR
        assert values(describe(client, LOGGER, "0"))["pylog.server"] == ("ERROR", 6)
        assert increment(client, LOGGER, "0", ("nono", SET, "DEBUG"))[0] == 40
        assert increment(client, LOGGER, "0", ("root", SET, "BAD"))[0] == 40
        assert increment(client, LOGGER, "0", ("root", DELETE, None))[0] == 42
    finally:
        logger.setLevel(before)


def test_what_has_configs_is_listed_by_kind(client):
    def listed(*kinds):
        response = client.ask(LIST.ListConfigResourcesRequest(resource_types=list(kinds)), 1)
        return response.error_code, [
            (one.resource_type, one.resource_name) for one in response.config_resources
        ]

    assert listed(TOPIC) == (0, [(TOPIC, "t")])
    assert listed(BROKER) == (0, [(BROKER, "0"), (BROKER, "1")])
    increment(client, GROUP, "g", ("consumer.heartbeat.interval.ms", SET, "6000"))
    assert listed(GROUP) == (0, [(GROUP, "g")])
    assert {kind for kind, _ in listed()[1]} == {TOPIC, BROKER, LOGGER, GROUP}
    assert listed(3) == (KafkaError.UNSUPPORTED_VERSION, [])
    increment(client, GROUP, "g", ("consumer.heartbeat.interval.ms", DELETE, None))
    assert client.ask(LIST.ListConfigResourcesRequest(), 0).config_resources == []
