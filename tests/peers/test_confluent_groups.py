"""The same groups and transactions on a real broker and on a folder."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sides import TIMEOUT_S, Side

pytestmark = pytest.mark.peer


def member(side: Side, **config: Any) -> Any:
    defaults = {"group_id": side.topic, "auto_offset_reset": "earliest"}
    return side.consumer(**defaults, **config)


def produce(side: Side, count: int, partition: int = 0, start: int = 0) -> None:
    producer = side.producer()
    for number in range(start, start + count):
        producer.produce(side.topic, b"%d" % number, partition=partition)
    assert producer.flush(TIMEOUT_S) == 0


def take(consumer: Any, count: int) -> list[Any]:
    messages = consumer.consume(count, TIMEOUT_S)
    assert [message.error() for message in messages] == [None] * count
    return [message.value() for message in messages]


def places(side: Side, partitions: Any) -> Any:
    if partitions is None:
        return None
    return sorted((each.partition, each.offset, side.told(each.error)) for each in partitions)


def subscribe_and_commit(side: Side) -> Any:
    side.create(2)
    produce(side, 5, 0)
    produce(side, 5, 1, 100)
    told: list[Any] = []
    consumer = member(side)
    consumer.subscribe(
        [side.topic],
        on_assign=lambda who, given: told.append((who is consumer, places(side, given))),
        on_revoke=lambda who, given: told.append((who is consumer, len(given))),
    )
    seen: list[Any] = [sorted(take(consumer, 10)), bool(consumer.memberid())]
    seen.append(places(side, consumer.commit(asynchronous=False)))
    seen.append(places(side, consumer.committed([side.at(0), side.at(1)], timeout=TIMEOUT_S)))
    seen.append(
        sorted((each.topic == side.topic, each.partition) for each in consumer.assignment())
    )
    consumer.close()
    produce(side, 2, 1, 200)
    with member(side) as again:
        again.subscribe([side.topic])
        seen.append(take(again, 2))
        message = again.poll(0.5)
        seen.append(message and (side.told(message.error()), message.value()))
        offsets = [side.at(0, 3)]
        seen.append(places(side, again.commit(offsets=offsets, asynchronous=False)))
        again.unsubscribe()
    with member(side) as third:
        third.subscribe(["^" + side.topic[:-1] + side.topic[-1] + "$"])
        seen.append(sorted(take(third, 4)))
    return seen, told


def two_members_share(side: Side, strategy: str) -> Any:
    side.create(4)
    told: dict[str, list[Any]] = {"first": [], "second": []}

    def join(name: str) -> Any:
        consumer = member(side, partition_assignment_strategy=strategy)
        consumer.subscribe(
            [side.topic],
            on_assign=lambda _, given: told[name].append(("assign", len(given))),
            on_revoke=lambda _, given: told[name].append(("revoke", len(given))),
        )
        return consumer

    def wait(consumers: list[Any], counts: list[int]) -> list[int]:
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            for consumer in consumers:
                assert consumer.poll(0.05) is None
            now = [len(consumer.assignment()) for consumer in consumers]
            if now == counts or time.monotonic() > deadline_s:
                return now

    first = join("first")
    seen = [wait([first], [4])]
    second = join("second")
    seen.append(wait([first, second], [2, 2]))
    second.close()
    seen.append(wait([first], [4]))
    first.close()
    # A cooperative member may be told of an empty share too; how often is not said.
    return seen, {name: [each for each in calls if each[1]] for name, calls in told.items()}


def two_members_share_range(side: Side) -> Any:
    return two_members_share(side, "range")


def two_members_share_roundrobin(side: Side) -> Any:
    return two_members_share(side, "roundrobin")


def two_members_share_cooperatively(side: Side) -> Any:
    return two_members_share(side, "cooperative-sticky")


def wrong_use_of_a_group(side: Side) -> Any:
    side.create()
    produce(side, 2)
    consumer = member(side)
    nowhere = side.client.TopicPartition("there-is-no-such-topic", 0, 5)
    seen = [
        side.outcome(consumer.subscribe, side.topic),
        side.outcome(consumer.subscribe, [5]),
        side.outcome(consumer.subscribe, [side.topic], on_assign=5),
        side.outcome(consumer.commit, asynchronous=False),
        side.outcome(consumer.store_offsets, offsets=[side.at(0, 1)]),
        side.outcome(lambda: places(side, consumer.committed([side.at()], timeout=TIMEOUT_S))),
        side.outcome(lambda: places(side, consumer.commit(offsets=[nowhere], asynchronous=False))),
        side.outcome(consumer.close),
        side.outcome(consumer.commit, asynchronous=False),
        side.outcome(consumer.memberid),
    ]
    return seen


def transactions(side: Side) -> Any:
    side.create()
    producer = side.producer(transactional_id=side.topic)
    seen: list[Any] = [
        side.outcome(producer.begin_transaction),
        side.outcome(producer.init_transactions, TIMEOUT_S),
        side.outcome(producer.produce, side.topic, b"outside"),
        side.outcome(producer.commit_transaction, TIMEOUT_S),
        side.outcome(producer.begin_transaction),
        side.outcome(producer.begin_transaction),
    ]
    producer.produce(side.topic, b"a", partition=0)
    seen.append(side.outcome(producer.commit_transaction, TIMEOUT_S))
    producer.begin_transaction()
    producer.produce(side.topic, b"b", partition=0)
    producer.flush(TIMEOUT_S)
    seen.append(side.outcome(producer.abort_transaction, TIMEOUT_S))
    producer.begin_transaction()
    producer.produce(side.topic, b"c", partition=0)
    producer.commit_transaction(TIMEOUT_S)
    for level in ("read_committed", "read_uncommitted"):
        consumer = side.consumer(isolation_level=level, enable_partition_eof=True)
        consumer.assign([side.at(0, side.client.OFFSET_BEGINNING)])
        values = []
        while (message := consumer.poll(TIMEOUT_S)).error() is None:
            values.append((message.offset(), message.value()))
        seen.append((values, side.told(message.error())))
        consumer.close()
    return seen


def a_second_producer_fences_the_first(side: Side) -> Any:
    side.create()
    first = side.producer(transactional_id=side.topic)
    first.init_transactions(TIMEOUT_S)
    first.begin_transaction()
    first.produce(side.topic, b"first", partition=0)
    first.flush(TIMEOUT_S)
    second = side.producer(transactional_id=side.topic)
    second.init_transactions(TIMEOUT_S)
    try:
        first.commit_transaction(TIMEOUT_S)
        fenced = None
    except side.client.KafkaException as error:
        fenced = (error.args[0].name(), error.args[0].fatal())
    second.begin_transaction()
    second.produce(side.topic, b"second", partition=0)
    second.commit_transaction(TIMEOUT_S)
    consumer = side.consumer()
    consumer.assign([side.at(0, side.client.OFFSET_BEGINNING)])
    values = take(consumer, 1)
    consumer.close()
    return fenced, values


def offsets_in_a_transaction(side: Side) -> Any:
    side.create(2)
    produce(side, 4)
    consumer = member(side)
    consumer.subscribe([side.topic])
    producer = side.producer(transactional_id=side.topic)
    producer.init_transactions(TIMEOUT_S)
    seen = []
    for wanted in ("abort", "commit"):
        producer.begin_transaction()
        producer.produce(side.topic, wanted.encode(), partition=1)
        take(consumer, 2)
        metadata = consumer.consumer_group_metadata()
        positions = consumer.position([side.at()])
        producer.send_offsets_to_transaction(positions, metadata, TIMEOUT_S)
        (producer.abort_transaction if wanted == "abort" else producer.commit_transaction)(
            TIMEOUT_S
        )
        seen.append(places(side, consumer.committed([side.at()], timeout=TIMEOUT_S)))
    consumer.close()
    return seen


def groups_as_an_administrator_sees_them(side: Side) -> Any:
    side.create(2)
    produce(side, 4)
    group = side.topic
    consumer = member(side)
    consumer.subscribe([side.topic])
    take(consumer, 4)
    consumer.commit(asynchronous=False)
    admin = side.admin
    described = admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
    (only,) = described.members
    partitions = only.assignment.topic_partitions
    listed = admin.list_consumer_groups().result(TIMEOUT_S)
    (mine,) = [each for each in listed.valid if each.group_id == group]
    client = getattr(side.client, "admin", None) or side.admin_module
    request = getattr(side.client, "ConsumerGroupTopicPartitions", None) or (
        client.ConsumerGroupTopicPartitions
    )
    seen = [
        (described.group_id == group, described.state.name, described.partition_assignor),
        (
            described.is_simple_consumer_group,
            only.client_id,
            sorted(each.partition for each in partitions),
        ),
        (mine.state.name, mine.is_simple_consumer_group, listed.errors),
    ]

    def offsets() -> Any:
        answer = admin.list_consumer_group_offsets([request(group)])[group].result(TIMEOUT_S)
        return places(side, answer.topic_partitions)

    def alter(offset: int) -> Any:
        wanted = request(group, [side.at(0, offset)])
        answer = admin.alter_consumer_group_offsets([wanted])[group].result(TIMEOUT_S)
        return places(side, answer.topic_partitions)

    def delete() -> Any:
        return admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)

    seen += [offsets(), side.outcome(alter, 1), side.outcome(delete)]
    consumer.close()
    seen += [side.outcome(alter, 1), offsets(), side.outcome(delete), side.outcome(delete)]
    gone = admin.describe_consumer_groups([group])[group]
    seen.append(side.outcome(lambda: gone.result(TIMEOUT_S).state.name))
    return seen


SCENARIOS = [
    subscribe_and_commit,
    two_members_share_range,
    two_members_share_roundrobin,
    two_members_share_cooperatively,
    wrong_use_of_a_group,
    transactions,
    a_second_producer_fences_the_first,
    offsets_in_a_transaction,
    groups_as_an_administrator_sees_them,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_all_see_the_same(sides: tuple[Side, Side, Side], scenario: Callable[[Side], Any]) -> None:
    theirs, folder, cluster = sides
    expected = scenario(theirs)
    assert scenario(cluster) == expected, "a cluster"
    assert scenario(folder) == expected, "a folder"
