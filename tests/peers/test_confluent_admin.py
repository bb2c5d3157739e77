"""The same administration of a real broker and of a folder: results, errors, topic configs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import record_batches
from sides import TIMEOUT_S, Side

pytestmark = pytest.mark.peer


def admin_errors(side: Side) -> Any:
    admin, new_topic = side.admin, side.admin_module.NewTopic
    side.create(2)

    def create(*arguments: Any, **named: Any) -> Any:
        topic = new_topic(*arguments, **named)
        return side.outcome(lambda: admin.create_topics([topic])[topic.topic].result(TIMEOUT_S))

    def result(futures: dict[Any, Any]) -> Any:
        (future,) = futures.values()
        return future.result(TIMEOUT_S)

    new_partitions = side.admin_module.NewPartitions
    resource = side.admin_module.ConfigResource(side.admin_module.ConfigResource.Type.TOPIC, "nix")
    return [
        create(side.topic, 1, 1),
        create("with space", 1, 1),
        create("..", 1, 1),
        create("x" * 250, 1, 1),
        create("x", 0, 1),
        create("y", 1, 1, config={"no.such.config": "1"}),
        create("z", 1, 1, config={"retention.ms": "soon"}),
        side.outcome(lambda: result(admin.create_partitions([new_partitions(side.topic, 1)]))),
        side.outcome(lambda: result(admin.create_partitions([new_partitions(side.topic, 2)]))),
        side.outcome(lambda: result(admin.create_partitions([new_partitions(side.topic, 3)]))),
        side.outcome(lambda: result(admin.create_partitions([new_partitions("nix", 3)]))),
        side.outcome(lambda: result(admin.delete_topics(["nix"]))),
        side.outcome(lambda: result(admin.describe_configs([resource]))),
        partition_count(side, 3),
        side.outcome(lambda: result(admin.delete_topics([side.topic]))),
        side.topic in admin.list_topics(timeout=TIMEOUT_S).topics,
    ]


def partition_count(side: Side, expected: int) -> int:
    """Return how many partitions the topic has; a broker's metadata may lag for a moment."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        metadata = side.admin.list_topics(side.topic, timeout=TIMEOUT_S)
        count = len(metadata.topics[side.topic].partitions)
        if count == expected or time.monotonic() > deadline_s:
            return count


def topic_configs(side: Side) -> Any:
    side.create(retention_ms="1234567", cleanup_policy="compact")
    kind = side.admin_module.ConfigResource.Type.TOPIC
    resource = side.admin_module.ConfigResource(kind, side.topic)
    ((_, future),) = side.admin.describe_configs([resource]).items()
    configs = future.result(TIMEOUT_S)
    seen = {name: (entry.value, entry.is_default) for name, entry in configs.items()}
    # A cluster with eligible leader replicas (KIP-966) sets this one for all its topics.
    seen["min.insync.replicas"] = configs["min.insync.replicas"].value
    return seen


def delete_records_and_ends(side: Side) -> Any:
    side.create()
    side.fill(10)
    admin = side.admin

    def delete(offset: int) -> Any:
        ((_, future),) = admin.delete_records([side.at(0, offset)]).items()
        return future.result(TIMEOUT_S).low_watermark

    consumer = side.consumer()
    seen = [
        side.outcome(delete, 4),
        consumer.get_watermark_offsets(side.at(), timeout=TIMEOUT_S),
        side.outcome(delete, 2),
        side.outcome(delete, 11),
        side.outcome(delete, -1),
        consumer.get_watermark_offsets(side.at(), timeout=TIMEOUT_S),
    ]
    side_message = read_all_after(side, consumer)
    return seen, side_message


def read_all_after(side: Side, consumer: Any) -> Any:
    side.fill(1)
    consumer.assign([side.at(0, side.client.OFFSET_BEGINNING)])
    message = consumer.poll(TIMEOUT_S)
    consumer.close()
    return message.offset(), message.value()


def list_offsets(side: Side) -> Any:
    side.create()
    side.fill(10)
    spec = side.admin_module.OffsetSpec
    first = record_batches.FIRST_TIMESTAMP_MS
    seen = []
    for each in (
        spec.earliest(),
        spec.latest(),
        spec.max_timestamp(),
        spec.for_timestamp(first + 4500),
        spec.for_timestamp(first + 10**9),
    ):
        ((_, future),) = side.admin.list_offsets({side.at(): each}).items()
        answer = future.result(TIMEOUT_S)
        seen.append((answer.offset, answer.timestamp))
    return seen


SCENARIOS = [admin_errors, topic_configs, delete_records_and_ends, list_offsets]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_all_see_the_same(sides: tuple[Side, Side, Side], scenario: Callable[[Side], Any]) -> None:
    theirs, folder, cluster = sides
    expected = scenario(theirs)
    assert scenario(cluster) == expected
    assert scenario(folder) == expected
