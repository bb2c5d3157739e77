"""Producer: confluent_kafka's behaviour over a folder."""

import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylog
from pylog import KafkaError, KafkaException, TopicPartition
from pylog.admin import AdminClient, NewTopic


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "log")


def read_all(folder, topic, partition=0):
    with pylog.open(folder) as log:
        return list(log.topic(topic).read(partition))


def test_flush_returns_0_and_everything_is_in_the_log(folder):
    with pylog.Producer({"log.dir": folder}) as producer:
        for number in range(1000):
            producer.produce("t", b"value-%d" % number, key=b"key-%d" % number)
        assert producer.flush() == 0
        assert len(producer) == 0
    messages = read_all(folder, "t")
    assert [message.value() for message in messages] == [b"value-%d" % n for n in range(1000)]
    assert [message.offset() for message in messages] == list(range(1000))


def test_a_batch_is_sent_when_linger_ms_is_over_without_poll_or_flush(folder):
    with pylog.Producer({"log.dir": folder, "linger.ms": 1, "acks": 1}) as producer:
        producer.produce("t", b"value")
        with pylog.open(folder) as log:
            assert log.topic("t").log().wait(0, timeout_s=20)


def test_linger_0_appends_before_produce_returns(folder):
    with pylog.Producer({"log.dir": folder, "linger.ms": 0, "acks": 1}) as producer:
        for number in range(10):
            producer.produce("t", b"value")
            with pylog.open(folder) as log:
                assert log.topic("t").end_offset() == number + 1


def test_a_delivery_callback_gets_the_message_with_its_offset_in_poll_or_flush(folder):
    calls = []
    with pylog.Producer({"log.dir": folder}) as producer:
        for number in range(5):
            producer.produce(
                "t",
                b"v%d" % number,
                key=b"k",
                headers={"h": b"x"},
                on_delivery=lambda error, message: calls.append((error, message)),
            )
        assert calls == [], "callbacks are served in poll and flush only"
        assert len(producer) == 5
        producer.flush()
    assert [error for error, _ in calls] == [None] * 5
    assert [message.offset() for _, message in calls] == [0, 1, 2, 3, 4]
    assert [message.value() for _, message in calls] == [b"v%d" % n for n in range(5)]
    assert calls[0][1].headers() == {"h": b"x"} or calls[0][1].headers() == [("h", b"x")]
    assert all(message.latency() >= 0 for _, message in calls)


def test_poll_waits_for_a_delivery_and_counts_callbacks(folder):
    calls = []
    with pylog.Producer({"log.dir": folder, "linger.ms": 1}) as producer:
        producer.produce("t", b"v", on_delivery=lambda error, message: calls.append(message))
        assert producer.poll(20) == 1
        assert producer.poll(0) == 0
    assert len(calls) == 1


def test_on_delivery_of_the_configuration_serves_messages_without_their_own(folder):
    calls = []
    config = {
        "log.dir": folder,
        "on_delivery": lambda error, message: calls.append(message.value()),
    }
    with pylog.Producer(config) as producer:
        producer.produce("t", b"default")
        producer.produce("t", b"own", on_delivery=lambda error, message: calls.append("own"))
        producer.flush()
    assert sorted(calls, key=str) == [b"default", "own"]


def test_a_full_queue_is_a_buffererror_and_poll_makes_room(folder):
    config = {"log.dir": folder, "queue.buffering.max.messages": 10, "linger.ms": 100_000}
    with pylog.Producer(config) as producer:
        for _ in range(10):
            producer.produce("t", b"v", on_delivery=lambda error, message: None)
        with pytest.raises(BufferError, match="Queue full"):
            producer.produce("t", b"v")
        assert producer.flush() == 0
        producer.produce("t", b"v")
    assert len(read_all(folder, "t")) == 11


def test_purge_drops_what_is_queued_and_says_so(folder):
    errors = []
    with pylog.Producer({"log.dir": folder, "linger.ms": 100_000}) as producer:
        producer.produce("t", b"v", on_delivery=lambda error, message: errors.append(error.code()))
        producer.produce("t", b"v")
        producer.purge()
        producer.flush()
        assert len(producer) == 0
    assert errors == [KafkaError._PURGE_QUEUE]
    assert read_all(folder, "t") == []


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_round_trips_keys_values_headers_and_timestamps(folder, codec):
    with pylog.Producer({"log.dir": folder, "compression.type": codec}) as producer:
        producer.produce("t", None, key=b"tombstone", timestamp=1_700_000_000_123)
        producer.produce("t", b"", key=None, timestamp=1_600_000_000_000)
        producer.produce("t", "text", key="é", headers=[("a", None), ("a", b"\0"), ("b", "s")])
        producer.produce("t", bytearray(b"buffer"), key=memoryview(b"view"))
        producer.flush()
    first, second, third, fourth = read_all(folder, "t")
    assert (first.key(), first.value(), first.timestamp()) == (
        b"tombstone",
        None,
        (1, 1_700_000_000_123),
    )
    assert (second.key(), second.value(), second.timestamp()) == (None, b"", (1, 1_600_000_000_000))
    assert (third.key(), third.value()) == ("é".encode(), b"text")
    assert third.headers() == [("a", None), ("a", b"\0"), ("b", b"s")]
    assert (fourth.key(), fourth.value(), fourth.headers()) == (b"view", b"buffer", None)


@pytest.mark.parametrize("bad", [5, 1.5, object(), ["list"], {"a": 1}])
def test_a_value_or_key_that_is_not_bytes_like_is_a_typeerror_and_nothing_is_queued(folder, bad):
    with pylog.Producer({"log.dir": folder}) as producer:
        with pytest.raises(TypeError, match="value must be bytes-like"):
            producer.produce("t", bad)
        with pytest.raises(TypeError, match="key must be bytes-like"):
            producer.produce("t", b"v", key=bad)
        assert len(producer) == 0


def test_a_message_over_message_max_bytes_is_refused_and_nothing_is_queued(folder):
    with pylog.Producer({"log.dir": folder}) as producer:
        with pytest.raises(KafkaException) as caught:
            producer.produce("t", b"x" * 2_000_000)
        assert caught.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
        producer.produce("t", b"x" * 900_000)
        assert producer.flush() == 0
    assert len(read_all(folder, "t")) == 1


def test_a_batch_over_the_topics_max_message_bytes_is_reported(folder):
    with pylog.open(folder) as log:
        log.topic("t", configs={"max.message.bytes": 1000})
    errors = []
    with pylog.Producer({"log.dir": folder}) as producer:
        producer.produce("t", b"x" * 2000, on_delivery=lambda error, _: errors.append(error.code()))
        producer.flush()
        assert errors == [KafkaError.MSG_SIZE_TOO_LARGE]
        producer.produce("t", b"x" * 2000)
        with pytest.raises(KafkaException) as caught:
            producer.flush()
        assert caught.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
        assert len(producer) == 0


def test_produce_batch_queues_the_good_ones_and_marks_the_others(folder):
    calls = []
    messages = [{"value": b"a"}, {"value": b"b", "partition": 7}, {"value": b"c", "key": b"k"}]
    with pylog.Producer({"log.dir": folder}) as producer:
        queued = producer.produce_batch(
            "t", messages, on_delivery=lambda error, message: calls.append(message.value())
        )
        producer.flush()
    assert queued == 2
    assert calls == [b"a", b"c"]
    assert messages[1]["_error"].code() == KafkaError._UNKNOWN_PARTITION


def test_an_unknown_partition_is_refused(folder):
    with pylog.Producer({"log.dir": folder}) as producer:
        with pytest.raises(KafkaException) as caught:
            producer.produce("t", b"v", partition=3)
        assert caught.value.args[0].code() == KafkaError._UNKNOWN_PARTITION


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a" * 250, "sp ace", "nul", "ü"])
def test_a_name_that_is_no_topic_name_is_refused_and_makes_no_file(folder, name):
    with pylog.Producer({"log.dir": folder}) as producer:
        with pytest.raises(KafkaException) as caught:
            producer.produce(name, b"v")
        assert caught.value.args[0].code() == KafkaError.TOPIC_EXCEPTION
    assert os.listdir(os.path.dirname(folder)) == ["log"]


def test_an_unknown_configuration_key_names_the_nearest_known_one(folder):
    with pytest.raises(KafkaException, match='Did you mean "linger.ms"'):
        pylog.Producer({"log.dir": folder, "linger.msec": 5})


def test_keys_go_to_the_partition_that_librdkafka_and_java_choose(folder):
    with pylog.open(folder) as log:
        log.topic("t", partitions=100)
    with pylog.Producer({"log.dir": folder, "partitioner": "murmur2_random"}) as producer:
        producer.produce("t", b"v", key=b"kafka")
        producer.flush()
    assert len(read_all(folder, "t", 80)) == 1, "Java's murmur2 sends 'kafka' to 80 of 100"


def test_records_without_a_key_spread_over_partitions_in_whole_batches(folder):
    with pylog.open(folder) as log:
        log.topic("t", partitions=4)
    with pylog.Producer({"log.dir": folder, "batch.num.messages": 10, "acks": 1}) as producer:
        for _ in range(2000):
            producer.produce("t", b"v")
        producer.flush()
    counts = [len(read_all(folder, "t", partition)) for partition in range(4)]
    assert sum(counts) == 2000
    assert min(counts) > 0


def test_threads_share_a_producer_and_each_keeps_its_order(folder):
    def produce(thread):
        for number in range(3000):
            producer.produce("t", b"%d %d" % (thread, number))

    config = {"log.dir": folder, "acks": 1, "batch.num.messages": 50}
    with pylog.Producer(config) as producer:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(produce, range(4)))
        producer.flush()
    seen = {thread: [] for thread in range(4)}
    for message in read_all(folder, "t"):
        thread, number = map(int, message.value().split())
        seen[thread].append(number)
    assert all(numbers == list(range(3000)) for numbers in seen.values())


def test_a_forked_child_sends_its_own_messages_and_not_its_parents(folder):
    producer = pylog.Producer({"log.dir": folder, "linger.ms": 100_000, "acks": 1})
    producer.produce("t", b"parent")
    process_id = os.fork()
    if process_id == 0:
        status = 1
        try:
            producer.produce("t", b"child")
            status = producer.flush()
        finally:
            os._exit(status)
    assert os.waitpid(process_id, 0)[1] == 0
    producer.close()
    assert [message.value() for message in read_all(folder, "t")] == [b"child", b"parent"]


def test_close_flushes_and_is_idempotent(folder):
    producer = pylog.Producer({"log.dir": folder, "linger.ms": 100_000})
    producer.produce("t", b"v")
    assert producer.close()
    assert producer.close()
    assert len(read_all(folder, "t")) == 1


def test_acknowledged_messages_survive_kill_9_of_the_producer(folder):
    program = (
        "import pylog, sys\n"
        f"producer = pylog.Producer({{'log.dir': {folder!r}, 'acks': 1}})\n"
        "def report(error, message):\n"
        "    print(message.offset(), flush=True)\n"
        "while True:\n"
        "    producer.produce('t', b'v' * 100, on_delivery=report)\n"
        "    producer.poll(0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    acknowledged = [int(process.stdout.readline()) for _ in range(500)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout if line.endswith(b"\n")]
    process.wait()
    process.stdout.close()
    messages = read_all(folder, "t")
    assert acknowledged == list(range(len(acknowledged)))
    assert len(messages) >= len(acknowledged)
    assert all(message.value() == b"v" * 100 for message in messages)


def test_partitions_that_are_added_are_used(folder):
    with pylog.open(folder) as log:
        log.topic("t", partitions=1)
        with pylog.Producer({"log.dir": folder, "acks": 1, "batch.num.messages": 1}) as producer:
            producer.produce("t", b"v")
            producer.flush()
            log._log_dir.create_partitions("t", 8)
            deadline = threading.Event()
            for _ in range(2000):
                producer.produce("t", b"v")
                producer.flush()
                if any(log.topic("t").end_offset(number) for number in range(1, 8)):
                    break
                deadline.wait(0.005)
            assert any(log.topic("t").end_offset(number) for number in range(1, 8))


def test_list_topics_has_confluents_shape(folder):
    with pylog.Producer({"log.dir": folder}) as producer:
        producer.produce("t", b"v")
        metadata = producer.list_topics()
        assert list(metadata.topics) == ["t"]
        assert list(metadata.topics["t"].partitions) == [0]
        unknown = producer.list_topics("missing").topics["missing"]
        assert unknown.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_consumer_sees_what_the_producer_reports(folder):
    offsets = []
    with pylog.Producer({"log.dir": folder, "acks": "all"}) as producer:
        producer.produce("t", b"v", on_delivery=lambda _, message: offsets.append(message.offset()))
        producer.flush()
        with pylog.Consumer({"log.dir": folder}) as consumer:
            consumer.assign([TopicPartition("t", 0, offsets[0])])
            assert consumer.poll(10).value() == b"v"


def test_a_batch_that_is_sent_while_a_report_is_made_loses_neither(folder):
    # Garbage collected within produce() may let the thread run that sends what lingers.
    delivered = {}
    thresholds = gc.get_threshold()
    with pylog.Producer({"log.dir": folder, "linger.ms": 1000}) as producer:

        def send(phase, info):
            producer._send_all()

        def note(error, message):
            assert error is None
            delivered[message.offset()] = message.value()

        gc.callbacks.append(send)
        gc.set_threshold(1)
        try:
            for number in range(300):
                producer.produce("t", b"%d" % number, partition=0, on_delivery=note)
        finally:
            gc.set_threshold(*thresholds)
            gc.callbacks.remove(send)
        assert producer.flush() == 0
    assert delivered == {number: b"%d" % number for number in range(300)}


def test_a_compacted_topic_takes_no_record_without_a_key(folder: str) -> None:
    """Compaction would drop it: a broker refuses it too, in the delivery report."""
    config = {"cleanup.policy": "compact"}
    AdminClient({"log.dir": folder}).create_topics([NewTopic("table", 1, config=config)])[
        "table"
    ].result()
    reports: list[KafkaError | None] = []
    with pylog.Producer({"log.dir": folder}) as producer:
        producer.produce("table", b"lost", on_delivery=lambda error, _: reports.append(error))
        producer.flush()
        producer.produce("table", b"kept", key=b"k", on_delivery=lambda e, _: reports.append(e))
        producer.flush()
    assert reports[0] is not None
    assert reports[0].code() == KafkaError.INVALID_RECORD
    assert reports[1] is None
    with pylog.open(folder) as log:
        topic = log.topic("table")
        for append in (lambda: topic.append(b"lost"), lambda: topic.append_many([b"lost"])):
            with pytest.raises(KafkaException, match="without a key"):
                append()
        assert [message.value() for message in topic.read()] == [b"kept"]


def test_a_closed_producer_takes_nothing_though_another_has_the_folder_open(folder):
    with pylog.Producer({"log.dir": folder}) as other:
        producer = pylog.Producer({"log.dir": folder})
        producer.produce("t", b"before")
        producer.close()
        with pytest.raises(RuntimeError, match="closed"):
            producer.produce("t", b"after")
        other.flush()
    assert [message.value() for message in read_all(folder, "t")] == [b"before"]
