"""Members in processes of their own: killed, stopped, forked, many at once."""

import os
import signal
import time

import pytest
from child import Child, await_word, say

import pylog
from pylog import Consumer, KafkaException, TopicPartition
from pylog.group.bystander import peek
from pylog.log_dir import LogDir

# What a busy machine may add to what is measured in docs/adr/0015.
SLACK_S = 2.0


def share_a_topic(folder, topic="t", **conf):
    """A member that says what its callbacks are told, and when, until it is killed."""

    def note(kind):
        def callback(consumer, given):
            say([kind, sorted(p.partition for p in given), time.monotonic()])

        return callback

    consumer = Consumer(
        {"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest", **conf}
    )
    consumer.subscribe(
        [topic], on_assign=note("assign"), on_revoke=note("revoke"), on_lost=note("lost")
    )
    while True:
        message = consumer.poll(0.05)
        if message is not None and message.error() is not None:
            say(["error", message.error().name(), time.monotonic()])


def commit_late(folder, **conf):
    """A member that takes a message, hears a word, and only then commits it."""
    consumer = Consumer(
        {
            "log.dir": folder,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **conf,
        }
    )
    lost = []
    consumer.subscribe(["t"], on_lost=lambda c, given: lost.append(len(given)))
    message = None
    while message is None:
        message = consumer.poll(0.05)
    say([message.partition(), message.offset()])
    await_word()
    try:
        consumer.commit(message, asynchronous=False)
        answer = "committed"
    except KafkaException as error:
        answer = error.args[0].name()
    while not lost:
        consumer.poll(0.05)
    while not consumer.assignment():  # back again
        consumer.poll(0.05)
    return [answer, lost]


def fork_a_child(folder):
    """A member whose forked child lives on: it hears what the child finds."""
    consumer = Consumer({"log.dir": folder, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    while not consumer.assignment():
        consumer.poll(0.05)
    if os.fork() == 0:
        try:
            consumer.poll(0.1)
            found = "polled"
        except KafkaException as error:
            found = error.args[0].str()
        consumer.close()  # leaves nothing: it is the parent's
        say(found)
        await_word()
        os._exit(0)
    say("forked")
    await_word()


def until_said(child, kind, partitions=None):
    """Read what a member says until that; returns when it was."""
    while True:
        said, numbers, at_s = child.heard()
        if said == kind and (partitions is None or numbers == partitions):
            return at_s


def test_the_partitions_of_a_killed_member_move_at_once(folder):
    with Child(share_a_topic, folder=folder) as first:
        until_said(first, "assign", [0, 1, 2, 3])
        with Child(share_a_topic, folder=folder) as second:
            until_said(second, "assign")
            killed_s = time.monotonic()
            first.signal(signal.SIGKILL)
            moved_s = until_said(second, "assign", [0, 1, 2, 3]) - killed_s
    assert moved_s < 0.1 + SLACK_S


def test_a_killed_leader_or_follower_leaves_a_group_that_goes_on(folder):
    with Child(share_a_topic, folder=folder) as first:
        until_said(first, "assign", [0, 1, 2, 3])
        for _ in range(3):
            with Child(share_a_topic, folder=folder) as other:
                until_said(other, "assign")
                until_said(first, "assign")
            until_said(first, "assign", [0, 1, 2, 3])


def test_a_stopped_member_is_put_out_and_what_it_commits_then_is_refused(folder):
    conf = {"session.timeout.ms": 300}
    with Child(commit_late, folder=folder, **conf) as sleeper:
        partition, offset = sleeper.heard()
        sleeper.signal(signal.SIGSTOP)
        with Child(share_a_topic, folder=folder, **{"enable.auto.commit": False}) as other:
            until_said(other, "assign", [0, 1, 2, 3])
            sleeper.tell()
            sleeper.signal(signal.SIGCONT)
            until_said(other, "assign")  # it came back, and shares
            assert sleeper.result() == ["UNKNOWN_MEMBER_ID", [4]]
    with Consumer({"log.dir": folder, "group.id": "g"}) as consumer:
        assert consumer.committed([TopicPartition("t", partition)])[0].offset < 0


def test_a_stopped_member_is_fenced_even_when_nobody_took_its_place(folder):
    with Child(commit_late, folder=folder, **{"session.timeout.ms": 200}) as sleeper:
        sleeper.heard()
        stopped_s = time.monotonic()
        sleeper.signal(signal.SIGSTOP)
        sleeper.tell()
        while time.monotonic() < stopped_s + 0.4:
            time.sleep(0.01)
        sleeper.signal(signal.SIGCONT)
        assert sleeper.result() == ["UNKNOWN_MEMBER_ID", [4]]


def test_a_static_member_that_is_killed_keeps_its_place_for_its_session(folder):
    static = {"group.instance.id": "one", "session.timeout.ms": 500}
    with Child(share_a_topic, folder=folder, **static) as first:
        until_said(first, "assign", [0, 1, 2, 3])
        with Child(share_a_topic, folder=folder) as second:
            until_said(second, "assign", [2, 3])
            killed_s = time.monotonic()
            first.signal(signal.SIGKILL)
            moved_s = until_said(second, "assign", [0, 1, 2, 3]) - killed_s
    assert 0.4 < moved_s < 0.6 + SLACK_S


def test_a_forked_child_neither_uses_nor_keeps_its_parents_membership(folder):
    with Child(fork_a_child, folder=folder) as parent:
        said = {parent.heard(), parent.heard()}
        assert "forked" in said
        assert "belongs to the parent process" in (said - {"forked"}).pop()
        with LogDir.open(folder) as log_dir:
            assert len(peek(log_dir, "g").members) == 1  # the child's close() was not the parent's
        with Child(share_a_topic, folder=folder) as other:
            time_s = time.monotonic()
            parent.process.kill()
            parent.process.wait()  # its child lives on
            moved_s = until_said(other, "assign", [0, 1, 2, 3]) - time_s
            assert moved_s < 20  # its start, and not a session of 45 s
        parent.tell()


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_eight_members_share_sixty_four_partitions(tmp_path, strategy):
    folder = str(tmp_path / "log")
    with pylog.open(folder, acks=1) as log:
        log.topic("wide", partitions=64)
    conf = {"topic": "wide", "partition.assignment.strategy": strategy}
    children = [Child(share_a_topic, folder=folder, **conf) for _ in range(8)]
    try:
        with LogDir.open(folder) as log_dir:
            deadline_s = time.monotonic() + 60
            while not _is_shared(log_dir, 8, 64):
                assert time.monotonic() < deadline_s
                time.sleep(0.005)
            began_s = time.monotonic()
            children.pop().__exit__()
            while not _is_shared(log_dir, 7, 64):
                assert time.monotonic() < began_s + 0.3 + 4 * SLACK_S
                time.sleep(0.002)
    finally:
        for child in children:
            child.__exit__()


def _is_shared(log_dir, members, partitions):
    from pylog.group.protocol import decode_assignment

    group = peek(log_dir, "g")
    if group is None or group.state != "Stable" or len(group.members) != members:
        return False
    shares = [decode_assignment(m.assignment).partitions for m in group.members.values()]
    return all(shares) and sum(map(len, shares)) == partitions
