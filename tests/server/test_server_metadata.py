import uuid

import pytest
from wire_client import WireClient, api

import pylog
from pylog.errors import KafkaError
from pylog.log_dir import LogDir
from pylog.server.kept_epochs import KeptEpochs
from pylog.testing import Server
from pylog.wire import APIS, NO_UUID

M, DESCRIBE = api(3), api(75)
VERSIONS = range(APIS[3].versions.first, APIS[3].versions.last + 1)


def ask(client, names, version=12, create=False, **fields):
    topics = None if names is None else [M.MetadataRequestTopic(name=name) for name in names]
    if version >= 4:
        fields["allow_auto_topic_creation"] = create
    return client.ask(M.MetadataRequest(topics=topics, **fields), version)


@pytest.fixture(scope="module")
def server():
    with Server(properties={"auto.create.topics.enable": "true"}) as server:
        server.broker.log_dir.create_topic("known", 3)
        yield server


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client


@pytest.mark.parametrize("version", VERSIONS)
def test_a_topic_is_described_at_every_version(server, client, version):
    response = ask(client, ["known"], version)
    host, port = server.bootstrap_servers.split(":")
    assert [(node.node_id, node.host, node.port) for node in response.brokers] == [
        (0, host, int(port))
    ]
    (topic,) = response.topics
    assert (topic.error_code, topic.name, topic.is_internal) == (0, "known", False)
    assert [(one.partition_index, one.leader_id) for one in topic.partitions] == [
        (0, 0), (1, 0), (2, 0)
    ]  # fmt: skip
    for partition in topic.partitions:
        assert partition.replica_nodes == partition.isr_nodes == [0]
        assert partition.offline_replicas == []
        assert partition.leader_epoch == (0 if version >= 7 else -1)
    if version >= 1:
        assert response.controller_id == 0
    if version >= 2:
        assert response.cluster_id == server.broker.log_dir.cluster_id
    if version >= 10:
        assert topic.topic_id == server.broker.log_dir.topic("known").topic_id.bytes


@pytest.mark.parametrize("version", VERSIONS)
def test_all_topics_are_asked_for_as_each_version_does(client, version):
    topics = ask(client, [] if version == 0 else None, version).topics
    assert "known" in [topic.name for topic in topics]


@pytest.mark.parametrize("version", [1, 4, 12])
def test_an_empty_list_asks_for_no_topic(client, version):
    assert ask(client, [], version).topics == []


def test_topics_come_in_the_order_in_which_they_were_asked_for(client):
    names = ["b-missing", "known", "a-missing"]
    assert [topic.name for topic in ask(client, names).topics] == names


def test_an_unknown_topic_that_may_not_be_made_is_an_error(client):
    (topic,) = ask(client, ["missing"]).topics
    assert (topic.error_code, topic.partitions) == (KafkaError.UNKNOWN_TOPIC_OR_PART, [])
    assert "missing" not in [topic.name for topic in ask(client, None).topics]


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a" * 250, "a/b", "ü"])
def test_a_name_that_is_none_is_an_error_and_makes_nothing(server, client, name):
    (topic,) = ask(client, [name], create=True).topics
    assert (topic.error_code, topic.name) == (KafkaError.TOPIC_EXCEPTION, name)
    assert name not in server.broker.log_dir.topics()


@pytest.mark.parametrize("version", [0, 3, 4, 9, 13])
def test_a_topic_is_made_when_a_client_names_it_and_is_there_with_the_answer(client, version):
    name = f"made-{version}"
    (topic,) = ask(client, [name], version, create=True).topics
    assert (topic.error_code, len(topic.partitions)) == (0, 1)


@pytest.mark.kafka_server(properties={"auto.create.topics.enable": "false"})
def test_no_topic_is_made_where_that_is_off(kafka_server):
    with WireClient(kafka_server) as client:
        (topic,) = ask(client, ["missing"], create=True).topics
    assert topic.error_code == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.kafka_server(
    brokers=2, properties={"num.partitions": "4", "default.replication.factor": "2"}
)
def test_a_topic_is_made_with_the_servers_defaults(kafka_server):
    with WireClient(kafka_server) as client:
        (topic,) = ask(client, ["made"], create=True).topics
    assert [len(one.replica_nodes) for one in topic.partitions] == [2] * 4


def test_the_folders_own_topics_are_internal_and_made_as_they_should_be(kafka_server):
    with WireClient(kafka_server) as client:
        (topic,) = ask(client, ["__consumer_offsets"], create=True).topics
    assert (topic.error_code, topic.is_internal, len(topic.partitions)) == (0, True, 1)
    assert kafka_server.broker.log_dir.topic(topic.name).configs["cleanup.policy"] == "compact"


@pytest.mark.parametrize("version", [10, 11, 12, 13])
def test_a_topic_is_found_by_its_id(server, client, version):
    topic_id = server.broker.log_dir.topic("known").topic_id.bytes
    asked = M.MetadataRequestTopic(topic_id=topic_id, name=None)
    (topic,) = client.ask(M.MetadataRequest(topics=[asked]), version).topics
    assert (topic.error_code, topic.name, topic.topic_id) == (0, "known", topic_id)


@pytest.mark.parametrize("version", [10, 12])
def test_an_unknown_id_is_an_error_of_its_own(client, version):
    topic_id = uuid.uuid4().bytes
    asked = M.MetadataRequestTopic(topic_id=topic_id, name=None)
    (topic,) = client.ask(M.MetadataRequest(topics=[asked]), version).topics
    assert (topic.error_code, topic.topic_id) == (KafkaError.UNKNOWN_TOPIC_ID, topic_id)
    assert not topic.name


def test_neither_name_nor_id_is_an_invalid_request(client):
    asked = M.MetadataRequestTopic(topic_id=NO_UUID, name=None)
    (topic,) = client.ask(M.MetadataRequest(topics=[asked]), 12).topics
    assert topic.error_code == KafkaError.INVALID_REQUEST


def test_a_topic_made_anew_has_another_id_and_the_old_one_is_unknown(kafka_server):
    log_dir = kafka_server.broker.log_dir
    before = log_dir.create_topic("again", 1).topic_id.bytes
    with WireClient(kafka_server) as client:
        assert ask(client, ["again"]).topics[0].topic_id == before
        log_dir.delete_topic("again")
        after = log_dir.create_topic("again", 1).topic_id.bytes
        assert ask(client, ["again"]).topics[0].topic_id == after != before
        asked = M.MetadataRequestTopic(topic_id=before, name=None)
        (topic,) = client.ask(M.MetadataRequest(topics=[asked]), 12).topics
    assert topic.error_code == KafkaError.UNKNOWN_TOPIC_ID


def test_a_topic_that_an_embedding_program_makes_is_there_at_once(kafka_server):
    with WireClient(kafka_server) as client, LogDir.open(kafka_server.folder) as log_dir:
        log_dir.create_topic("embedded", 2)
        assert len(ask(client, ["embedded"]).topics[0].partitions) == 2


def test_operations_are_told_when_they_are_asked_for(client):
    response = ask(
        client, ["known"], 10,
        include_topic_authorized_operations=True, include_cluster_authorized_operations=True,
    )  # fmt: skip
    # READ WRITE CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS, as Kafka answers
    assert response.topics[0].topic_authorized_operations == 3576
    assert response.cluster_authorized_operations > 0
    untold = ask(client, ["known"], 10)
    assert untold.topics[0].topic_authorized_operations == -(2**31)
    assert untold.cluster_authorized_operations == -(2**31)


@pytest.mark.kafka_server(brokers=3)
def test_virtual_brokers_share_out_the_leaders(kafka_server):
    kafka_server.broker.log_dir.create_topic("wide", 6)
    addresses = kafka_server.bootstrap_servers.split(",")
    answers = []
    for address in addresses:
        with WireClient(address) as client:
            answers.append(ask(client, ["wide"]))
    assert answers[0] == answers[1] == answers[2]
    assert [f"{node.host}:{node.port}" for node in answers[0].brokers] == addresses
    leaders = [one.leader_id for one in answers[0].topics[0].partitions]
    assert sorted(leaders) == [0, 0, 1, 1, 2, 2]


@pytest.mark.kafka_server(
    properties={
        "listeners": "PLAINTEXT://127.0.0.1:0",
        "advertised.listeners": "PLAINTEXT://broker.test:19092",
    }
)
def test_clients_are_told_the_advertised_address_not_the_bound_one(kafka_server):
    with WireClient(kafka_server) as client:
        (node,) = ask(client, []).brokers
    assert (node.host, node.port) == ("broker.test", 19092)


def test_a_server_that_is_told_nothing_is_node_0(server, client):
    """rust-rdkafka's tests, for one, count on it."""
    response = ask(client, [])
    assert [node.node_id for node in response.brokers] == [response.controller_id] == [0]


def test_node_ids_begin_where_node_id_says(tmp_path):
    with Server(properties={"node.id": "7"}, brokers=2) as server, WireClient(server) as client:
        response = ask(client, [])
    assert [node.node_id for node in response.brokers] == [7, 8]
    assert response.controller_id == 7


@pytest.mark.parametrize("key", [3, 75])
def test_the_leader_epoch_of_a_partition_is_the_same_before_and_after_it_is_opened(tmp_path, key):
    for _ in range(3):  # each time it is opened anew, as after a restart of the machine
        with pylog.open(tmp_path) as log:
            log.topic("again").append(b"x")
        (tmp_path / "again-0" / ".state").unlink()
    with pylog.open(tmp_path) as log:
        log.topic("again").append(b"x")
    with Server(tmp_path) as server, WireClient(server) as client:

        def epoch():
            if key == 3:
                return ask(client, ["again"]).topics[0].partitions[0].leader_epoch
            topics = [DESCRIBE.TopicRequest(name="again")]
            answer = client.ask(DESCRIBE.DescribeTopicPartitionsRequest(topics=topics))
            return answer.topics[0].partitions[0].leader_epoch

        assert server.broker.log_dir.known_log("again", 0) is None
        before = epoch()
        assert before == server.broker.log_dir.partition("again", 0).leader_epoch
        assert before == epoch() == 3


def test_an_epoch_file_that_is_none_is_no_epoch(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    epochs = KeptEpochs(str(tmp_path))
    assert epochs.of("t", 0) == 0
    for text, epoch in (("0\n1\n5 0\n", 5), ("nonsense", 0), ("0\n2\n5 0\n7 3\n", 7)):
        (folder / "leader-epoch-checkpoint").write_text(text)
        assert epochs.of("t", 0) == epoch
