"""Topics that the folder writes itself: made on demand, once, with Kafka's configs."""

import subprocess
import sys

import pytest

import pylog
from pylog.admin import AdminClient
from pylog.errors import KafkaError, KafkaException
from pylog.internal_topics import (
    OFFSETS_TOPIC,
    TRANSACTIONS_TOPIC,
    find_partition,
    open_partition,
    partition_of,
    refuse_internal,
)
from pylog.log_dir import LogDir


@pytest.fixture
def log_dir(tmp_path):
    with LogDir.open(tmp_path / "data") as opened:
        yield opened


def test_keys_go_where_javas_string_hash_sends_them():
    # Of the Java expression Utils.abs(key.hashCode()) % 50; the third hashes to the least int.
    expected = {"": 0, "my-group": 12, "polygenelubricants": 0, "grün": 49, "\U0001f600": 49}
    assert {key: partition_of(key, 50) for key in expected} == expected
    assert partition_of("anything", 1) == 0


def test_a_topic_is_not_there_until_it_is_written_to(log_dir):
    assert find_partition(log_dir, OFFSETS_TOPIC, "group") is None
    log = open_partition(log_dir, OFFSETS_TOPIC, "group")
    assert find_partition(log_dir, OFFSETS_TOPIC, "group") is log
    assert log_dir.topic(OFFSETS_TOPIC).partitions == 1


@pytest.mark.parametrize(
    ("topic", "compression"), [(OFFSETS_TOPIC, "producer"), (TRANSACTIONS_TOPIC, "uncompressed")]
)
def test_the_topics_have_kafkas_configs(log_dir, topic, compression):
    config = open_partition(log_dir, topic, "key").config
    assert config.cleanup_policy == ("compact",)
    assert config.segment_bytes == 104_857_600
    assert config.compression_type == compression


def test_processes_that_make_a_topic_at_once_all_have_it(tmp_path):
    code = (
        "import sys; from pylog.log_dir import LogDir; from pylog.internal_topics import *\n"
        "log_dir = LogDir.open(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "print(open_partition(log_dir, OFFSETS_TOPIC, 'g').path, flush=True)\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    answers = [program.communicate(timeout=60)[0] for program in programs]
    assert answers == [str(tmp_path / f"{OFFSETS_TOPIC}-0") + "\n"] * 4


def test_users_records_are_refused():
    for topic in (OFFSETS_TOPIC, TRANSACTIONS_TOPIC):
        with pytest.raises(KafkaException) as raised:
            refuse_internal(topic)
        assert raised.value.args[0] == KafkaError.TOPIC_EXCEPTION
    refuse_internal("__of_mine")


def test_a_producer_may_not_write_to_them(tmp_path):
    producer = pylog.Producer({"log.dir": str(tmp_path)})
    for _ in range(2):
        with pytest.raises(KafkaException, match="internal topic") as raised:
            producer.produce(OFFSETS_TOPIC, b"value")
        assert raised.value.args[0] == KafkaError.TOPIC_EXCEPTION
    assert len(producer) == 0
    with pylog.open(tmp_path) as log, pytest.raises(KafkaException, match="internal topic"):
        log.topic(TRANSACTIONS_TOPIC)
    with LogDir.open(tmp_path) as log_dir:
        assert log_dir.topics() == {}


def test_a_folder_without_the_right_to_write_has_none(tmp_path):
    LogDir.open(tmp_path).close()
    with LogDir.open(tmp_path, read_only=True) as log_dir:
        assert find_partition(log_dir, OFFSETS_TOPIC, "group") is None
        with pytest.raises(KafkaException) as raised:
            open_partition(log_dir, OFFSETS_TOPIC, "group")
        assert raised.value.args[0] == KafkaError._READ_ONLY


def test_describe_topics_says_which_are_internal(tmp_path):
    from pylog.admin import TopicCollection

    with AdminClient({"log.dir": str(tmp_path)}) as admin, LogDir.open(tmp_path) as log_dir:
        open_partition(log_dir, OFFSETS_TOPIC, "group")
        log_dir.create_topic("mine")
        described = admin.describe_topics(TopicCollection([OFFSETS_TOPIC, "mine"]))
        assert described[OFFSETS_TOPIC].result().is_internal
        assert not described["mine"].result().is_internal
