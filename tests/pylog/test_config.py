import math
import os
from pathlib import Path

import pytest

from pylog import config_table
from pylog.config import (
    ADMIN,
    CONSUMER,
    PRODUCER,
    PROPERTIES,
    ClientConfig,
    parse,
    resolve_log_dir,
)
from pylog.errors import KafkaError, KafkaException
from pylog.partitioner import PARTITIONERS

KINDS = ["producer", "consumer", "admin"]


def refusal(kind, conf):
    """The text of the _INVALID_ARG error."""
    with pytest.raises(KafkaException) as raised:
        parse(kind, conf)
    error = raised.value.args[0]
    assert error.code() == KafkaError._INVALID_ARG
    assert not error.retriable()
    return error.str()


# ---- the tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "default"),
    [
        ("producer", "acks", -1),
        ("producer", "linger.ms", 5.0),
        ("producer", "batch.size", 1_000_000),
        ("producer", "batch.num.messages", 10_000),
        ("producer", "message.max.bytes", 1_000_000),
        ("producer", "queue.buffering.max.messages", 100_000),
        ("producer", "queue.buffering.max.kbytes", 1_048_576),
        ("producer", "compression.type", "none"),
        ("producer", "compression.level", -1),
        ("producer", "partitioner", "consistent_random"),
        ("producer", "delivery.timeout.ms", 300_000),
        ("producer", "enable.idempotence", False),
        ("producer", "on_delivery", None),
        ("producer", "client.id", "rdkafka"),
        ("producer", "debug", None),
        ("consumer", "auto.offset.reset", "latest"),
        ("consumer", "enable.auto.commit", True),
        ("consumer", "auto.commit.interval.ms", 5000),
        ("consumer", "enable.partition.eof", False),
        ("consumer", "enable.auto.offset.store", True),
        ("consumer", "isolation.level", "read_committed"),
        ("consumer", "fetch.wait.max.ms", 500),
        ("consumer", "max.partition.fetch.bytes", 1_048_576),
        ("consumer", "session.timeout.ms", 45_000),
        ("consumer", "group.id", None),
        ("consumer", "check.crcs", False),
        ("consumer", "busy.poll", False),
        ("consumer", "read.only", False),
        ("admin", "log.dir", None),
        ("admin", "bootstrap.servers", None),
        ("admin", "socket.timeout.ms", 60_000),
    ],
)
def test_defaults_are_librdkafkas_and_typed(kind, name, default):
    value = parse(kind, {})[name]
    assert value == default
    assert type(value) is type(default)


def test_every_row_of_the_tables_is_read_and_its_default_is_allowed():
    assert len(PROPERTIES) > 150
    for name, prop in PROPERTIES.items():
        assert prop.name == name
        if prop.default is not None:
            assert prop.parse(prop.default, name) == prop.default


def test_aliases_lead_to_properties_and_are_none_themselves():
    for alias, target in config_table.ALIASES.items():
        assert target in PROPERTIES
        assert alias not in PROPERTIES
    assert not config_table.NOT_SETTABLE & set(PROPERTIES)
    assert set(config_table.JAVA_NAMES.values()) <= set(PROPERTIES)
    assert not set(config_table.JAVA_NAMES) & (set(PROPERTIES) | set(config_table.ALIASES))


def test_a_kind_of_client_has_the_common_properties_and_its_own():
    assert set(PRODUCER) & set(CONSUMER) == set(ADMIN)
    assert "linger.ms" in PRODUCER
    assert "linger.ms" not in CONSUMER
    assert "group.id" in CONSUMER
    assert "group.id" not in PRODUCER


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("linger.ms", 5.5, 5.5),
        ("linger.ms", "5.5", 5.5),
        ("linger.ms", "1e3", 1000.0),
        ("linger.ms", 0, 0.0),
        ("linger.ms", "5 ", 5.0),
        ("acks", "all", -1),
        ("acks", "ALL", -1),
        ("acks", "-1", -1),
        ("acks", -1, -1),
        ("acks", "0", 0),
        ("acks", 1, 1),
        ("acks", 1.0, 1),
        ("batch.size", " 10", 10),
        ("batch.size", "10 ", 10),
        ("batch.size", "0x10", 16),
        ("batch.size", "007", 7),
        ("compression.type", "GZIP", "gzip"),
        ("compression.type", "zstd", "zstd"),
        ("enable.idempotence", "t", True),
        ("enable.idempotence", "1", True),
        ("enable.idempotence", 1, True),
        ("enable.idempotence", True, True),
        ("enable.idempotence", "TRUE", True),
        ("enable.idempotence", "f", False),
        ("enable.idempotence", 0, False),
        ("client.id", 5, "5"),
        ("client.id", "", ""),
        ("client.id", None, "rdkafka"),
        ("client.id", b"x", "x"),
        ("partitioner", "murmur2_random", "murmur2_random"),
        ("security.protocol", "PLAINTEXT", "plaintext"),
        ("sasl.oauthbearer.assertion.algorithm", "es256", "ES256"),
        ("debug", "topic,MSG", ("topic", "msg")),
        ("debug", "all,", ("all",)),
        ("debug", ["topic", "msg"], ("topic", "msg")),
        ("topic.blacklist", "^a.*, b", ("^a.*", "b")),
        ("error_cb", print, print),
        ("error_cb", None, None),
        ("logger", "anything", "anything"),
        ("log.dir", Path("/data/log"), "/data/log"),
    ],
)
def test_values_may_be_text_or_python(name, value, expected):
    parsed = parse("producer", {name: value})[name]
    assert parsed == expected
    assert type(parsed) is type(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("word", "policy"),
    [
        ("smallest", "earliest"),
        ("earliest", "earliest"),
        ("beginning", "earliest"),
        ("largest", "latest"),
        ("latest", "latest"),
        ("END", "latest"),
        ("error", "error"),
    ],
)
def test_a_reset_policy_has_one_name_whatever_it_was_called(kind, word, policy):
    assert parse(kind, {"auto.offset.reset": word})["auto.offset.reset"] == policy


def test_a_partitioner_may_be_a_function():
    def choose(key, partition_count):
        return 0

    assert parse("producer", {"partitioner": choose})["partitioner"] is choose
    for name in PARTITIONERS:
        assert parse("producer", {"partitioner": name})["partitioner"] == name


# What confluent_kafka 2.16 answers, but for the name, which is the one that was given.
@pytest.mark.parametrize(
    ("conf", "text"),
    [
        ({"linger.ms": -1}, '"linger.ms" value -1 is outside allowed range 0..900000'),
        ({"linger.ms": 900001}, '"linger.ms" value 900001 is outside allowed range 0..900000'),
        ({"queue.buffering.max.ms": -1}, '"queue.buffering.max.ms" value -1 is outside allowed'),
        ({"linger.ms": "inf"}, '"linger.ms" value inf is outside allowed range 0..900000'),
        ({"linger.ms": math.nan}, '"linger.ms" value nan is outside allowed range 0..900000'),
        ({"linger.ms": "x"}, 'Invalid value for configuration property "linger.ms"'),
        ({"linger.ms": True}, 'Invalid value for configuration property "linger.ms"'),
        ({"linger.ms": []}, 'Invalid value for configuration property "linger.ms"'),
        ({"linger.ms": None}, 'Float configuration property "linger.ms" cannot be set to empty'),
        ({"linger.ms": ""}, 'Float configuration property "linger.ms" cannot be set to empty'),
        ({"acks": 2000}, '"acks" value 2000 is outside allowed range -1..1000'),
        ({"acks": "foo"}, 'Invalid value for configuration property "acks"'),
        ({"acks": 1.5}, 'Invalid value for configuration property "acks"'),
        ({"acks": b"all"}, 'Invalid value for configuration property "acks"'),
        ({"batch.size": ""}, 'Integer configuration property "batch.size" cannot be set to empty'),
        ({"batch.size": None}, 'Integer configuration property "batch.size" cannot be set to'),
        ({"batch.size": 10**10}, '"batch.size" value 10000000000 is outside allowed range'),
        ({"batch.size": "9" * 5000}, 'Invalid value for configuration property "batch.size"'),
        ({"batch.size": "12abc"}, 'Invalid value for configuration property "batch.size"'),
        ({"batch.size": "1_0"}, 'Invalid value for configuration property "batch.size"'),
        ({"compression.type": "foo"}, 'Invalid value "foo" for configuration property "compress'),
        ({"compression.type": "gzip,lz4"}, 'Invalid value "gzip,lz4" for configuration property'),
        ({"compression.level": 13}, '"compression.level" value 13 is outside allowed range -1..12'),
        (
            {"enable.idempotence": "maybe"},
            'Expected bool value for "enable.idempotence": true or f',
        ),
        ({"enable.idempotence": 2}, 'Expected bool value for "enable.idempotence": true or false'),
        ({"enable.idempotence": "yes"}, 'Expected bool value for "enable.idempotence": true or f'),
        ({"enable.idempotence": 1.0}, 'Expected bool value for "enable.idempotence": true or f'),
        ({"enable.idempotence": ""}, 'Bool configuration property "enable.idempotence" cannot be'),
        ({"enable.random.seed": None}, 'Bool configuration property "enable.random.seed" cannot'),
        ({"partitioner": "foo"}, 'Invalid value for configuration property "partitioner": foo'),
        ({"partitioner": "MURMUR2"}, 'Invalid value for configuration property "partitioner": MUR'),
        ({"debug": "foo"}, 'Invalid value "foo" for configuration property "debug"'),
        ({"debug": ""}, 'Configuration property "debug" cannot be set to empty value'),
        ({"security.protocol": "foo"}, 'Invalid value "foo" for configuration property "security'),
        ({"builtin.features": "foo"}, 'Invalid value "foo" for configuration property "builtin.'),
        ({"topic.blacklist": "("}, 'Failed to parse pattern "(": '),
        ({"message.max.bytes": 100}, '"message.max.bytes" value 100 is outside allowed range 1000'),
        ({"batch.num.messages": 0}, '"batch.num.messages" value 0 is outside allowed range 1..'),
        ({"on_delivery": 5}, "on_delivery requires a callable object"),
        ({"opaque": 1}, 'Property "opaque" must be set through dedicated .._set_..() function'),
        ({"rebalance_cb": print}, 'Property "rebalance_cb" must be set through dedicated .._set_'),
    ],
    ids=str,
)
def test_refusals_are_in_librdkafkas_words(conf, text):
    assert text in refusal("producer", conf)
    assert text in refusal("consumer", conf)
    assert text in refusal("admin", conf)


@pytest.mark.parametrize("name", ["error_cb", "stats_cb", "throttle_cb", "oauth_cb"])
def test_a_callback_that_cannot_be_called_is_a_type_error(name):
    with pytest.raises(TypeError, match=f"expected {name} property as a callable function"):
        parse("producer", {name: 5})


@pytest.mark.parametrize("conf", [5, None, "log.dir=/data", [("log.dir", "/data")]])
def test_a_configuration_that_is_no_dict_is_a_type_error(conf):
    with pytest.raises(TypeError, match="expected configuration dict"):
        parse("producer", conf)


# ---- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("producer", "linger_ms", "linger.ms"),
        ("producer", "linger", "linger.ms"),
        ("producer", "Linger.ms", "linger.ms"),
        ("producer", "bootstrap.server", "bootstrap.servers"),
        ("producer", "batch.sise", "batch.size"),
        ("producer", "compresion.type", "compression.type"),
        ("producer", "buffer.memory", "queue.buffering.max.kbytes"),
        ("producer", "max.request.size", "message.max.bytes"),
        ("consumer", "group_id", "group.id"),
        ("consumer", "auto.offset.rest", "auto.offset.reset"),
        ("consumer", "fetch.max.wait.ms", "fetch.wait.max.ms"),
        ("consumer", "busy_poll", "busy.poll"),
        ("admin", "log_dir", "log.dir"),
        ("producer", "logdir", "log.dir"),
        ("producer", "foo.bar", None),
        ("producer", 5, None),
    ],
)
def test_an_unknown_name_names_the_nearest_known_one(kind, name, nearest):
    text = refusal(kind, {name: "1"})
    hint = f'. Did you mean "{nearest}"?' if nearest else ""
    assert text == f'No such configuration property: "{name}"{hint}'


def test_an_alias_is_the_property():
    for alias, name in config_table.ALIASES.items():
        config = parse("producer", {})
        assert config[alias] == config[name]
    config = parse("producer", {"queue.buffering.max.ms": 7, "dr_cb": print})
    assert config["linger.ms"] == config["queue.buffering.max.ms"] == 7
    assert config["on_delivery"] is print
    assert "linger.ms" in config
    assert "queue.buffering.max.ms" in config
    assert list(config) == ["linger.ms", "on_delivery"]


def test_of_a_property_given_twice_the_later_counts():
    assert parse("producer", {"request.required.acks": 1, "acks": 0})["acks"] == 0
    assert parse("producer", {"acks": 0, "request.required.acks": 1})["acks"] == 1


def test_one_dict_may_serve_a_producer_and_a_consumer():
    conf = {"log.dir": "/data", "group.id": "g", "auto.offset.reset": "earliest", "linger.ms": 1}
    for kind in KINDS:
        assert parse(kind, conf)["linger.ms"] == 1
    assert '"fetch.wait.max.ms" value -1' in refusal("producer", {"fetch.wait.max.ms": -1})


def test_a_topic_config_may_be_given_apart():
    config = parse("producer", {"default.topic.config": {"acks": 1}, "linger.ms": 3})
    assert (config["acks"], config["linger.ms"]) == (1, 3)
    assert "foo" in refusal("producer", {"default.topic.config": {"foo": 1}})
    with pytest.raises(TypeError, match=r"default\.topic\.config"):
        parse("producer", {"default.topic.config": "acks=1"})


def test_a_cluster_configuration_is_taken_as_it_is():
    config = parse(
        "producer",
        {
            "bootstrap.servers": "a:9092,b:9092",
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": "user",
            "sasl.password": "hunter2",
            "ssl.ca.location": "/etc/ssl/ca.pem",
            "socket.keepalive.enable": True,
            "broker.address.family": "v4",
            "metadata.max.age.ms": 180000,
            "statistics.interval.ms": 1000,
            "log.dir": "/data/log",
        },
    )
    assert config["security.protocol"] == "sasl_ssl"
    assert config["sasl.mechanism"] == "SCRAM-SHA-512"


def test_secrets_are_not_printed():
    secrets = {
        "sasl.password": "hunter2",
        "ssl.key.password": "hunter2",
        "ssl.key.pem": "hunter2",
        "ssl.keystore.password": "hunter2",
        "sasl.oauthbearer.client.secret": "hunter2",
        "sasl.oauthbearer.config": "hunter2",
        "sasl.oauthbearer.assertion.private.key.passphrase": "hunter2",
    }
    config = parse("producer", {**secrets, "client.id": "shown"})
    assert "hunter2" not in repr(config)
    assert "shown" in repr(config)
    assert config["sasl.password"] == "hunter2"


def test_a_configuration_is_a_read_only_mapping_of_what_was_set():
    config = parse("consumer", {"group.id": "g"})
    assert isinstance(config, ClientConfig)
    assert (len(config), list(config)) == (1, ["group.id"])
    assert "group.id" in config
    assert "client.id" not in config
    assert 5 not in config
    with pytest.raises(KeyError):
        config["no.such.name"]
    with pytest.raises(TypeError):
        config["group.id"] = "h"


# ---- values that contradict each other ----------------------------------------------------------


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        (
            {"enable.idempotence": True, "acks": 0},
            "`acks` must be set to `all` or 1 when `enable.idempotence` is true",
        ),
        (
            {"enable.idempotence": True, "max.in.flight": 10},
            "`max.in.flight` must be set <= 5 when `enable.idempotence` is true",
        ),
        (
            {"enable.idempotence": True, "retries": 0},
            "`retries` must be set >= 1 when `enable.idempotence` is true",
        ),
        (
            {"transactional.id": "x", "enable.idempotence": False},
            "`transactional.id` requires `enable.idempotence=true`",
        ),
        (
            {"enable.idempotence": True, "queuing.strategy": "lifo"},
            "`queuing.strategy` must be set to `fifo` when `enable.idempotence` is true",
        ),
        (
            {"enable.gapless.guarantee": True},
            "`enable.gapless.guarantee` requires `enable.idempotence` to be enabled",
        ),
        (
            {"transactional.id": "x", "transaction.timeout.ms": 1000, "message.timeout.ms": 1001},
            "`message.timeout.ms` must be set <= `transaction.timeout.ms`",
        ),
        (
            {"transactional.id": "x", "transaction.timeout.ms": 1000, "socket.timeout.ms": 1101},
            "`socket.timeout.ms` must be set <= `transaction.timeout.ms` + 100",
        ),
        (
            {"transactional.id": "x", "acks": 0},
            "`acks` must be set to `all` or 1 when `enable.idempotence` is true",
        ),
    ],
)
def test_a_producers_contradictions_are_refused(conf, text):
    assert refusal("producer", conf) == f"Failed to create producer: {text}"
    parse("consumer", conf)


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        (
            {"max.poll.interval.ms": 10, "session.timeout.ms": 45000},
            "`max.poll.interval.ms` must be >= `session.timeout.ms`",
        ),
        (
            {"fetch.max.bytes": 100, "message.max.bytes": 1000000},
            "`fetch.max.bytes` must be >= `message.max.bytes`",
        ),
        (
            {"group.protocol": "consumer", "session.timeout.ms": 5},
            "`session.timeout.ms` is not supported for `group.protocol=consumer`. "
            "It is defined broker side",
        ),
    ],
)
def test_a_consumers_contradictions_are_refused(conf, text):
    assert refusal("consumer", conf) == f"Failed to create consumer: {text}"
    parse("producer", conf)


@pytest.mark.parametrize(
    "conf",
    [
        {"enable.idempotence": True},
        {"enable.idempotence": True, "acks": "all", "max.in.flight": 5},
        {"transactional.id": "x"},
        {"transactional.id": ""},
        {"transactional.id": "x", "transaction.timeout.ms": 1000, "message.timeout.ms": 0},
        {"enable.idempotence": False, "acks": 0},
    ],
)
def test_an_idempotent_producers_defaults_do_not_contradict(conf):
    parse("producer", conf)


# ---- the folder ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("PYLOG_DIR", raising=False)


def folder_of(conf):
    return resolve_log_dir(parse("producer", conf))


def test_the_folder_is_log_dir_before_all_else(monkeypatch):
    monkeypatch.setenv("PYLOG_DIR", "/from/variable")
    assert folder_of({"log.dir": "/data"}) == "/data"
    assert folder_of({"log.dir": Path("relative")}) == "relative"


def test_without_either_the_variable_counts_and_then_the_default(monkeypatch):
    monkeypatch.setenv("PYLOG_DIR", "/from/variable")
    assert folder_of({}) == "/from/variable"
    assert folder_of({"log.dir": None}) == "/from/variable"
    monkeypatch.setenv("PYLOG_DIR", "")
    assert folder_of({}) == "pylog-data"
    monkeypatch.delenv("PYLOG_DIR")
    assert os.path.normpath(folder_of({})) == "pylog-data"


def test_an_empty_folder_is_refused():
    with pytest.raises(KafkaException, match="cannot be set to empty value"):
        folder_of({"log.dir": ""})


@pytest.mark.peer
def test_librdkafka_takes_every_default_and_refuses_what_is_out_of_range():
    confluent_kafka = pytest.importorskip("confluent_kafka")
    for name, prop in PRODUCER.items():
        is_ours = name in ("log.dir", "read.only") or prop.kind in ("callback", "object")
        if is_ours or ".." not in prop.allowed:
            continue
        low, high = prop.allowed.split("..")
        for beyond in (int(low) - 1, int(high) + 1):
            if not -(2**31) <= beyond < 2**31:
                continue  # librdkafka lets a number wrap around
            with pytest.raises(confluent_kafka.KafkaException) as raised:
                confluent_kafka.Producer({name: beyond})
            assert f"is outside allowed range {low}..{high}" in str(raised.value)
            assert f"is outside allowed range {low}..{high}" in refusal("producer", {name: beyond})


def test_a_folder_takes_idempotence_and_transactions_with_acks_1():
    assert parse("producer", {"transactional.id": "x", "acks": 1})["acks"] == 1
    assert parse("producer", {"enable.idempotence": True, "acks": 1})["acks"] == 1
