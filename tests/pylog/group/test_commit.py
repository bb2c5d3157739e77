"""commit, store_offsets, committed and position, as confluent_kafka 2.16 answers."""

import threading
import time

import pytest

import pylog
from pylog import (
    OFFSET_INVALID,
    OFFSET_STORED,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from pylog.group.commits import ConsumerGroupMetadata, commit_in_transaction
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.log_dir import LogDir

ALL = [TopicPartition("t", number) for number in range(4)]


def code_of(caught):
    return caught.value.args[0].code()


def text_of(caught):
    return caught.value.args[0].str()


def offsets(partitions):
    return [partition.offset for partition in partitions]


@pytest.fixture
def manual(members):
    """A member that commits only what it is told, with ten messages read."""
    consumer = members.add("a", enable_auto_commit=False)
    members.until(lambda: len(members.messages["a"]) >= 10)
    return consumer


def test_a_message_is_committed_as_the_offset_behind_it(manual, members):
    message = members.messages["a"][0]
    (answer,) = manual.commit(message, asynchronous=False)
    assert (answer.topic, answer.partition, answer.offset) == ("t", message.partition(), 1)
    assert answer.error is None
    assert offsets(manual.committed([answer])) == [1]


def test_offsets_are_committed_with_their_metadata(manual):
    manual.commit(offsets=[TopicPartition("t", 2, 7, "why")], asynchronous=False)
    (found,) = manual.committed([TopicPartition("t", 2)])
    assert (found.offset, found.metadata) == (7, "why")


def test_commit_without_arguments_commits_what_was_read_and_not_twice(manual, members):
    read = [0, 0, 0, 0]
    for message in members.messages["a"]:
        read[message.partition()] += 1
    expected = [count or OFFSET_INVALID for count in read]
    assert offsets(sorted(manual.commit(asynchronous=False))) == expected
    assert offsets(manual.committed(ALL)) == expected
    with pytest.raises(KafkaException) as caught:
        manual.commit(asynchronous=False)
    assert code_of(caught) == KafkaError._NO_OFFSET
    assert text_of(caught) == "Commit failed: Local: No offset stored"


def test_an_asynchronous_commit_is_reported_in_poll(folder):
    reports = []
    conf = {"log.dir": folder, "group.id": "g", "on_commit": lambda *given: reports.append(given)}
    with Consumer({**conf, "enable.auto.commit": False}) as consumer:
        assert consumer.commit(offsets=[TopicPartition("t", 1, 5)]) is None
        assert consumer.commit(offsets=[TopicPartition("t", 99, 5)]) is None
        assert reports == []
        consumer.poll(0)
        assert [error and error.code() for error, _ in reports] == [
            None,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
        ]
        assert offsets(reports[0][1]) == [5]
        assert reports[1][1][0].error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        consumer.commit(offsets=[TopicPartition("t", 1, 6)], asynchronous=False)
        consumer.poll(0)
        assert len(reports) == 2


def test_a_partition_that_does_not_exist_fails_and_the_others_are_committed(manual):
    with pytest.raises(KafkaException) as caught:
        manual.commit(
            offsets=[TopicPartition("t", 0, 3), TopicPartition("t", 9, 3)], asynchronous=False
        )
    assert text_of(caught) == "Commit failed: Broker: Unknown topic or partition"
    found = manual.committed([TopicPartition("t", 0), TopicPartition("t", 9)])
    assert offsets(found) == [3, OFFSET_INVALID]
    assert found[1].error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_arguments_of_commit_are_checked_in_confluents_words(manual, members):
    message = members.messages["a"][0]
    with pytest.raises(ValueError, match="message and offsets are mutually exclusive"):
        manual.commit(message=message, offsets=[])
    with pytest.raises(TypeError, match="Message"):
        manual.commit(5)
    with pytest.raises(TypeError, match="requires list of TopicPartition"):
        manual.commit(offsets=5)
    with pytest.raises(TypeError, match="TopicPartition"):
        manual.commit(offsets=[5])
    for nothing in ([], [TopicPartition("t", 0)]):
        with pytest.raises(KafkaException) as caught:
            manual.commit(offsets=nothing, asynchronous=False)
        assert code_of(caught) == KafkaError._NO_OFFSET


def test_stored_offsets_are_what_is_committed(members):
    consumer = members.add("a", enable_auto_commit=False, enable_auto_offset_store=False)
    members.until(lambda: len(members.messages["a"]) >= 10)
    with pytest.raises(KafkaException) as caught:
        consumer.commit(asynchronous=False)
    assert code_of(caught) == KafkaError._NO_OFFSET
    message = members.messages["a"][3]
    consumer.store_offsets(message)
    answer = {p.partition: p.offset for p in consumer.commit(asynchronous=False)}
    assert answer.pop(message.partition()) == message.offset() + 1
    assert set(answer.values()) == {OFFSET_INVALID}
    consumer.store_offsets(offsets=[TopicPartition("t", 1, 55), TopicPartition("t", 7, 3)])
    consumer.commit(asynchronous=False)
    assert offsets(consumer.committed([TopicPartition("t", 1)])) == [55]


def test_store_offsets_says_why_it_cannot(manual, folder):
    with pytest.raises(KafkaException, match="StoreOffsets failed: Local: Invalid arg") as caught:
        manual.store_offsets(offsets=[TopicPartition("t", 0, 3)])
    assert code_of(caught) == KafkaError._INVALID_ARG
    conf = {"log.dir": folder, "group.id": "other", "enable.auto.offset.store": False}
    with Consumer(conf) as consumer:
        with pytest.raises(KafkaException) as caught:
            consumer.store_offsets(offsets=[TopicPartition("t", 0, 3)])
        assert code_of(caught) == KafkaError._STATE
        with pytest.raises(ValueError, match="expected either message or offsets"):
            consumer.store_offsets()


def test_assign_begins_where_the_group_came_to(folder):
    conf = {"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest"}
    with Consumer(conf) as consumer:
        consumer.commit(offsets=[TopicPartition("t", 0, 42)], asynchronous=False)
    for offset in (OFFSET_INVALID, OFFSET_STORED):
        with Consumer({**conf, "enable.auto.commit": False}) as consumer:
            consumer.assign([TopicPartition("t", 0, offset), TopicPartition("t", 1, offset)])
            messages = consumer.consume(158, timeout=20)
        firsts = {p: min(m.offset() for m in messages if m.partition() == p) for p in (0, 1)}
        assert firsts == {0: 42, 1: 0}


def test_enable_auto_commit_commits_at_close_and_by_the_clock(folder):
    conf = {"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest"}
    with Consumer(conf) as consumer:
        consumer.assign([TopicPartition("t", 0)])
        assert len(consumer.consume(10, timeout=20)) == 10
    with Consumer({**conf, "auto.commit.interval.ms": 10}) as consumer:
        assert offsets(consumer.committed([TopicPartition("t", 0)])) == [10]
        consumer.assign([TopicPartition("t", 0)])
        assert consumer.poll(20).offset() == 10
        deadline = time.monotonic() + 20
        while offsets(consumer.committed([TopicPartition("t", 0)])) != [11]:
            assert time.monotonic() < deadline


def test_a_group_with_members_takes_no_commits_from_strangers(members, folder):
    members.add("a")
    members.settle("a")
    with Consumer({"log.dir": folder, "group.id": "g"}) as stranger:
        with pytest.raises(KafkaException) as caught:
            stranger.commit(offsets=[TopicPartition("t", 0, 3)], asynchronous=False)
        assert code_of(caught) == KafkaError.UNKNOWN_MEMBER_ID


def test_a_member_cannot_commit_what_was_given_to_another(members):
    a = members.add("a", enable_auto_commit=False)
    members.settle("a")
    members.add("b", enable_auto_commit=False)
    members.settle()
    number = members.assigned("b")[0][1]
    with pytest.raises(KafkaException, match="was given to another member") as caught:
        a.commit(offsets=[TopicPartition("t", number, 3)], asynchronous=False)
    assert code_of(caught) == KafkaError.ILLEGAL_GENERATION


def test_a_cooperative_member_commits_throughout_a_rebalance(members):
    strategy = {"partition_assignment_strategy": "cooperative-sticky", "enable_auto_commit": False}
    a = members.add("a", **strategy)
    members.settle("a")
    failures, ends = [], threading.Event()

    def commit():
        number = 0
        while not ends.is_set():
            number += 1
            kept = sorted(a.assignment())[:1]
            try:
                a.commit(offsets=[TopicPartition("t", kept[0].partition, number)],
                         asynchronous=False)  # fmt: skip
            except KafkaException as error:
                failures.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        for name in ("b", "c"):
            members.add(name, **strategy)
            members.settle()
    finally:
        ends.set()
        thread.join()
    assert failures == []


def test_position_is_behind_what_was_handed_out(manual, members):
    last = {}
    for message in members.messages["a"]:
        last[message.partition()] = message.offset() + 1
    found = {p.partition: p.offset for p in manual.position([*ALL, TopicPartition("t", 9)])}
    assert found == {n: last.get(n, OFFSET_INVALID) for n in [*range(4), 9]}


def test_offsets_in_a_transaction_are_checked_against_the_generation(manual, members, folder):
    metadata = manual.consumer_group_metadata()
    stale = ConsumerGroupMetadata("g", metadata.generation_id - 1, metadata.member_id)
    wanted = {("t", 0): OffsetAndMetadata(5)}
    with LogDir.open(folder) as log_dir:
        with pytest.raises(KafkaException) as caught:
            commit_in_transaction(log_dir, stale, wanted, (7, 0, 0))
        assert code_of(caught) == KafkaError.ILLEGAL_GENERATION
        commit_in_transaction(log_dir, metadata, wanted, (7, 0, 0))
        assert GroupOffsets.of(log_dir).pending("g") == {("t", 0)}
        assert GroupOffsets.of(log_dir).committed("g") == {}


def test_who_begins_waits_for_a_transaction_that_holds_its_offset(folder):
    wanted = {("t", 0): OffsetAndMetadata(50)}
    conf = {"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest"}
    with LogDir.open(folder) as log_dir, Consumer(conf) as consumer:
        commit_in_transaction(log_dir, ConsumerGroupMetadata("g"), wanted, (7, 0, 0))
        consumer.assign([TopicPartition("t", 0)])
        assert consumer.poll(0.1) is None
        with pytest.raises(KafkaException) as caught:
            consumer.committed([TopicPartition("t", 0)], timeout=0.05)
        assert code_of(caught) == KafkaError._TIMED_OUT
        log_dir.partition("__consumer_offsets", 0).append_marker(7, 0, True)
        assert consumer.poll(20).offset() == 50


def test_an_offset_too_long_to_explain_is_refused(manual):
    with pytest.raises(KafkaException, match="Commit failed: .*metadata") as caught:
        manual.commit(offsets=[TopicPartition("t", 0, 1, "x" * 5000)], asynchronous=False)
    assert code_of(caught) == KafkaError.OFFSET_METADATA_TOO_LARGE


def test_a_commit_survives_the_folder_being_closed(folder):
    with Consumer({"log.dir": folder, "group.id": "g"}) as consumer:
        consumer.commit(offsets=[TopicPartition("t", 0, 9)], asynchronous=False)
    with pylog.open(folder), Consumer({"log.dir": folder, "group.id": "g"}) as consumer:
        assert offsets(consumer.committed([TopicPartition("t", 0)])) == [9]
