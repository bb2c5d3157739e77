"""AdminClient: confluent_kafka.admin's names, futures and error codes over a folder."""

import os
from concurrent.futures import Future

import pytest

from logcore.batch import BatchBuilder
from pylog import admin as admin_module
from pylog.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    IsolationLevel,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicCollection,
    Uuid,
)
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir
from pylog.types import OFFSET_END, TopicPartition

SET, DELETE = AlterConfigOpType.SET, AlterConfigOpType.DELETE
APPEND, SUBTRACT = AlterConfigOpType.APPEND, AlterConfigOpType.SUBTRACT


@pytest.fixture
def admin(tmp_path):
    with AdminClient({"log.dir": str(tmp_path / "log")}) as client:
        yield client


def code_of(future):
    assert isinstance(future, Future)
    error = future.exception(timeout=0)
    assert isinstance(error, KafkaException), error
    return error.args[0].code()


def topic_configs(admin, name="t"):
    resource = ConfigResource(ResourceType.TOPIC, name)
    return admin.describe_configs([resource])[resource].result()


def fill(admin, timestamps, topic="t"):
    builder = BatchBuilder()
    for timestamp_ms in timestamps:
        builder.append(timestamp_ms, None, b"v" * 100)
    log = admin._log_dir.partition(topic, 0)
    log.append(builder.build())
    return log


# ---- the names ----


def test_names_of_confluent_kafka_are_there():
    for name in admin_module.__all__:
        assert hasattr(admin_module, name)
    assert (admin_module.RESOURCE_TOPIC, admin_module.CONFIG_SOURCE_DEFAULT_CONFIG) == (2, 5)
    assert ConfigResource.Type is ResourceType
    assert ResourceType.TOPIC < ResourceType.GROUP
    assert [kind.value for kind in AlterConfigOpType] == [0, 1, 2, 3]


def test_requests_print_compare_and_hash_as_in_confluent_kafka():
    assert repr(NewTopic("x")) == "NewTopic(topic=x)"
    assert repr(NewTopic("x", 3)) == "NewTopic(topic=x,num_partitions=3)"
    assert NewTopic("x", 2) == NewTopic("x", 2) != NewTopic("x", 3)
    assert NewTopic("x", 2) < NewTopic("y", 1)
    assert hash(NewTopic("x")) == hash("x")
    assert (NewTopic("x").num_partitions, NewTopic("x").replication_factor) == (-1, -1)
    assert repr(NewPartitions("x", 3)) == "NewPartitions(topic=x,new_total_count=3)"
    assert NewPartitions("x", 3).replica_assignment is None
    assert repr(ConfigResource("topic", "x")) == "ConfigResource(ResourceType.TOPIC,x)"
    assert ConfigResource("topic", "x") == ConfigResource(2, "x", {"a": "1"})
    assert hash(ConfigResource("topic", "x")) == hash((ResourceType.TOPIC, "x"))
    assert str(ConfigEntry("a", "b")) == 'a="b"'
    assert str(Uuid(1, 2)) == "AAAAAAAAAAEAAAAAAAAAAg"
    assert Uuid(-1, -2).get_most_significant_bits() == -1
    assert Uuid(-1, -2).get_least_significant_bits() == -2


@pytest.mark.parametrize("restype", ["bla", 99])
def test_an_unknown_resource_type_is_refused(restype):
    with pytest.raises(ValueError, match=str(restype)):
        ConfigResource(restype, "x")


@pytest.mark.parametrize("arguments", [(5,), (), ("x", "a"), ("x", 1.5)])
def test_new_topic_checks_its_arguments(arguments):
    with pytest.raises(TypeError):
        NewTopic(*arguments)


def test_a_client_takes_confluent_kafkas_configuration(tmp_path, monkeypatch):
    folder = str(tmp_path / "x")
    for client in (
        AdminClient({"log.dir": folder, "socket.timeout.ms": 100}),
        AdminClient(conf={"log.dir": folder}),
        AdminClient({"log.dir": folder}, logger=None),
        AdminClient(**{"log.dir": folder}),
    ):
        client.close()
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.list_topics()
    monkeypatch.setenv("PYLOG_DIR", str(tmp_path / "from-environment"))
    with AdminClient({}) as client:
        assert client.describe_cluster().result().controller.host.endswith("from-environment")
    with pytest.raises(TypeError, match="expected configuration dict"):
        AdminClient(5)
    with pytest.raises(KafkaException, match="log.dir"):
        AdminClient({"log.dri": folder})


# ---- topics ----


def test_topics_are_created_listed_and_deleted(admin):
    futures = admin.create_topics([NewTopic("a", 3), NewTopic("b")], operation_timeout=5)
    assert {name: future.result() for name, future in futures.items()} == {"a": None, "b": None}
    found = admin.list_topics(timeout=10)
    assert {name: len(topic.partitions) for name, topic in found.topics.items()} == {"a": 3, "b": 1}
    assert list(admin.list_topics("a").topics) == ["a"]
    assert admin.list_topics("none").topics["none"].error == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert admin.delete_topics(["a"], request_timeout=1)["a"].result() is None
    assert list(admin.list_topics().topics) == ["b"]


def test_creation_answers_each_topic_for_itself(admin):
    admin.create_topics([NewTopic("taken")])["taken"].result()
    futures = admin.create_topics(
        [
            NewTopic("taken"),
            NewTopic("Taken"),
            NewTopic("../../etc"),
            NewTopic(""),
            NewTopic("none", 0),
            NewTopic("many", 1_000_000),
            NewTopic("copies", 1, 3),
            NewTopic("placed", -1, replica_assignment=[[0], [1]]),
            NewTopic("odd", config={"retention.msec": "5"}),
            NewTopic("bad", config={"retention.ms": "soon"}),
            NewTopic("good", config={"retention.ms": "5"}),
        ]
    )
    codes = {name: code_of(future) for name, future in futures.items() if name != "good"}
    assert codes == {
        "taken": KafkaError.TOPIC_ALREADY_EXISTS,
        "Taken": KafkaError.TOPIC_EXCEPTION,
        "../../etc": KafkaError.TOPIC_EXCEPTION,
        "": KafkaError.TOPIC_EXCEPTION,
        "none": KafkaError.INVALID_PARTITIONS,
        "many": KafkaError.INVALID_PARTITIONS,
        "copies": KafkaError.INVALID_REPLICATION_FACTOR,
        "placed": KafkaError.INVALID_REPLICA_ASSIGNMENT,
        "odd": KafkaError.INVALID_CONFIG,
        "bad": KafkaError.INVALID_CONFIG,
    }
    assert futures["good"].result() is None
    assert "retention.ms" in str(futures["odd"].exception())
    assert sorted(admin.list_topics().topics) == ["good", "taken"]


def test_a_replica_assignment_says_how_many_partitions(admin):
    admin.create_topics([NewTopic("t", replica_assignment=[[0], [0], [0]])])["t"].result()
    assert len(admin.list_topics().topics["t"].partitions) == 3


def test_validate_only_makes_nothing(admin):
    admin.create_topics([NewTopic("here", 2)])["here"].result()
    before = sorted(os.listdir(admin._log_dir.path))
    assert admin.create_topics([NewTopic("t", 5)], validate_only=True)["t"].result() is None
    taken = admin.create_topics([NewTopic("here")], validate_only=True)["here"]
    assert code_of(taken) == KafkaError.TOPIC_ALREADY_EXISTS
    grown = admin.create_partitions([NewPartitions("here", 4)], validate_only=True)["here"]
    assert grown.result() is None
    resource = ConfigResource("topic", "here", {"retention.ms": "5"})
    assert admin.alter_configs([resource], validate_only=True)[resource].result() is None
    assert topic_configs(admin, "here")["retention.ms"].is_default
    assert sorted(os.listdir(admin._log_dir.path)) == before
    assert len(admin.list_topics().topics["here"].partitions) == 2


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda a: a.create_topics([]), ValueError, "non-empty list of NewTopic"),
        (lambda a: a.create_topics(["a"]), TypeError, "NewTopic"),
        (lambda a: a.create_topics([NewTopic("x")], bogus=1), TypeError, "'bogus' is an invalid"),
        (lambda a: a.create_topics([NewTopic("x", -2)]), ValueError, "out of expected range"),
        (lambda a: a.create_topics([NewTopic("x")], request_timeout="a"), TypeError, "real number"),
        (lambda a: a.create_topics([NewTopic("x")], request_timeout=-5), ValueError, "timeout"),
        (
            lambda a: a.create_topics([NewTopic("x", 1, 1, [[0]])]),
            ValueError,
            "mutually exclusive",
        ),
        (lambda a: a.delete_topics([]), ValueError, "non-empty"),
        (lambda a: a.delete_topics("ab"), TypeError, "list"),
        (lambda a: a.create_partitions([]), ValueError, "NewPartitions"),
        (lambda a: a.describe_topics(["a"]), TypeError, "TopicCollection"),
        (lambda a: a.describe_topics(TopicCollection([1])), TypeError, "topics strings, not int"),
        (lambda a: a.describe_configs([]), ValueError, "ConfigResource"),
        (
            lambda a: a.incremental_alter_configs([ConfigResource("topic", "x")]),
            ValueError,
            "non-empty list of ConfigEntry",
        ),
        (
            lambda a: a.incremental_alter_configs(
                [ConfigResource("topic", "x", incremental_configs=[ConfigEntry("a", "b")])]
            ),
            TypeError,
            "incremental_operation",
        ),
        (lambda a: a.delete_records("x"), TypeError, "to be a list"),
        (lambda a: a.delete_records(["x"]), TypeError, "'TopicPartition' got 'str'"),
        (lambda a: a.delete_records([TopicPartition("x", -1, 5)]), ValueError, "negative"),
        (lambda a: a.list_offsets([]), TypeError, "to be dict"),
        (lambda a: a.list_offsets({TopicPartition("x", 0): 5}), TypeError, "OffsetSpec"),
        (lambda a: a.list_offsets({"x": OffsetSpec.latest()}), TypeError, "TopicPartition"),
        (lambda a: a.describe_cluster(include_authorized_operations=1), TypeError, "bool"),
        (
            lambda a: a.list_offsets(
                {TopicPartition("x", 0): OffsetSpec.latest()}, isolation_level=1
            ),
            TypeError,
            "IsolationLevel",
        ),
    ],
)
def test_wrong_arguments_are_raised_by_the_call(admin, call, kind, text):
    with pytest.raises(kind, match=text):
        call(admin)


def test_partitions_are_added_and_never_taken_away(admin):
    admin.create_topics([NewTopic("t", 2)])["t"].result()
    assert admin.create_partitions([NewPartitions("t", 5)])["t"].result() is None
    assert len(admin.list_topics().topics["t"].partitions) == 5
    for total in (5, 3, 0):
        future = admin.create_partitions([NewPartitions("t", total)])["t"]
        assert code_of(future) == KafkaError.INVALID_PARTITIONS
    unknown = admin.create_partitions([NewPartitions("u", 5)])["u"]
    assert code_of(unknown) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_topics_are_described_with_their_ids(admin):
    admin.create_topics([NewTopic("t", 2)])["t"].result()
    futures = admin.describe_topics(TopicCollection(["t", "u"]), include_authorized_operations=True)
    described = futures["t"].result()
    assert (described.name, described.is_internal) == ("t", False)
    assert described.authorized_operations == []
    assert [partition.id for partition in described.partitions] == [0, 1]
    assert described.partitions[1].leader.id == described.partitions[1].isr[0].id == 0
    with open(os.path.join(admin._log_dir.path, "t-0", "partition.metadata")) as file:
        assert f"topic_id: {described.topic_id}" in file.read()
    assert code_of(futures["u"]) == KafkaError.UNKNOWN_TOPIC_OR_PART
    admin.delete_topics(["t"])["t"].result()
    admin.create_topics([NewTopic("t")])["t"].result()
    again = admin.describe_topics(TopicCollection(["t"]))["t"].result()
    assert again.topic_id != described.topic_id
    assert again.authorized_operations is None


def test_the_folder_is_described_as_a_cluster_of_one(admin):
    described = admin.describe_cluster(request_timeout=1).result()
    assert described.cluster_id == admin.cluster_id() == admin.list_topics().cluster_id
    assert [node.id for node in described.nodes] == [described.controller.id] == [0]


# ---- configs ----


def test_configs_are_described_with_defaults_and_sources(admin):
    admin.create_topics([NewTopic("t", config={"retention.ms": "60000"})])["t"].result()
    entries = topic_configs(admin)
    retention = entries["retention.ms"]
    assert (retention.value, retention.is_default) == ("60000", False)
    assert retention.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert retention.synonyms["retention.ms"].value == "60000"
    segment = entries["segment.bytes"]
    assert (segment.value, segment.is_default, segment.source) == ("1073741824", True, 5)
    assert "internal.segment.bytes" not in entries
    unknown = ConfigResource("topic", "u")
    future = admin.describe_configs([unknown])[unknown]
    assert code_of(future) == KafkaError.UNKNOWN_TOPIC_OR_PART
    group = ConfigResource("group", "g")
    assert code_of(admin.describe_configs([group])[group]) == KafkaError.INVALID_REQUEST


def test_alter_configs_replaces_all_that_was_set(admin):
    admin.create_topics([NewTopic("t", config={"retention.ms": "5", "segment.ms": "9"})])
    resource = ConfigResource("topic", "t", {"retention.bytes": "100000"})
    assert admin.alter_configs([resource])[resource].result() is None
    changed = {key: e.value for key, e in topic_configs(admin).items() if not e.is_default}
    assert changed == {"retention.bytes": "100000"}
    wrong = ConfigResource("topic", "t", {"retention.byte": "1"})
    future = admin.alter_configs([wrong])[wrong]
    assert code_of(future) == KafkaError.INVALID_CONFIG
    assert "retention.bytes" in str(future.exception())


def test_incremental_alter_configs_sets_deletes_appends_and_subtracts(admin):
    admin.create_topics([NewTopic("t", config={"segment.ms": "9"})])["t"].result()

    def alter(*changes):
        entries = [
            ConfigEntry(n, v, incremental_operation=operation) for n, v, operation in changes
        ]
        resource = ConfigResource("topic", "t", incremental_configs=entries)
        return admin.incremental_alter_configs([resource])[resource]

    assert alter(("retention.ms", "7", SET), ("cleanup.policy", "compact", APPEND)).result() is None
    changed = {key: e.value for key, e in topic_configs(admin).items() if not e.is_default}
    assert changed == {"segment.ms": "9", "retention.ms": "7", "cleanup.policy": "delete,compact"}
    alter(("segment.ms", None, DELETE), ("cleanup.policy", "delete", SUBTRACT)).result()
    changed = {key: e.value for key, e in topic_configs(admin).items() if not e.is_default}
    assert changed == {"retention.ms": "7", "cleanup.policy": "compact"}
    assert code_of(alter(("retention.ms", "1", APPEND))) == KafkaError.INVALID_CONFIG
    assert code_of(alter(("retention.m", "1", SET))) == KafkaError.INVALID_CONFIG
    assert code_of(alter(("retention.m", None, DELETE))) == KafkaError.INVALID_CONFIG
    twice = alter(("retention.ms", "1", SET), ("retention.ms", "2", SET))
    assert code_of(twice) == KafkaError.INVALID_REQUEST
    assert topic_configs(admin)["retention.ms"].value == "7"


def test_an_altered_config_reaches_an_open_partition(admin):
    admin.create_topics([NewTopic("t")])["t"].result()
    log = admin._log_dir.partition("t", 0)
    resource = ConfigResource("topic", "t", {"segment.bytes": str(2 << 20)})
    admin.alter_configs([resource])[resource].result()
    assert log.config.segment_bytes == 2 << 20


def test_the_folder_has_configs_of_its_own(admin):
    folder = ConfigResource(ResourceType.BROKER, "0")
    entries = admin.describe_configs([folder])[folder].result()
    assert entries["auto.create.topics.enable"].value == "true"
    assert (entries["num.partitions"].value, entries["num.partitions"].is_default) == ("1", True)
    assert entries["log.dir"].is_read_only
    folder.add_incremental_config(ConfigEntry("num.partitions", "3", incremental_operation=SET))
    assert admin.incremental_alter_configs([folder])[folder].result() is None
    admin.create_topics([NewTopic("t")])["t"].result()
    assert len(admin.list_topics().topics["t"].partitions) == 3
    for name, value in (("num.partitions", "0"), ("auto.create.topics.enable", "no"), ("x", "1")):
        wrong = ConfigResource("broker", "0", {name: value})
        assert code_of(admin.alter_configs([wrong])[wrong]) == KafkaError.INVALID_CONFIG
    other = ConfigResource("broker", "1")
    assert code_of(admin.describe_configs([other])[other]) == KafkaError.INVALID_REQUEST


# ---- records ----


def test_records_are_deleted_below_an_offset(admin):
    admin.create_topics([NewTopic("t")])["t"].result()
    log = fill(admin, range(1000, 1010))
    place = TopicPartition("t", 0, 4)
    assert admin.delete_records([place])[place].result().low_watermark == 4
    assert log.log_start_offset == 4
    for offset in (11, -1001, -2):
        wrong = TopicPartition("t", 0, offset)
        future = admin.delete_records([wrong])[wrong]
        assert code_of(future) == KafkaError.OFFSET_OUT_OF_RANGE
    everything = TopicPartition("t", 0, OFFSET_END)
    assert admin.delete_records([everything])[everything].result().low_watermark == 10
    assert admin.delete_records([]) == {}
    for place in (TopicPartition("t", 7, 1), TopicPartition("u", 0, 1)):
        future = admin.delete_records([place])[place]
        assert code_of(future) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_offsets_are_listed_by_end_and_by_time(admin):
    admin.create_topics([NewTopic("t")])["t"].result()
    fill(admin, [1000, 3000, 2000])
    place = TopicPartition("t", 0)

    def offset(spec, **options):
        found = admin.list_offsets({place: spec}, **options)[place].result()
        return found.offset, found.timestamp

    assert offset(OffsetSpec.earliest()) == (0, -1)
    assert offset(OffsetSpec.latest(), isolation_level=IsolationLevel.READ_COMMITTED) == (3, -1)
    assert offset(OffsetSpec.max_timestamp()) == (1, 3000)
    assert offset(OffsetSpec.for_timestamp(1500)) == (1, 3000)
    assert offset(OffsetSpec.for_timestamp(9000)) == (-1, -1)
    assert offset(OffsetSpec.for_timestamp(0)) == (0, 1000)
    unknown = TopicPartition("t", 4)
    future = admin.list_offsets({unknown: OffsetSpec.latest()})[unknown]
    assert code_of(future) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_an_empty_partition_has_no_largest_timestamp(admin):
    admin.create_topics([NewTopic("t")])["t"].result()
    place = TopicPartition("t", 0)
    found = admin.list_offsets({place: OffsetSpec.max_timestamp()})[place].result()
    assert (found.offset, found.timestamp) == (-1, -1)


# ---- what is not here ----


@pytest.mark.parametrize(
    "name",
    [
        "create_acls",
        "describe_acls",
        "delete_acls",
        "describe_user_scram_credentials",
        "alter_user_scram_credentials",
        "elect_leaders",
    ],
)
def test_what_is_not_here_says_so(admin, name):
    with pytest.raises(KafkaException) as caught:
        getattr(admin, name)(["x"])
    assert caught.value.args[0].code() == KafkaError._NOT_IMPLEMENTED


def test_an_abandoned_client_gives_the_folder_up(tmp_path):
    client = AdminClient({"log.dir": str(tmp_path)})
    log_dir = client._log_dir
    del client
    with pytest.raises(KafkaException, match="closed"):
        log_dir.topics()
    assert LogDir.open(tmp_path).close() is None
