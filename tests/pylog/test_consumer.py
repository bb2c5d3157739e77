"""Consumer: confluent_kafka's behaviour over a folder, with partitions assigned by hand."""

import subprocess
import sys
import threading
import time

import pytest

import pylog
from pylog import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_TAIL,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "log")


@pytest.fixture
def filled(folder):
    """A topic `t` of 2 partitions with 100 records each, at 1,000 ms from each other."""
    with pylog.open(folder, acks=1) as log:
        topic = log.topic("t", partitions=2)
        for partition in range(2):
            for number in range(100):
                topic.append(
                    b"%d-%d" % (partition, number),
                    partition=partition,
                    timestamp_ms=1_700_000_000_000 + number * 1000,
                )
    return folder


@pytest.fixture
def consumer(filled):
    with Consumer({"log.dir": filled, "auto.offset.reset": "earliest"}) as consumer:
        yield consumer


def values(messages):
    assert all(message.error() is None for message in messages)
    return [message.value() for message in messages]


def test_assign_reads_every_partition_to_its_end_in_order(consumer):
    consumer.assign([TopicPartition("t", 0), TopicPartition("t", 1)])
    messages = consumer.consume(200, timeout=20)
    for partition in range(2):
        mine = [message for message in messages if message.partition() == partition]
        assert values(mine) == [b"%d-%d" % (partition, number) for number in range(100)]
    assert consumer.poll(0) is None


@pytest.mark.parametrize(
    ("offset", "first"),
    [(0, 0), (42, 42), (OFFSET_BEGINNING, 0), (OFFSET_TAIL(10), 90), (OFFSET_TAIL(1000), 0)],
)
def test_assign_begins_where_the_offset_says(consumer, offset, first):
    consumer.assign([TopicPartition("t", 0, offset)])
    assert consumer.poll(20).offset() == first


def test_offset_end_is_the_end_at_assign(filled):
    with Consumer({"log.dir": filled}) as consumer, pylog.open(filled, acks=1) as log:
        consumer.assign([TopicPartition("t", 0, OFFSET_END)])
        log.topic("t").append(b"new", partition=0)
        message = consumer.poll(20)
        assert (message.offset(), message.value()) == (100, b"new")


@pytest.mark.parametrize(("policy", "expected"), [("earliest", 0), ("latest", None)])
def test_auto_offset_reset_decides_without_an_offset(filled, policy, expected):
    with Consumer({"log.dir": filled, "auto.offset.reset": policy}) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        message = consumer.poll(0)
        assert (message.offset() if message else None) == expected


def test_auto_offset_reset_error_is_an_event(filled):
    with Consumer({"log.dir": filled, "auto.offset.reset": "error"}) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        assert consumer.poll(20).error().code() == KafkaError._AUTO_OFFSET_RESET


def test_an_offset_out_of_range_with_reset_error_is_an_event(filled):
    with Consumer({"log.dir": filled, "auto.offset.reset": "error"}) as consumer:
        consumer.assign([TopicPartition("t", 0, 5000)])
        assert consumer.poll(20).error().code() == KafkaError._AUTO_OFFSET_RESET


def test_an_offset_beyond_the_end_is_reset_by_the_policy(consumer):
    consumer.assign([TopicPartition("t", 0, 5000)])
    assert consumer.poll(20).offset() == 0


def test_deleted_records_are_passed_over_by_the_policy(consumer, filled):
    consumer.assign([TopicPartition("t", 0)])
    assert consumer.poll(20).offset() == 0
    with pylog.open(filled) as log:
        log.topic("t").log(0).delete_records(60)
        consumer.seek(TopicPartition("t", 0, 10))
        assert consumer.poll(20).offset() == 60


def test_seek_goes_back_and_forth(consumer):
    consumer.assign([TopicPartition("t", 0)])
    assert len(consumer.consume(50, timeout=20)) == 50
    consumer.seek(TopicPartition("t", 0, 7))
    assert consumer.poll(20).offset() == 7
    consumer.seek(TopicPartition("t", 0, 99))
    assert consumer.poll(20).offset() == 99
    with pytest.raises(KafkaException) as caught:
        consumer.seek(TopicPartition("t", 1, 0))
    assert caught.value.args[0].code() == KafkaError._UNKNOWN_PARTITION


def test_position_is_the_next_offset(consumer):
    wanted = [TopicPartition("t", 0)]
    assert consumer.position(wanted)[0].offset == OFFSET_INVALID
    consumer.assign(wanted)
    consumer.consume(30, timeout=20)
    assert consumer.position(wanted)[0].offset == 30


def test_pause_holds_a_partition_back_in_the_middle_of_a_batch_until_resume(consumer):
    consumer.assign([TopicPartition("t", 0), TopicPartition("t", 1)])
    consumer.poll(20)
    consumer.pause([TopicPartition("t", 0)])
    rest = consumer.consume(200, timeout=0)
    assert {message.partition() for message in rest} == {1}
    consumer.resume([TopicPartition("t", 0)])
    more = consumer.consume(200, timeout=0)
    assert len(rest) + len(more) == 199


def test_incremental_assign_and_unassign_keep_the_others_where_they_stand(consumer):
    consumer.assign([TopicPartition("t", 0)])
    consumer.consume(5, timeout=20)
    consumer.incremental_assign([TopicPartition("t", 1)])
    assert len(consumer.assignment()) == 2
    with pytest.raises(KafkaException):
        consumer.incremental_assign([TopicPartition("t", 1)])
    consumer.incremental_unassign([TopicPartition("t", 1)])
    assert consumer.poll(20).offset() == 5
    consumer.unassign()
    assert consumer.assignment() == []
    assert consumer.poll(0) is None


def test_partition_eof_is_an_event_once_per_end(filled):
    config = {"log.dir": filled, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    with Consumer(config) as consumer, pylog.open(filled, acks=1) as log:
        consumer.assign([TopicPartition("t", 0)])
        messages = consumer.consume(101, timeout=20)
        assert messages[-1].error().code() == KafkaError._PARTITION_EOF
        assert messages[-1].offset() == 100
        assert consumer.poll(0) is None
        log.topic("t").append(b"new", partition=0)
        assert consumer.poll(20).value() == b"new"
        assert consumer.poll(20).error().code() == KafkaError._PARTITION_EOF


def test_poll_returns_none_when_the_time_is_over(consumer):
    begun_s = time.monotonic()
    assert consumer.poll(0.05) is None
    assert time.monotonic() - begun_s >= 0.05


def test_consume_checks_its_count(consumer):
    with pytest.raises(ValueError, match="between 0 and 1000000"):
        consumer.consume(-1)
    assert consumer.consume(0) == []


@pytest.mark.parametrize("partitions", [[0], [0, 1]])
@pytest.mark.parametrize("is_busy", [False, True])
def test_a_sleeping_poll_is_woken_by_another_process(filled, partitions, is_busy):
    config = {"log.dir": filled, "busy.poll": is_busy}
    with Consumer(config) as consumer:
        consumer.assign([TopicPartition("t", number, OFFSET_END) for number in partitions])
        program = (
            "import pylog\n"
            f"with pylog.open({filled!r}, acks=1) as log:\n"
            "    log.topic('t').append(b'from afar', partition=0)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program])
        message = consumer.poll(60)
        assert process.wait() == 0
        assert message.value() == b"from afar"


def test_get_watermark_offsets(consumer):
    assert consumer.get_watermark_offsets(TopicPartition("t", 1)) == (0, 100)
    with pytest.raises(KafkaException) as caught:
        consumer.get_watermark_offsets(TopicPartition("missing", 0))
    assert caught.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_offsets_for_times_finds_the_first_record_at_or_after_a_time(consumer):
    def offset_at(timestamp_ms):
        return consumer.offsets_for_times([TopicPartition("t", 0, timestamp_ms)])[0].offset

    assert offset_at(0) == 0
    assert offset_at(1_700_000_000_000 + 41_500) == 42
    assert offset_at(1_700_000_000_000 + 42_000) == 42
    assert offset_at(1_800_000_000_000) == OFFSET_END


def test_iterating_yields_messages_for_ever_and_stops_at_close(consumer, filled):
    consumer.assign([TopicPartition("t", 0)])
    seen = []
    for message in consumer:
        seen.append(message.offset())
        if len(seen) == 100:
            consumer.close()
    assert seen == list(range(100))


def test_an_unknown_topic_or_partition_is_refused_at_assign(consumer):
    for wanted, code in (
        (TopicPartition("missing", 0), KafkaError.UNKNOWN_TOPIC_OR_PART),
        (TopicPartition("t", 9), KafkaError._UNKNOWN_PARTITION),
    ):
        with pytest.raises(KafkaException) as caught:
            consumer.assign([wanted])
        assert caught.value.args[0].code() == code


def test_a_closed_consumer_says_so(consumer):
    consumer.close()
    consumer.close()
    for use in (consumer.poll, consumer.consume, consumer.assignment, lambda: consumer.assign([])):
        with pytest.raises(RuntimeError, match="Consumer closed"):
            use()


def test_a_corrupt_batch_is_an_event_and_no_message_is_made_up(filled):
    path = f"{filled}/t-0/00000000000000000000.log"
    with open(path, "r+b") as file:
        file.seek(-3, 2)
        last = file.read(1)
        file.seek(-3, 2)
        file.write(bytes([last[0] ^ 1]))
    with Consumer({"log.dir": filled, "auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        messages = consumer.consume(100, timeout=20)
        assert values(messages[:99]) == [b"0-%d" % number for number in range(99)]
        assert messages[99].error() is not None
        assert "corrupt" in messages[99].error().str().lower()


def test_a_message_has_the_types_of_confluent(consumer):
    consumer.assign([TopicPartition("t", 0)])
    message = consumer.poll(20)
    assert message.error() is None
    assert (message.topic(), message.partition(), message.offset()) == ("t", 0, 0)
    assert message.timestamp() == (pylog.TIMESTAMP_CREATE_TIME, 1_700_000_000_000)
    assert message.key() is None
    assert message.headers() is None
    assert len(message) == len(b"0-0")
    message.set_value({"decoded": True})
    assert message.value() == {"decoded": True}


def test_a_reader_thread_follows_a_producer_thread(folder):
    with pylog.Producer({"log.dir": folder, "linger.ms": 0, "acks": 1}) as producer:
        producer.produce("t", b"0")
        with Consumer({"log.dir": folder}) as consumer:
            consumer.assign([TopicPartition("t", 0, 0)])
            done = threading.Event()

            def produce():
                for number in range(1, 2000):
                    producer.produce("t", b"%d" % number)
                done.set()

            thread = threading.Thread(target=produce)
            thread.start()
            messages = consumer.consume(2000, timeout=60)
            thread.join()
    assert values(messages) == [b"%d" % number for number in range(2000)]


def test_a_topic_that_is_deleted_is_an_event_and_made_anew_is_read_again(filled):
    with Consumer({"log.dir": filled, "auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        assert len(consumer.consume(100, timeout=20)) == 100
        program = f"import pylog\nwith pylog.open({filled!r}) as log:\n    log.delete_topic('t')\n"
        subprocess.run([sys.executable, "-c", program], check=True)
        message = consumer.poll(20)
        assert message.error().code() in (KafkaError._STATE, KafkaError.UNKNOWN_TOPIC_OR_PART)
        with pylog.open(filled) as log:
            log.topic("t").append(b"anew")
        while (message := consumer.poll(20)).error() is not None:
            pass
        assert (message.offset(), message.value()) == (0, b"anew")


def test_a_producer_writes_on_into_a_topic_that_was_made_anew(filled):
    with pylog.Producer({"log.dir": filled}) as producer:
        producer.produce("t", b"old", partition=0)
        producer.flush()
        with pylog.open(filled) as log:
            log.delete_topic("t")
            log.topic("t", partitions=2)
            producer.produce("t", b"new", partition=0)
            producer.flush()
            assert [message.value() for message in log.topic("t").read()] == [b"new"]
