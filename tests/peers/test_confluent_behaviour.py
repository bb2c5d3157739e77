"""The same program over confluent_kafka with a broker, pylog with it, and pylog with a folder."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import record_batches
from record_batches import EVERY_SHAPE
from sides import TIMEOUT_S, Side

pytestmark = pytest.mark.peer


def message_fields(side: Side, message: Any) -> dict[str, Any]:
    return {
        "error": side.told(message.error()),
        "topic": side.is_topic(message.topic()),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key(),
        "value": message.value(),
        "timestamp": message.timestamp(),
        "headers": message.headers(),
        "len": len(message),
        "leader_epoch": message.leader_epoch(),
    }


def report_fields(side: Side, message: Any) -> dict[str, Any]:
    """Return what a delivery report tells; confluent_kafka's has lost the headers."""
    fields = message_fields(side, message)
    return {name: data for name, data in fields.items() if name not in {"headers", "leader_epoch"}}


def produce_every_shape(side: Side) -> Any:
    side.create()
    producer = side.producer()
    reports = []
    for record in EVERY_SHAPE:
        producer.produce(
            side.topic,
            value=record.value,
            key=record.key,
            partition=0,
            timestamp=record.timestamp_ms,
            headers=record.headers or None,
            on_delivery=lambda error, message: reports.append(
                (side.told(error), report_fields(side, message))
            ),
        )
    left = producer.flush(TIMEOUT_S)
    return left, len(producer), reports


def produce_str_and_other_types(side: Side) -> Any:
    side.create()
    producer = side.producer()
    seen = [
        side.outcome(producer.produce, side.topic, "text", "schlüssel"),
        side.outcome(producer.produce, side.topic, 5),
        side.outcome(producer.produce, side.topic, b"", key=5.5),
        side.outcome(producer.produce, side.topic, b"", headers={"a": b"1", "b": None, "c": "t"}),
        side.outcome(producer.produce, side.topic, b"", headers=[("a", 5)]),
        side.outcome(producer.produce, side.topic, b"", headers=[("a",)]),
        side.outcome(producer.produce, side.topic, b"", headers=5),
        side.outcome(producer.produce, side.topic, b"", no_such_argument=1),
        side.outcome(producer.produce, None, b""),
    ]
    producer.flush(TIMEOUT_S)
    messages = [message_fields(side, each) for each in read_all(side, 2)]
    for message in messages:
        message["timestamp"] = message["timestamp"][0]
    return seen, messages


def read_all(side: Side, count: int, partition: int = 0) -> list[Any]:
    consumer = side.consumer()
    consumer.assign([side.at(partition, side.client.OFFSET_BEGINNING)])
    messages = consumer.consume(count, TIMEOUT_S)
    consumer.close()
    return messages


def consume_every_shape(side: Side) -> Any:
    produce_every_shape(side)
    return [message_fields(side, message) for message in read_all(side, len(EVERY_SHAPE))]


def consume_log_append_time(side: Side) -> Any:
    side.create(message_timestamp_type="LogAppendTime")
    side.fill(1)
    (message,) = read_all(side, 1)
    kind, time_ms = message.timestamp()
    return kind, time_ms > record_batches.FIRST_TIMESTAMP_MS + 10**9


def too_large_and_too_many(side: Side) -> Any:
    side.create()
    seen = []
    producer = side.producer(message_max_bytes=2000)
    seen.append(side.outcome(producer.produce, side.topic, b"x" * 3000))
    producer.flush(TIMEOUT_S)
    narrow = side.producer(queue_buffering_max_messages=5, linger_ms=60_000)
    seen += [side.outcome(narrow.produce, side.topic, b"x") for _ in range(6)]
    seen.append(len(narrow))
    narrow.purge()
    seen.append(narrow.flush(TIMEOUT_S))
    return seen


def purge_tells_each_message(side: Side) -> Any:
    side.create()
    producer = side.producer(linger_ms=60_000)
    reports: list[Any] = []
    for _ in range(3):
        producer.produce(
            side.topic,
            b"x",
            partition=0,
            callback=lambda error, _: reports.append(side.told(error)),
        )
    producer.purge()
    return producer.flush(TIMEOUT_S), reports


def unknown_partition(side: Side) -> Any:
    side.create(2)
    producer = side.producer()
    seen: list[Any] = []
    # librdkafka knows the partition count only after its first contact with the topic.
    producer.produce(side.topic, b"first", partition=1)
    producer.flush(TIMEOUT_S)
    try:
        producer.produce(
            side.topic,
            b"x",
            partition=7,
            on_delivery=lambda error, _: seen.append(side.told(error)),
        )
    except side.client.KafkaException as error:
        seen.append(side.told(error))
    producer.flush(TIMEOUT_S)
    return seen


def end_of_partition(side: Side) -> Any:
    side.create()
    side.fill(3)
    consumer = side.consumer(enable_partition_eof=True)
    consumer.assign([side.at(0, 1)])
    seen = [message_fields(side, consumer.poll(TIMEOUT_S)) for _ in range(3)]
    for each in seen:
        each.pop("leader_epoch")
    seen[-1].pop("value")
    seen[-1].pop("len")
    position = [each.offset for each in consumer.position([side.at()])]
    return seen, position, consumer.poll(0.2), consumer.close()


def positions_and_watermarks(side: Side) -> Any:
    side.create(2)
    side.fill(10)
    consumer = side.consumer()
    seen: list[Any] = [
        consumer.get_watermark_offsets(side.at(), timeout=TIMEOUT_S),
        consumer.get_watermark_offsets(side.at(1), timeout=TIMEOUT_S),
    ]
    consumer.assign([side.at(0, 4)])
    seen.append([(each.partition, each.offset) for each in consumer.assignment()])
    seen.append([each.offset for each in consumer.position([side.at(0), side.at(1)])])
    seen.append([message.offset() for message in consumer.consume(3, TIMEOUT_S)])
    seen.append([each.offset for each in consumer.position([side.at(0)])])
    consumer.seek(side.at(0, 8))
    seen.append(consumer.poll(TIMEOUT_S).offset())
    consumer.pause([side.at()])
    seen.append(consumer.poll(0.3))
    consumer.resume([side.at()])
    seen.append(consumer.poll(TIMEOUT_S).offset())
    consumer.unassign()
    seen.append(consumer.assignment())
    return seen


def offsets_for_times(side: Side) -> Any:
    side.create()
    side.fill(10)
    consumer = side.consumer()
    first = record_batches.FIRST_TIMESTAMP_MS
    times = [0, first, first + 1, first + 4000, first + 4001, first + 9000, first + 9001]
    return [
        [(each.offset, side.told(each.error)) for each in answers]
        for answers in (
            consumer.offsets_for_times([side.at(0, time_ms)], timeout=TIMEOUT_S)
            for time_ms in times
        )
    ]


def out_of_range(side: Side, reset: str) -> Any:
    side.create()
    side.fill(5)
    consumer = side.consumer(auto_offset_reset=reset, enable_partition_eof=True)
    consumer.assign([side.at(0, 1000)])
    message = consumer.poll(TIMEOUT_S)
    return side.told(message.error()), message.offset() if not message.error() else None


def out_of_range_earliest(side: Side) -> Any:
    return out_of_range(side, "earliest")


def out_of_range_latest(side: Side) -> Any:
    return out_of_range(side, "latest")


def out_of_range_error(side: Side) -> Any:
    return out_of_range(side, "error")[0]


def wrong_use_of_a_consumer(side: Side) -> Any:
    side.create()
    consumer = side.consumer()
    seen = [
        side.outcome(consumer.assign, 5),
        side.outcome(consumer.assign, ["topic"]),
        side.outcome(consumer.consume, -1),
        side.outcome(consumer.consume, 10_000_000),
        side.outcome(consumer.consume, 0),
        side.outcome(consumer.seek, side.at(0, 5)),
        side.outcome(consumer.poll, "x"),
        side.outcome(consumer.poll, 0.1),
        side.outcome(consumer.close),
        side.outcome(consumer.poll, 0.1),
        side.outcome(consumer.consume, 1, 0.1),
        side.outcome(consumer.assign, [side.at()]),
        side.outcome(consumer.close),
    ]
    return seen


def wrong_configs(side: Side) -> Any:
    seen = []
    for name, value in (
        ("no.such.property", "1"),
        ("acks", "7000000"),
        ("linger.ms", "-2"),
        ("compression.type", "rar"),
        ("partitioner", "best"),
        ("batch.size", "x"),
        ("linger.ms", 5.5),
        ("enable.idempotence", "maybe"),
        ("queue.buffering.max.messages", -1),
        ("message.max.bytes", 1),
    ):
        seen.append((name, side.outcome(_make, side.client.Producer, side.config | {name: value})))
    for name, value in (
        ("auto.offset.reset", "first"),
        ("fetch.min.bytes", -1),
        ("isolation.level", "read_most"),
        ("enable.partition.eof", "x"),
    ):
        config = side.config | {"group.id": "g", name: value}
        seen.append((name, side.outcome(_make, side.client.Consumer, config)))
    seen.append(side.outcome(_make, side.client.Producer, 5))
    return seen


def _make(cls: type, config: Any) -> None:
    with contextlib.suppress(AttributeError):
        cls(config).close()


def partitions_of_keys(side: Side, partitioner: str) -> Any:
    side.create(7)
    producer = side.producer(partitioner=partitioner)
    placed: dict[bytes, int] = {}

    def note(_: Any, message: Any) -> None:
        placed[message.key()] = message.partition()

    for number in range(500):
        producer.produce(side.topic, b"", key=b"key-%d" % number, on_delivery=note)
    assert producer.flush(TIMEOUT_S) == 0
    return placed


def values_of_types(side: Side) -> Any:
    """Look at the small types alone: their text, order, equality and defaults."""
    client = side.client
    partition = client.TopicPartition("t", 3, 5)
    error = client.KafkaError(client.KafkaError._PARTITION_EOF)
    other = client.KafkaError(3, "a reason", fatal=True)
    message = client.Message()
    return [
        (partition.topic, partition.partition, partition.offset, partition.metadata),
        (partition.leader_epoch, partition.error),
        str(partition),
        repr(partition),
        partition == client.TopicPartition("t", 3, 99),
        partition == client.TopicPartition("t", 4, 5),
        partition < client.TopicPartition("t", 4),
        hash(partition) == hash(client.TopicPartition("t", 3, 7)),
        (client.TopicPartition("t").partition, client.TopicPartition("t").offset),
        side.outcome(client.TopicPartition),
        side.outcome(client.TopicPartition, 5),
        (
            str(error),
            repr(error),
            bool(error),
            error == -191,
            error != 3,
            hash(error) == hash(-191),
        ),
        (error.code(), error.name(), error.str(), error.fatal(), error.retriable()),
        (str(other), other.code(), other.name(), other.str(), other.fatal(), bool(other)),
        bool(client.KafkaError(0)),
        (str(client.KafkaException(error)), client.KafkaException(error).args[0] == error),
        side.outcome(lambda: (message.topic(), message.partition(), message.offset())),
        side.outcome(lambda: (message.key(), message.value(), message.headers())),
        side.outcome(lambda: (message.timestamp(), message.latency(), message.leader_epoch())),
        side.outcome(lambda: len(message)),
    ]


SCENARIOS = [
    produce_every_shape,
    produce_str_and_other_types,
    consume_every_shape,
    consume_log_append_time,
    too_large_and_too_many,
    purge_tells_each_message,
    unknown_partition,
    end_of_partition,
    positions_and_watermarks,
    offsets_for_times,
    out_of_range_earliest,
    out_of_range_latest,
    out_of_range_error,
    wrong_use_of_a_consumer,
    wrong_configs,
    values_of_types,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_all_see_the_same(sides: tuple[Side, Side, Side], scenario: Callable[[Side], Any]) -> None:
    theirs, folder, cluster = sides
    expected = scenario(theirs)
    assert scenario(cluster) == expected
    assert scenario(folder) == expected


@pytest.mark.parametrize(
    "partitioner",
    ["consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"],
)
def test_all_place_keys_alike(sides: tuple[Side, Side, Side], partitioner: str) -> None:
    theirs, folder, cluster = sides
    expected = partitions_of_keys(theirs, partitioner)
    assert partitions_of_keys(cluster, partitioner) == expected
    assert partitions_of_keys(folder, partitioner) == expected
