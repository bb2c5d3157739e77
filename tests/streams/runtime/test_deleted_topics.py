"""Topics that an application writes to, and that somebody deletes."""

import logging
from pathlib import Path

import pytest
from tests.streams.runtime.running_streams import Log, wait_until
from tests.streams.runtime.test_streams_on_folder import copy, word_count

import pylog
from pylog.admin import ConfigResource, NewTopic, ResourceType
from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.errors import MissingInternalTopicError, ProductionError, StreamsError
from pylog.streams.runtime.thread_state import State

GUARANTEES = ["at_least_once", "exactly_once_v2"]
CHANGELOG, REPARTITION = "app-counts-changelog", "app-counts-repartition"


def delete(log: Log, topic: str) -> None:
    with pylog.AdminClient(log.conf) as admin:
        admin.delete_topics([topic])[topic].result()


def exists(log: Log, topic: str) -> bool:
    with pylog.AdminClient(log.conf) as admin:
        return topic in admin.list_topics().topics


def refuse_new_topics(log: Log) -> None:
    folder = ConfigResource(
        ResourceType.BROKER, "0", set_config={"auto.create.topics.enable": "false"}
    )
    with pylog.AdminClient(log.conf) as admin:
        admin.alter_configs([folder])[folder].result()


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("handler", ["LogAndFail", "LogAndContinue"])
@pytest.mark.parametrize("topic", [CHANGELOG, REPARTITION])
def test_an_internal_topic_that_is_deleted_is_named_and_not_made_anew(
    tmp_path: Path, guarantee: str, handler: str, topic: str
) -> None:
    log = Log(tmp_path / "log", lines=2, counts=2)
    log.write("lines", [("1", "a b a")])
    streams = log.streams(
        word_count(), processing_guarantee=guarantee, production_exception_handler=handler
    )
    streams.start()
    wait_until(lambda: len(log.read("counts")) == 3, "the words were counted")
    delete(log, topic)
    log.write("lines", [("1", "a b")])
    assert streams.wait_for_state(State.ERROR, 20)
    assert isinstance(streams.failure, MissingInternalTopicError), streams.failure
    assert topic in str(streams.failure)
    assert not exists(log, topic)
    streams.close()


@pytest.mark.parametrize("store", ["in_memory", "rocksDB"])
def test_a_restart_without_its_changelog_says_that_state_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, store: str
) -> None:
    log = Log(tmp_path / "log", lines=2, counts=2)
    log.write("lines", [("1", "a b a")])
    with caplog.at_level(logging.WARNING, "pylog.streams"):
        log.streams(word_count(), default_dsl_store=store).run_to_end()
        log.streams(word_count(), default_dsl_store=store).run_to_end()
        assert caplog.text == ""
        delete(log, CHANGELOG)
        log.streams(word_count(), default_dsl_store=store).run_to_end()
    assert f"changelog {CHANGELOG} did not exist and was made anew" in caplog.text
    assert "the application has read app-counts-repartition before" in caplog.text


def test_an_internal_topic_with_another_cleanup_policy_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log(tmp_path / "log", lines=1, counts=1)
    with pylog.AdminClient(log.conf) as admin:
        admin.create_topics([NewTopic(CHANGELOG, 1)])[CHANGELOG].result()
    with log.streams(word_count()) as streams:
        assert streams.wait_for_state(State.RUNNING, 20)
        assert streams._instance is not None
        streams._instance.refresh()
    told = [text for text in caplog.messages if "cleanup.policy" in text]
    assert len(told) == 1
    assert f"{CHANGELOG} has cleanup.policy=delete, and compact is wanted" in told[0]


def test_what_sinks_write_to_is_made_with_the_folders_default(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("a", "1"), ("b", "2")])
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.to("out")
    stream.to(lambda key, value, context: f"out-{key}")
    log.streams(builder.build()).run_to_end()
    assert log.texts("out") == [("a", "1"), ("b", "2")]
    assert log.texts("out-a") == [("a", "1")]
    assert log.texts("out-b") == [("b", "2")]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_sinks_topic_is_not_made_where_the_folder_makes_none(
    tmp_path: Path, guarantee: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("a", "1")])
    refuse_new_topics(log)
    with pytest.raises(ProductionError, match="out"):
        log.streams(copy(), processing_guarantee=guarantee).run_to_end()
    assert not exists(log, "out")


def test_a_sinks_topic_that_is_deleted_is_an_error_that_names_it(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    streams = log.streams(copy())
    streams.start()
    log.write("in", [("a", "1")])
    wait_until(lambda: len(log.read("out")) == 1, "the record came out")
    delete(log, "out")
    log.write("in", [("a", "1")])
    assert streams.wait_for_state(State.ERROR, 20)
    assert isinstance(streams.failure, StreamsError)
    assert "out" in str(streams.failure)
    streams.close()


def test_a_producer_that_may_not_make_topics_says_that_there_is_none(tmp_path: Path) -> None:
    conf = {"log.dir": str(tmp_path)}
    with pylog.Producer({**conf, "allow.auto.create.topics": False}) as producer:
        with pytest.raises(pylog.KafkaException) as caught:
            producer.produce("new", b"x")
        assert caught.value.args[0].code() == pylog.KafkaError.UNKNOWN_TOPIC_OR_PART
    with pylog.Producer({**conf, "allow.auto.create.topics": True}) as producer:
        producer.produce("new", b"x")
