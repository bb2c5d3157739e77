"""StreamsConfig: Kafka Streams' names, their defaults, and what is refused."""

import os
from datetime import timedelta
from typing import Any

import pytest

from pylog import KafkaException
from pylog.streams import serdes
from pylog.streams.config import StreamsConfig
from pylog.streams.config_values import SETTINGS
from pylog.streams.error_handlers import (
    DefaultProductionHandler,
    LogAndContinue,
    LogAndFail,
    SendToDeadLetterQueue,
)
from pylog.streams.errors import StreamsConfigError
from pylog.streams.serde import Serde


def config(**settings: Any) -> StreamsConfig:
    return StreamsConfig(
        {"application.id": "app", **{name.replace("_", "."): settings[name] for name in settings}}
    )


def test_the_defaults_are_those_of_kafka_streams():
    settings = config()
    expected = {
        "acceptable.recovery.lag": 10_000,
        "buffered.records.per.partition": 1000,
        "commit.interval.ms": 30_000,
        "default.dsl.store": "rocksDB",
        "default.key.serde": None,
        "default.value.serde": None,
        "max.task.idle.ms": 0,
        "max.warmup.replicas": 2,
        "num.standby.replicas": 0,
        "num.stream.threads": 1,
        "poll.ms": 100,
        "probing.rebalance.interval.ms": 600_000,
        "processing.guarantee": "at_least_once",
        "replication.factor": -1,
        "repartition.purge.interval.ms": 30_000,
        "state.cleanup.delay.ms": 600_000,
        "statestore.cache.max.bytes": 10 << 20,
        "task.timeout.ms": 300_000,
        "windowstore.changelog.additional.retention.ms": 86_400_000,
    }
    assert {name: settings[name] for name in expected} == expected
    assert settings.optimizations == frozenset()
    assert isinstance(settings["deserialization.exception.handler"], LogAndFail)


def test_exactly_once_commits_every_100_ms_unless_said_otherwise():
    assert config(processing_guarantee="exactly_once_v2")["commit.interval.ms"] == 100
    said = {"processing_guarantee": "exactly_once_v2", "commit_interval_ms": 5}
    assert config(**said)["commit.interval.ms"] == 5
    assert config(**said).is_exactly_once


@pytest.mark.parametrize("value", [10_000, "10000", "10s", timedelta(seconds=10)])
def test_a_duration_is_ms_text_or_a_timedelta(value: object):
    assert config(commit_interval_ms=value)["commit.interval.ms"] == 10_000


@pytest.mark.parametrize(
    "value",
    [
        serdes.string,
        "string",
        "serdes.string",
        "org.apache.kafka.common.serialization.Serdes$StringSerde",
    ],
)
def test_a_serde_may_be_named_as_in_java(value: object):
    assert config(default_key_serde=value).default_key_serde is serdes.string


class OwnSerde(Serde):
    pass


def test_a_class_of_a_serde_or_handler_is_made_an_object():
    assert isinstance(config(default_value_serde=OwnSerde).default_value_serde, OwnSerde)
    handler = config(processing_exception_handler=LogAndContinue)["processing.exception.handler"]
    assert isinstance(handler, LogAndContinue)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("LogAndContinue", LogAndContinue),
        ("org.apache.kafka.streams.errors.LogAndContinueExceptionHandler", LogAndContinue),
        ("LogAndFailProcessingExceptionHandler", LogAndFail),
        ("SendToDeadLetterQueue", SendToDeadLetterQueue),
        (SendToDeadLetterQueue("letters"), SendToDeadLetterQueue),
    ],
)
def test_a_handler_may_be_named(value: object, kind: type):
    handler = config(processing_exception_handler=value)["processing.exception.handler"]
    assert type(handler) is kind


def test_a_production_handler_retries_by_default():
    assert type(config()["production.exception.handler"]) is DefaultProductionHandler
    named = config(production_exception_handler="DefaultProductionExceptionHandler")
    assert type(named["production.exception.handler"]) is DefaultProductionHandler


def test_old_names_are_the_new_ones():
    settings = config(
        cache_max_bytes_buffering=0, default_deserialization_exception_handler="LogAndContinue"
    )
    assert settings["statestore.cache.max.bytes"] == 0
    assert type(settings["deserialization.exception.handler"]) is LogAndContinue
    assert "cache.max.bytes.buffering" in settings


def test_optimizations_are_spelled_out():
    every = {"reuse.ktable.source.topics", "merge.repartition.topics", "single.store.self.join"}
    assert config(topology_optimization="all").optimizations == every
    assert config(topology_optimization="none").optimizations == frozenset()
    two = "merge.repartition.topics, reuse.ktable.source.topics"
    assert config(topology_optimization=two).optimizations == every - {"single.store.self.join"}


def test_persistent_is_another_word_for_a_store_on_disk():
    assert config(default_dsl_store="persistent")["default.dsl.store"] == "rocksDB"
    assert config(default_dsl_store="IN_MEMORY")["default.dsl.store"] == "in_memory"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"application.id": None}, "application.id is missing"),
        ({"application.id": ""}, "application.id is missing"),
        ({"comit.interval.ms": 1}, "did you mean 'commit.interval.ms'"),
        ({"num_stream_threads": 1}, "did you mean 'num.stream.threads'"),
        ({"consumer.max.pol.records": 1}, "did you mean 'consumer.max.poll.records'"),
        ({"max.pol.records": 1}, "did you mean 'max.poll.records'"),
        ({"entirely.else": 1}, "there is no property 'entirely.else'"),
        ({"num.stream.threads": 0}, "num.stream.threads is 1 to 2147483647, not 0"),
        ({"num.stream.threads": "two"}, "a whole number, not 'two'"),
        ({"num.stream.threads": True}, "a whole number"),
        ({"commit.interval.ms": -1}, "at least 0, not -1"),
        ({"commit.interval.ms": "10 parsecs"}, "commit.interval.ms.*10 parsecs"),
        ({"max.task.idle.ms": -2}, "at least -1"),
        ({"processing.guarantee": "exactly_once"}, "one of at_least_once, exactly_once_v2"),
        ({"default.key.serde": "strings"}, "a Serde.*'strings'"),
        ({"default.key.serde": str}, "a Serde"),
        ({"processing.exception.handler": "Ignore"}, "no handler 'Ignore'"),
        ({"processing.exception.handler": 5}, "a handler is a function"),
        ({"default.timestamp.extractor": 5}, "a timestamp extractor"),
        ({"topology.optimization": "all,none"}, "none, all, or some of"),
        ({"topology.optimization": "fast"}, "none, all, or some of"),
        ({"application.server": 5}, "application.server is text"),
        ({"ensure.explicit.internal.resource.naming": "maybe"}, "true or false"),
        ({"upgrade.from": "9.9"}, "one of 0.10.0"),
        ({"rocksdb.config.setter": "com.Setter"}, "Java's: stores on disk are not RocksDB's"),
        ({"log.dir": "data", "bootstrap.servers": "h:9092"}, "the folder or the cluster"),
        (
            {"processing.guarantee": "exactly_once_v2", "producer.transactional.id": "t"},
            "each thread has one of its own",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_name(settings: dict[str, object], words: str):
    with pytest.raises(StreamsConfigError, match=words):
        StreamsConfig({"application.id": "app", **settings})


def test_a_configuration_is_a_dict():
    with pytest.raises(StreamsConfigError, match="a dict, not of type str"):
        StreamsConfig("application.id=app")  # type: ignore[arg-type]


def test_none_counts_as_not_set():
    settings = StreamsConfig({"application.id": "app", "default.key.serde": None, "poll.ms": None})
    assert settings["poll.ms"] == 100
    assert list(settings) == ["application.id"]


def test_a_configuration_is_a_mapping_of_what_was_set():
    settings = config(poll_ms=5)
    assert dict(settings) == {"application.id": "app", "poll.ms": 5}
    assert settings.get("no.such.name", 7) == 7
    assert settings.get("max.warmup.replicas", 7) == 2
    with pytest.raises(KeyError):
        settings["no.such.name"]
    every = config(
        poll_ms=5, topology_optimization="all", processing_exception_handler="LogAndContinue",
        default_key_serde="long", state_dir="here",
    )  # fmt: skip
    assert dict(StreamsConfig(every)) == dict(every)
    assert dict(StreamsConfig(dict(every))) == dict(every)


def test_secrets_are_not_shown():
    shown = repr(StreamsConfig({
        "application.id": "app", "sasl.password": "hush", "consumer.ssl.key.password": "hush",
    }))  # fmt: skip
    assert "hush" not in shown and "[hidden]" in shown


def test_every_setting_has_a_default_that_it_would_take():
    for setting in SETTINGS.values():
        if setting.kind in ("int", "ms", "bool", "enum"):
            assert setting.default is None or setting.parse(setting.default) == setting.default


# ---- serdes that were not said ------------------------------------------------------------------


def test_a_key_without_a_serde_is_text_unless_there_is_a_default():
    assert config().key_serde_for(None) is serdes.assumed_string
    assert config(default_key_serde=serdes.long).key_serde_for(None) is serdes.long
    assert config(default_key_serde=serdes.long).key_serde_for(serdes.int) is serdes.int


def test_a_value_without_a_serde_needs_a_default():
    assert config(default_value_serde=serdes.long).value_serde_for(None, "x") is serdes.long
    with pytest.raises(StreamsConfigError, match=r"sink 'out': no serde.*default.value.serde"):
        config().value_serde_for(None, "sink 'out'")


# ---- where it runs ------------------------------------------------------------------------------


def test_state_is_beside_the_log_and_of_a_cluster_among_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("PYLOG_DIR", raising=False)
    assert config(log_dir="data")["state.dir"] == os.path.abspath("data-streams")
    assert config()["state.dir"] == os.path.abspath("pylog-data-streams")
    monkeypatch.setenv("PYLOG_DIR", "elsewhere")
    assert config()["state.dir"] == os.path.abspath("elsewhere-streams")
    assert config(bootstrap_servers="h:1")["state.dir"].endswith("/pylog-streams")
    assert config(state_dir="here")["state.dir"] == "here"


# ---- the clients --------------------------------------------------------------------------------


def test_clients_get_what_they_know_and_the_longer_prefix_wins():
    settings = StreamsConfig({
        "application.id": "app", "log.dir": "data", "linger.ms": 7, "max.poll.records": 1,
        "consumer.max.poll.records": 2, "main.consumer.max.poll.records": 3,
        "producer.acks": "1", "admin.socket.timeout.ms": 99, "fetch.max.wait.ms": 5,
    })  # fmt: skip
    main = settings.client_config("main.consumer")
    assert main["max.poll.records"] == 3
    assert main["log.dir"] == "data"
    assert main["fetch.wait.max.ms"] == 5
    assert "linger.ms" not in main and "acks" not in main
    assert settings.client_config("restore.consumer")["max.poll.records"] == 2
    producer = settings.client_config("producer")
    assert (producer["linger.ms"], producer["acks"]) == (7, "1")
    assert "max.poll.records" not in producer
    assert settings.client_config("admin") == {"log.dir": "data", "socket.timeout.ms": 99}


def test_clients_begin_with_kafka_streams_defaults():
    settings = config(bootstrap_servers="h:9092")
    consumer = settings.client_config("global.consumer")
    assert consumer["auto.offset.reset"] == "earliest"
    assert consumer["enable.auto.commit"] is False
    producer = settings.client_config("producer")
    assert producer["partitioner"] == "murmur2_random"
    assert producer["linger.ms"] == 100
    eos = config(bootstrap_servers="h:9092", processing_guarantee="exactly_once_v2")
    assert eos.client_config("producer")["transaction.timeout.ms"] == 10_000


def test_a_client_can_be_made_of_its_configuration(tmp_path):
    from pylog import AdminClient, Consumer, Producer

    settings = config(log_dir=tmp_path, processing_guarantee="exactly_once_v2")
    Consumer({**settings.client_config("main.consumer"), "group.id": "app"}).close()
    with Producer(settings.client_config("producer")):
        pass
    assert AdminClient(settings.client_config("admin")) is not None
    wrong = config(log_dir=tmp_path, consumer_session_timeout_ms="soon")
    with pytest.raises(KafkaException, match=r"session\.timeout\.ms"):
        Consumer({**wrong.client_config("main.consumer"), "group.id": "app"})


def test_topic_settings_are_for_internal_topics():
    settings = StreamsConfig({
        "application.id": "app", "topic.segment.bytes": 1 << 20, "topic.cleanup.policy": "compact",
        "topic.metadata.refresh.interval.ms": 5,
    })  # fmt: skip
    assert settings.topic_config() == {"segment.bytes": "1048576", "cleanup.policy": "compact"}
    assert settings.client_config("admin")["topic.metadata.refresh.interval.ms"] == 5


@pytest.mark.parametrize("name", ["..", ".", "a/b", "my app", "naïve"])
def test_an_application_id_that_cannot_begin_a_topic_name_is_refused(name: str) -> None:
    with pytest.raises(StreamsConfigError, match=r"application\.id begins the names of topics"):
        StreamsConfig({"application.id": name})
