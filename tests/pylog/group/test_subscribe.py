"""subscribe() and what follows from it, with members as consumers of one process."""

import os
import time

import pytest

import pylog
from pylog import Consumer, KafkaError, KafkaException, TopicPartition
from pylog.admin import AdminClient, NewPartitions, NewTopic
from pylog.group.bystander import list_groups, peek
from pylog.group.offsets import GroupOffsets
from pylog.group.shared_group import GROUPS_DIR
from pylog.log_dir import LogDir

ALL = [("t", number) for number in range(4)]


def code_of(caught):
    return caught.value.args[0].code()


def test_one_member_is_assigned_everything_and_reads_it(members):
    a = members.add("a")
    members.until(lambda: len(members.messages["a"]) == 400)
    assert members.calls == [("a", "assign", ALL)]
    assert {p.offset for p in a.assignment()} == {pylog.OFFSET_STORED}
    assert a.memberid().startswith("rdkafka-")


def test_two_members_share_and_nothing_is_read_twice_or_lost(members):
    members.add("a")
    members.settle("a")
    members.add("b")
    members.settle()
    assert [call for call in members.calls if call[1] == "revoke"] == [("a", "revoke", ALL)]
    members.until(lambda: sum(map(len, members.messages.values())) >= 400)
    read = [(m.partition(), m.offset()) for got in members.messages.values() for m in got]
    assert sorted(read) == [(p, n) for p in range(4) for n in range(100)]


def test_no_message_of_a_revoked_partition_comes_after_on_revoke(members):
    members.add("a")
    a = members.consumers["a"]
    taken = []
    while len(taken) < 20:
        taken += a.consume(20, timeout=1)  # in the middle of batches
    members.add("b")
    members.until(lambda: ("a", "revoke", ALL) in members.calls)
    assigned_at_first = {}
    while not members.assigned("a") or not members.assigned("b"):
        revoked = ("a", "revoke", ALL) in members.calls
        got = a.consume(10, timeout=0.01)
        if revoked and got:
            assigned_at_first.update({m.partition(): m for m in got})
            assert {("t", m.partition()) for m in got} <= set(members.assigned("a"))
        members.poll("b")


def test_a_rebalance_waits_until_consume_has_given_what_it_took(members):
    taken, at_revoke = [], []

    def on_revoke(consumer, partitions):
        positions = [p.offset for p in consumer.position(partitions)]
        at_revoke.append((len(taken), sum(offset for offset in positions if offset > 0)))

    a = members.add("a", topics=())
    a.subscribe(["t"], on_revoke=on_revoke)
    while len(taken) < 30:
        taken += a.consume(7, timeout=0.05)
    members.add("b")
    deadline = time.monotonic() + 20
    while not at_revoke:
        assert time.monotonic() < deadline
        taken += a.consume(7, timeout=0.05)
    assert at_revoke[0][0] == at_revoke[0][1]


def test_a_member_that_closes_hands_over_what_it_committed(members):
    members.add("a")
    members.until(lambda: len(members.messages["a"]) >= 50)
    members.add("b")
    members.settle()
    members.close("a")
    members.settle("b")
    members.until(lambda: sum(map(len, members.messages.values())) >= 400)
    read = [(m.partition(), m.offset()) for got in members.messages.values() for m in got]
    assert len(read) == len(set(read)) == 400


def test_cooperative_members_keep_what_they_have(members):
    strategy = {"partition_assignment_strategy": "cooperative-sticky"}
    members.add("a", **strategy)
    members.settle("a")
    members.add("b", **strategy)
    members.settle()
    revoked = [call for call in members.calls if call[1] == "revoke"]
    assert len(revoked) == 1
    assert len(revoked[0][2]) == 2
    assert sorted(revoked[0][2]) == members.assigned("b")


def test_cooperative_callbacks_may_assign_with_offsets_of_their_own(members, folder):
    def on_assign(consumer, partitions):
        for partition in partitions:
            partition.offset = 90
        consumer.incremental_assign(partitions)

    consumer = members.add("a", topics=(), partition_assignment_strategy="cooperative-sticky")
    consumer.subscribe(["t"], on_assign=on_assign)
    members.until(lambda: len(members.messages["a"]) == 40)
    assert {m.offset() for m in members.messages["a"]} == set(range(90, 100))
    with pytest.raises(KafkaException, match="rebalance protocol type is COOPERATIVE") as caught:
        consumer.assign([TopicPartition("t", 0)])
    assert code_of(caught) == KafkaError._STATE


def test_eager_callbacks_may_assign_with_offsets_of_their_own(members):
    def on_assign(consumer, partitions):
        consumer.assign([TopicPartition(p.topic, p.partition, 95) for p in partitions])

    consumer = members.add("a", topics=())
    consumer.subscribe(["t"], on_assign=on_assign)
    members.until(lambda: len(members.messages["a"]) == 20)
    with pytest.raises(KafkaException, match="rebalance protocol type is EAGER") as caught:
        consumer.incremental_assign([TopicPartition("t", 0)])
    assert code_of(caught) == KafkaError._STATE


def test_an_exception_in_a_callback_leaves_poll_and_the_partitions_are_assigned(members):
    def on_assign(consumer, partitions):
        raise ValueError("of the application")

    consumer = members.add("a", topics=())
    consumer.subscribe(["t"], on_assign=on_assign)
    with pytest.raises(ValueError, match="of the application"):
        members.until(lambda: False)
    members.until(lambda: len(members.messages["a"]) == 400)


def test_on_revoke_may_commit_what_goes(members):
    committed = []
    a = members.add("a", topics=(), enable_auto_commit=False)
    a.subscribe(["t"], on_revoke=lambda c, ps: committed.extend(c.commit(asynchronous=False)))
    members.until(lambda: len(members.messages["a"]) >= 30)
    members.add("b", enable_auto_commit=False)
    members.settle()
    assert sum(p.offset for p in committed if p.offset > 0) >= 30
    members.until(lambda: sum(map(len, members.messages.values())) >= 400)


def test_unsubscribe_revokes_commits_and_leaves(members, folder):
    a = members.add("a")
    members.until(lambda: len(members.messages["a"]) >= 10)
    a.unsubscribe()
    assert members.calls[-1] == ("a", "revoke", ALL)
    assert a.assignment() == []
    assert a.memberid() is None
    with LogDir.open(folder) as log_dir:
        assert peek(log_dir, "g").members == {}
    offsets = a.committed([TopicPartition("t", number) for number in range(4)])
    assert sum(p.offset for p in offsets if p.offset > 0) == len(members.messages["a"])


def test_a_subscription_replaces_another(members, folder):
    with pylog.open(folder) as log:
        log.topic("other", partitions=1).append(b"x")
    members.add("a")
    members.settle("a")
    members.subscribe("a", ["other"])
    members.until(lambda: members.assigned("a") == [("other", 0)])
    assert ("a", "revoke", ALL) in members.calls


def test_an_unknown_topic_is_an_event_once_and_is_read_when_it_comes(members, folder):
    members.add("a", topics=("t", "later"))
    members.until(lambda: members.errors and members.assigned("a") == ALL)
    name, error = members.errors[0]
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert error.str() == (
        "Subscribed topic not available: later: Broker: Unknown topic or partition"
    )
    with pylog.open(folder) as log:
        log.topic("later", partitions=1).append(b"x")
    members.until(lambda: ("later", 0) in members.assigned("a"))
    assert len(members.errors) == 1


def test_topics_that_come_to_match_and_partitions_that_are_added_are_assigned(members, folder):
    members.add("a", topics=("^t",))
    members.settle("a")
    with AdminClient({"log.dir": folder}) as admin:
        admin.create_topics([NewTopic("t2", 1), NewTopic("nothing", 1)])["t2"].result(20)
        members.until(lambda: members.assigned("a") == [*ALL, ("t2", 0)])
        admin.create_partitions([NewPartitions("t", 5)])["t"].result(20)
    members.until(lambda: ("t", 4) in members.assigned("a"))


def test_several_groups_do_not_know_of_each_other(members, folder):
    members.add("a", group_id="one")
    members.add("b", group_id="two/with a slash")
    members.until(lambda: all(len(got) == 400 for got in members.messages.values()))
    with LogDir.open(folder) as log_dir:
        assert list_groups(log_dir) == ["one", "two/with a slash"]


def test_a_long_group_id_is_a_group_id(members, folder):
    members.add("a", group_id="g" * 300)
    members.settle("a")
    with LogDir.open(folder) as log_dir:
        assert list_groups(log_dir) == ["g" * 300]


def test_members_without_a_strategy_in_common_are_told(members):
    members.add("a", partition_assignment_strategy="range")
    members.settle("a")
    members.add("b", partition_assignment_strategy="roundrobin")
    members.until(lambda: members.errors)
    name, error = members.errors[0]
    assert (name, error.code()) == ("b", KafkaError.INCONSISTENT_GROUP_PROTOCOL)
    assert error.str().startswith("JoinGroup failed: Broker: Inconsistent group protocol: ")
    assert "roundrobin" in error.str()
    assert members.assigned("a") == ALL


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("nope", "Unsupported partition.assignment.strategy: nope"),
        ("range,cooperative-sticky", "assignors must have the same protocol type"),
    ],
)
def test_strategies_that_do_not_exist_or_do_not_mix_are_refused(folder, strategy, text):
    with pytest.raises(KafkaException, match=text) as caught:
        Consumer({"log.dir": folder, "group.id": "g", "partition.assignment.strategy": strategy})
    assert code_of(caught) == KafkaError._INVALID_ARG


def test_arguments_are_checked_in_confluents_words(folder):
    with Consumer({"log.dir": folder, "group.id": "g"}) as consumer:
        with pytest.raises(TypeError, match="expected list of topic unicode strings"):
            consumer.subscribe("t")
        with pytest.raises(TypeError, match="on_assign expects a callable"):
            consumer.subscribe(["t"], on_assign=5)
        for wrong in ([], [""], ["^["]):
            with pytest.raises(KafkaException, match="Failed to set subscription") as caught:
                consumer.subscribe(wrong)
            assert code_of(caught) == KafkaError._INVALID_ARG
    with Consumer({"log.dir": folder}) as consumer:
        for use in (lambda: consumer.subscribe(["t"]), consumer.commit):
            with pytest.raises(KafkaException, match="set group.id") as caught:
                use()
            assert code_of(caught) == KafkaError._UNKNOWN_GROUP
    for use in (lambda: consumer.subscribe(["t"]), consumer.commit, consumer.memberid):
        with pytest.raises(RuntimeError, match="Consumer closed"):
            use()


def test_a_folder_that_is_read_only_has_no_members(folder):
    with Consumer({"log.dir": folder, "group.id": "g", "read.only": True}) as consumer:
        with pytest.raises(KafkaException, match="opened read-only") as caught:
            consumer.subscribe(["t"])
        assert code_of(caught) == KafkaError._READ_ONLY
        consumer.assign([TopicPartition("t", 0, 0)])
        assert consumer.poll(5).offset() == 0


def test_who_does_not_poll_for_too_long_is_put_out_and_comes_back(members):
    short = {"max_poll_interval_ms": 300, "session_timeout_ms": 300}
    members.add("a", **short)
    members.settle("a")
    a = members.consumers["a"]
    read = len(members.messages["a"])
    members.add("b")
    members.settle("b")  # while a does not poll
    with pytest.raises(KafkaException) as caught:
        a.commit(offsets=[TopicPartition("t", 0, read + 1)], asynchronous=False)
    assert code_of(caught) == KafkaError.UNKNOWN_MEMBER_ID
    members.until(lambda: members.errors, "a")
    error = members.errors[0][1]
    assert error.code() == KafkaError._MAX_POLL_EXCEEDED
    assert error.str().startswith("Application maximum poll interval (300ms) exceeded by ")
    members.settle()
    assert ("a", "lost", ALL) in members.calls


def test_a_second_instance_of_a_static_member_fences_the_first(members):
    members.add("a", group_instance_id="one")
    members.settle("a")
    a = members.consumers["a"]
    members.add("a2", group_instance_id="one")
    members.settle("a2")
    members.until(lambda: members.errors, "a")
    error = members.errors[0][1]
    assert (error.code(), error.fatal()) == (KafkaError.FENCED_INSTANCE_ID, True)
    with pytest.raises(KafkaException) as caught:
        a.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    assert code_of(caught) in (KafkaError.FENCED_INSTANCE_ID, KafkaError.UNKNOWN_MEMBER_ID)


def test_a_static_member_comes_back_to_what_it_had(members, folder):
    members.add("a", group_instance_id="one")
    members.add("b", group_instance_id="two")
    members.settle()
    before = members.assigned("a"), members.assigned("b")
    with LogDir.open(folder) as log_dir:
        generation = peek(log_dir, "g").generation
        members.close("a")
        members.add("a", group_instance_id="one")
        members.settle()
        assert peek(log_dir, "g").generation == generation
    assert (members.assigned("a"), members.assigned("b")) == before


@pytest.mark.parametrize("harm", ["cut", "nonsense", "empty", "gone"])
def test_a_damaged_state_is_made_anew(members, folder, harm):
    members.add("a")
    members.settle("a")
    path = os.path.join(folder, GROUPS_DIR, "g.state")
    with open(path, "rb") as file:
        data = file.read()
    if harm == "gone":
        os.unlink(path)
    else:
        bad = {"cut": data[:-7], "nonsense": data.replace(b"Stable", b"Stibla"), "empty": b""}
        with open(path, "wb") as file:
            file.write(bad[harm])
    members.until(lambda: ("a", "lost", ALL) in members.calls)
    members.settle("a")


def test_a_state_folder_that_is_removed_is_made_anew(members, folder):
    members.add("a")
    members.settle("a")
    for name in os.listdir(os.path.join(folder, GROUPS_DIR)):
        os.unlink(os.path.join(folder, GROUPS_DIR, name))
    members.add("b", group_id="g")
    members.settle()


def test_a_generation_is_recorded_and_never_begins_again(members, folder):
    members.add("a")
    members.add("b")
    members.settle()
    members.close()
    with LogDir.open(folder) as log_dir:
        recorded = GroupOffsets.of(log_dir).group_metadata("g")
        assert (recorded.protocol_type, recorded.members) == ("consumer", ())
        os.unlink(os.path.join(folder, GROUPS_DIR, "g.state"))
        members.add("a")
        members.settle("a")
        again = GroupOffsets.of(log_dir).group_metadata("g")
    assert again.generation > recorded.generation
    assert [member.client_id for member in again.members] == ["rdkafka"]
    assert (again.protocol, again.leader) == ("range", members.consumers["a"].memberid())


def test_the_metadata_for_a_transaction_says_who_this_is(members):
    a = members.add("a", topics=(), group_instance_id="one")
    assert a.consumer_group_metadata().generation_id == -1
    members.subscribe("a", ["t"])
    members.settle("a")
    metadata = a.consumer_group_metadata()
    assert (metadata.group_id, metadata.generation_id, metadata.group_instance_id) == (
        "g",
        1,
        "one",
    )
    assert metadata.member_id == a.memberid()


def test_a_consumer_that_is_dropped_leaves(members, folder):
    members.add("a")
    members.add("b")
    members.settle()
    del members.consumers["a"]
    members.settle("b")
