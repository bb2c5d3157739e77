"""Groups and a real Kafka: each reads the other's `__consumer_offsets`, and answers the same."""

import json
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sides import TIMEOUT_S, Side

import logcore
from logcore.batch import iter_batches
from pylog.group.offset_table import OffsetTable
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.records import (
    GroupMetadata,
    MemberMetadata,
    OffsetKey,
    decode_group_value,
    decode_key,
    decode_offset_value,
    encode_group_key,
    encode_group_value,
    encode_offset_key,
    encode_offset_value,
)
from pylog.internal_topics import OFFSETS_TOPIC
from pylog.log_dir import LogDir

pytestmark = pytest.mark.peer

T0, T1 = ("t", 0), ("t", 1)
MEMBER = MemberMetadata("m-1", "app", "/127.0.0.1", 45_000, 300_000, "inst", b"\0\1sub", b"\0\1as")


def admin_of(confluent: ModuleType, broker: Any) -> Any:
    import confluent_kafka.admin

    return confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap_servers})


def wait_for_coordinator(client: ModuleType, admin: Any, group: str) -> None:
    """Wait until a broker has loaded its groups.

    Not by asking for offsets: librdkafka 2.16 crashes (rd_kafka_cgrp_op, called by
    rd_kafka_handle_OffsetFetch) when an AdminClient is told that they are being loaded.
    """
    for _ in range(200):
        try:
            admin.describe_consumer_groups([group])[group].result(60)
            return
        except client.KafkaException:
            time.sleep(0.1)
    raise AssertionError("the broker does not load its groups")


def offsets_of(confluent: ModuleType, admin: Any, group: str) -> dict[tuple[str, int], int]:
    request = confluent.ConsumerGroupTopicPartitions(group)
    wait_for_coordinator(confluent, admin, group)
    found = admin.list_consumer_group_offsets([request])[group].result(60)
    return {(each.topic, each.partition): each.offset for each in found.topic_partitions}


def alter(confluent: ModuleType, admin: Any, group: str, *offsets: Any) -> None:
    """Commit for a group; a broker that is new answers with errors for a while."""
    request = confluent.ConsumerGroupTopicPartitions(group, list(offsets))
    for _ in range(200):
        try:
            answered = admin.alter_consumer_group_offsets([request])[group].result(60)
        except confluent.KafkaException:
            continue
        if not any(each.error for each in answered.topic_partitions):
            return
        time.sleep(0.1)
    raise AssertionError(f"the broker does not take offsets of {group}")


def make_topic(admin: Any, name: str, partitions: int) -> None:
    from confluent_kafka.admin import NewTopic

    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(TIMEOUT_S)


def commit_as_member(confluent: ModuleType, broker: Any, group: str, topic: str) -> None:
    """A member of the group joins, commits offset 1 of what it got, and leaves."""
    consumer = confluent.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "client.id": "app"}
    )
    consumer.subscribe([topic])
    for _ in range(200):
        consumer.poll(0.1)
        if consumer.assignment():
            break
    offsets = [
        confluent.TopicPartition(each.topic, each.partition, 1) for each in consumer.assignment()
    ]
    assert offsets
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def test_what_kafka_writes_is_read_and_would_be_written_the_same(
    kafka: ModuleType, tmp_path: Path
) -> None:
    confluent = pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")
    with kafka.KafkaBroker(tmp_path / "broker") as broker:
        admin = admin_of(confluent, broker)
        make_topic(admin, "t", 2)
        wanted = [confluent.TopicPartition(*T0, 7, "note"), confluent.TopicPartition(*T1, 8)]
        alter(confluent, admin, "simple", *wanted)
        alter(confluent, admin, "gone", *wanted)
        admin.delete_consumer_groups(["gone"])["gone"].result(TIMEOUT_S)
        commit_as_member(confluent, broker, "members", "t")
        groups = ["simple", "members", "gone"]
        expected = {group: offsets_of(confluent, admin, group) for group in groups}
        broker.stop()
        (path,) = broker.partition_dir(OFFSETS_TOPIC).glob("*.log")
        data = path.read_bytes()
    table = OffsetTable()
    kinds = set()
    for batch in iter_batches(data):
        table.apply(batch)
        for record in batch.records():
            key = decode_key(record.key)
            kinds.add(type(key).__name__)
            is_offset = isinstance(key, OffsetKey)
            again = encode_offset_key(*key) if is_offset else encode_group_key(*key)
            assert again == record.key
            if record.value is None:
                continue
            if is_offset:
                assert encode_offset_value(decode_offset_value(record.value)) == record.value
            else:
                assert encode_group_value(decode_group_value(record.value)) == record.value
    table.settle()
    assert kinds == {"OffsetKey", "GroupKey"}
    assert expected["simple"] == {T0: 7, T1: 8}
    assert {
        group: {place: value.offset for place, value in table.offsets(group).items()}
        for group in groups
    } == expected
    left = table.metadata("members")
    assert left is not None
    assert (left.protocol_type, left.members) == ("consumer", ())


def write_ours(folder: Path) -> None:
    with LogDir.open(folder) as log_dir:
        offsets = GroupOffsets.of(log_dir)
        log_dir.create_topic("t", 2)
        offsets.commit("g", {T0: OffsetAndMetadata(5, 3, "note", 1_700_000_000_000)})
        offsets.commit("g", {T0: OffsetAndMetadata(6), T1: OffsetAndMetadata(7)})
        offsets.commit("gone", {T0: OffsetAndMetadata(1)})
        offsets.delete_group("gone")
        offsets.write_group("g", GroupMetadata("consumer", 4, state_timestamp_ms=1_700_000_000_000))
        offsets.commit("aborted", {T0: OffsetAndMetadata(9)}, (1, 0, 0))
        log = log_dir.partition(OFFSETS_TOPIC, 0)
        log.append_marker(1, 0, False)
        offsets.commit("kept", {T1: OffsetAndMetadata(9)}, (1, 0, 1))
        log.append_marker(1, 0, True)


def test_what_we_write_kafkas_tool_prints(kafka: ModuleType, tmp_path: Path) -> None:
    write_ours(tmp_path)
    with LogDir.open(tmp_path) as log_dir:
        topic_id = log_dir.topic("t").topic_id
        members = GroupMetadata("consumer", 5, "range", "m-1", 1_700_000_000_000, (MEMBER,))
        GroupOffsets.of(log_dir).write_group("g", members)
    path = tmp_path / f"{OFFSETS_TOPIC}-0" / f"{0:020}.log"
    printed = kafka.dump_log_segments([path], print_data=False, options=["--offsets-decoder"])
    found = [
        (json.loads(key), value if value == "<DELETE>" else json.loads(value))
        for key, value in re.findall(r"key: (\{.*?\}\}) payload: (<DELETE>|\{.*\})", printed)
    ]
    key, value = found[0]
    assert key == {"type": "1", "data": {"group": "g", "topic": "t", "partition": 0}}
    assert value["version"] == "4"
    printed_id = value["data"].pop("topicId")
    assert value["data"] == {
        "offset": 5, "leaderEpoch": 3, "metadata": "note", "commitTimestamp": 1_700_000_000_000,
    }  # fmt: skip
    assert printed_id == _as_kafka_prints(topic_id)
    deleted = [key["data"]["group"] for key, value in found if value == "<DELETE>"]
    assert deleted == ["gone", "gone"]
    key, value = found[-1]
    assert key == {"type": "2", "data": {"group": "g"}}
    assert value["version"] == "3"
    assert value["data"]["generation"] == 5
    (member,) = value["data"]["members"]
    assert (member["memberId"], member["groupInstanceId"]) == ("m-1", "inst")
    assert (member["rebalanceTimeout"], member["sessionTimeout"]) == (300_000, 45_000)


def _as_kafka_prints(topic_id: uuid.UUID) -> str:
    import base64

    return base64.urlsafe_b64encode(topic_id.bytes).decode().rstrip("=")


def test_a_broker_takes_our_groups_over_and_we_go_on_after_it(
    kafka: ModuleType, tmp_path: Path
) -> None:
    confluent = pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")
    write_ours(tmp_path / "ours")
    with kafka.KafkaBroker(tmp_path / "broker") as broker:
        admin = admin_of(confluent, broker)
        make_topic(admin, "t", 2)
        commit_as_member(confluent, broker, "first", "t")  # makes the topic
        broker.stop()
        theirs = broker.partition_dir(OFFSETS_TOPIC)
        for file in theirs.iterdir():
            if file.name != "partition.metadata":
                file.unlink()
        for file in (tmp_path / "ours" / theirs.name).glob("0*"):
            shutil.copy(file, theirs)

        broker.start()
        admin = admin_of(confluent, broker)
        assert offsets_of(confluent, admin, "g") == {T0: 6, T1: 7}
        assert offsets_of(confluent, admin, "kept") == {T1: 9}
        assert offsets_of(confluent, admin, "aborted") == {}
        assert offsets_of(confluent, admin, "gone") == {}
        listed = admin.list_consumer_groups().result(TIMEOUT_S).valid
        assert {each.group_id: each.is_simple_consumer_group for each in listed} == {
            "aborted": True, "g": False, "kept": True,
        }  # fmt: skip
        commit_as_member(confluent, broker, "g", "t")
        assert offsets_of(confluent, admin, "g") == {T0: 1, T1: 1}
        broker.stop()

        back = tmp_path / "ours" / theirs.name
        for file in [*back.glob("0*"), *back.glob(".[sr]*")]:
            file.unlink()
        for file in theirs.glob("0*"):
            shutil.copy(file, back)
    logcore.Log(back).close()
    with LogDir.open(tmp_path / "ours") as log_dir:
        offsets = GroupOffsets.of(log_dir)
        found = {place: value.offset for place, value in offsets.committed("kept").items()}
        assert found == {T1: 9}
        generation = offsets.group_metadata("g")
        assert generation is not None
        assert generation.generation > 4


# ---- the same answers ----


def partitions(side: Side, found: Any) -> Any:
    return [
        (each.partition, each.offset, each.metadata, each.leader_epoch, side.told(each.error))
        for each in found.topic_partitions
    ]


def group_offsets(side: Side) -> Any:
    side.create(2)
    admin, group = side.admin, f"group-of-{side.topic}"
    wait_for_coordinator(side.client, admin, group)

    def ask(*places: Any) -> Any:
        request = side.client.ConsumerGroupTopicPartitions(group, list(places) or None)
        future = admin.list_consumer_group_offsets([request])[group]
        return partitions(side, future.result(TIMEOUT_S))

    def alter(*places: Any) -> Any:
        request = side.client.ConsumerGroupTopicPartitions(group, list(places))
        future = admin.alter_consumer_group_offsets([request])[group]
        return partitions(side, future.result(TIMEOUT_S))

    long = side.client.TopicPartition(side.topic, 0, 1, "x" * 5000)
    return [
        ask(),
        ask(side.at(0)),
        alter(side.at(1, 4), side.at(0, 3)),
        alter(side.at(0, 3000)),
        [row[:2] + row[4:] for row in alter(side.at(9, 1), long)],
        ask(),
        ask(side.at(1)),
        side.outcome(ask, side.at(1, 5)),
        side.outcome(alter, side.at(1)),
        side.outcome(alter, side.at(1, -1)),
    ]


def groups_listed_described_deleted(side: Side) -> Any:
    side.create(2)
    side.fill(3)
    admin, group = side.admin, f"group-of-{side.topic}"
    wait_for_coordinator(side.client, admin, group)

    def describe(name: str) -> Any:
        found = admin.describe_consumer_groups([name])[name].result(TIMEOUT_S)
        members = [
            (
                member.client_id,
                member.group_instance_id,
                [each.partition for each in member.assignment.topic_partitions],
            )
            for member in found.members
        ]
        return (
            found.is_simple_consumer_group, found.state.name, found.type.name,
            found.partition_assignor, members,
        )  # fmt: skip

    def delete(name: str) -> Any:
        return admin.delete_consumer_groups([name])[name].result(TIMEOUT_S)

    def listed(**options: Any) -> Any:
        found = admin.list_consumer_groups(**options).result(TIMEOUT_S).valid
        return [
            (each.is_simple_consumer_group, each.state.name, each.type.name)
            for each in found
            if each.group_id == group
        ]

    seen = [side.outcome(delete, group), describe(group), listed()]
    consumer = side.consumer(group_id=group, client_id="app", auto_offset_reset="earliest")
    consumer.subscribe([side.topic])
    message = consumer.poll(TIMEOUT_S)
    consumer.commit(message=message, asynchronous=False)
    states = side.client.ConsumerGroupState
    request = side.client.ConsumerGroupTopicPartitions(group, [side.at(0, 1)])
    altered = admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT_S)
    seen += [
        describe(group),
        listed(states={states.STABLE}),
        listed(states={states.EMPTY}),
        [side.told(each.error) for each in altered.topic_partitions],
        side.outcome(delete, group),
    ]
    consumer.close()
    seen += [describe(group), listed(), side.outcome(delete, group), listed()]
    return seen


SCENARIOS = [group_offsets, groups_listed_described_deleted]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_all_see_the_same(sides: tuple[Side, ...], scenario: Callable[[Side], Any]) -> None:
    theirs, *others = sides
    expected = scenario(theirs)
    for other in others:
        assert scenario(other) == expected
