"""ConsumerGroup: members are led to a target, and no partition is ever with two of them."""

import random

import pytest

from pylog import KafkaError
from pylog.group import state_file
from pylog.group.consumer_group import ConsumerGroup
from pylog.group.consumer_member import (
    LEAVING_EPOCH,
    LEAVING_STATIC_EPOCH,
    ConsumerGroupState,
    ConsumerHeartbeat,
)
from pylog.group.group_types import GroupError, JoinRequest
from pylog.group.states import Group
from pylog.group.target_assignment import ASSIGNORS, Subscriber, assign

SESSION_MS = 1000
REBALANCE_MS = 500


class Topics:
    """Topics by name; their ids are their names in capitals."""

    def __init__(self, **counts):
        self.counts = counts

    def find(self, name):
        return (name.upper(), self.counts[name]) if name in self.counts else None

    def match(self, regex):
        return tuple(sorted(name for name in self.counts if name.startswith(regex)))


class Client:
    """A member that reads what it is told, and gives up when it gets to it."""

    def __init__(self, number, topics, instance_id=None):
        self.member_id, self.topics, self.instance_id = f"m{number}", topics, instance_id
        self.epoch = 0
        self.owned = frozenset()
        self.wanted = frozenset()

    def says(self):
        is_joining = self.epoch == 0
        return ConsumerHeartbeat(
            self.member_id,
            self.epoch,
            instance_id=self.instance_id,
            rebalance_timeout_ms=REBALANCE_MS if is_joining else -1,
            topics=self.topics if is_joining else None,
            owned=frozenset() if is_joining else self.owned,
        )

    def beat(self, group, topics, now_ms):
        try:
            member = group.heartbeat(self.says(), topics, ASSIGNORS, now_ms, 10)
        except GroupError as error:
            if error.code in (KafkaError.FENCED_MEMBER_EPOCH, KafkaError.UNKNOWN_MEMBER_ID):
                self.epoch, self.owned, self.wanted = 0, frozenset(), frozenset()
                return
            raise
        if self.epoch == 0:
            self.owned = frozenset()
        self.epoch, self.wanted = member.epoch, frozenset(member.assigned)

    def obey(self):
        self.owned = self.wanted


class Play:
    """A group and clients to which things happen by chance."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.group = ConsumerGroup(session_timeout_ms=SESSION_MS)
        self.topics = Topics(a=5, b=3)
        self.clients = []
        self.now_ms = 0

    def step(self, number):
        self.now_ms += self.chance.randrange(60)
        gone = self.group.expire(self.now_ms)
        for client in self.clients:  # told by nobody: it stops by its own clock
            if client.member_id in gone:
                client.epoch, client.owned, client.wanted = 0, frozenset(), frozenset()
        what = self.chance.random()
        if what < 0.06:
            self.come(number)
        elif what < 0.1:
            self.go()
        elif what < 0.12:
            self.topics.counts[self.chance.choice("ab")] += 1
        elif self.clients:
            client = self.chance.choice(self.clients)
            client.obey() if what < 0.5 else client.beat(self.group, self.topics, self.now_ms)

    def come(self, number):
        if len(self.clients) < 6:
            names = self.chance.choice([("a",), ("b",), ("a", "b")])
            instance_id = f"i{number}" if self.chance.random() < 0.3 else None
            self.clients.append(Client(number, names, instance_id))

    def go(self):
        if self.clients:
            gone = self.clients.pop(self.chance.randrange(len(self.clients)))
            if gone.epoch:
                self.group.leave(gone.member_id, gone.instance_id, LEAVING_EPOCH)

    def store(self):
        """Write the state down and read it again."""
        text = state_file.encode(Group("g", consumer=self.group), b"boot")
        again = state_file.decode(text, b"boot", "g")
        assert state_file.encode(again, b"boot") == text
        self.group = again.consumer
        for member in self.group.members.values():
            member.last_heard_ms = self.now_ms  # as the server would set it


@pytest.mark.parametrize("seed", range(30))
def test_no_partition_is_with_two_members_whatever_happens(seed):
    play = Play(seed)
    for number in range(300):
        play.step(number)
        held = [place for client in play.clients for place in client.owned | client.wanted]
        assert len(held) == len(set(held)), f"seed {seed}, step {number}"
        play.store()
    for _ in range(20):  # left in peace, it comes to rest
        for client in play.clients:
            client.beat(play.group, play.topics, play.now_ms)
            client.obey()
    reads = {name for client in play.clients for name in client.topics}
    owned = {place for client in play.clients for place in client.owned}
    assert owned == {
        (name.upper(), number) for name in reads for number in range(play.topics.counts[name])
    }
    at_rest = ConsumerGroupState.STABLE if play.clients else ConsumerGroupState.EMPTY
    assert play.group.state is at_rest


def test_a_member_is_put_out_when_it_is_silent_or_does_not_give_up():
    group, topics = ConsumerGroup(session_timeout_ms=SESSION_MS), Topics(a=4)
    first, second = Client(1, ("a",)), Client(2, ("a",))
    first.beat(group, topics, 0)
    first.obey()
    second.beat(group, topics, 100)
    first.beat(group, topics, 200)  # told to give up two, until 700
    assert group.next_deadline_ms() == 200 + REBALANCE_MS
    assert group.expire(200 + REBALANCE_MS - 1) == []
    assert group.expire(200 + REBALANCE_MS) == ["m1"]
    second.beat(group, topics, 800)
    assert len(second.wanted) == 4
    assert group.expire(800 + SESSION_MS) == []
    assert group.expire(800 + SESSION_MS + 1) == ["m2"]
    assert group.state is ConsumerGroupState.EMPTY


def test_a_heartbeat_that_says_nothing_new_is_no_news():
    group, topics = ConsumerGroup(), Topics(a=4)
    client = Client(1, ("a",))
    assert group.is_news(client.says(), topics)
    client.beat(group, topics, 0)
    client.obey()
    assert not group.is_news(client.says(), topics)
    topics.counts["a"] = 5
    assert group.is_news(client.says(), topics)


def test_a_static_member_that_is_away_keeps_what_it_had():
    group, topics = ConsumerGroup(), Topics(a=4)
    away, other = Client(1, ("a",), "i"), Client(2, ("a",))
    for client in (away, other, away, away, other, other):
        client.beat(group, topics, 0)
        client.obey()
    had = away.owned
    assert len(had) == 2
    group.leave("m1", "i", LEAVING_STATIC_EPOCH)
    other.beat(group, topics, 0)
    assert len(other.wanted) == 2
    back = Client(3, ("a",), "i")
    back.beat(group, topics, 0)
    assert back.wanted == had
    assert back.epoch == other.epoch


@pytest.mark.parametrize("assignor", ASSIGNORS)
def test_every_partition_has_one_reader_that_wants_it(assignor):
    members = {
        "a": Subscriber(frozenset({"X", "Y"})),
        "b": Subscriber(frozenset({"X"})),
        "c": Subscriber(frozenset({"Y", "gone"})),
        "d": Subscriber(frozenset()),
    }
    target = assign(assignor, members, {}, {"X": 5, "Y": 3})
    places = [place for share in target.values() for place in share]
    assert sorted(places) == [("X", n) for n in range(5)] + [("Y", n) for n in range(3)]
    for member_id, share in target.items():
        assert {topic for topic, _ in share} <= members[member_id].topics
    if assignor == "uniform":
        again = assign(
            assignor, members | {"e": Subscriber(frozenset({"X"}))}, target, {"X": 5, "Y": 3}
        )
        moved = sum(len(target[member_id] - again[member_id]) for member_id in target)
        assert moved <= 2


def test_groups_change_their_protocol_when_nobody_is_in_them():
    group = Group("g")
    request = JoinRequest("", "m", {"range": b""})
    group.join(request, 0)
    with pytest.raises(GroupError, match="GROUP_ID_NOT_FOUND"):
        group.enter_consumer_protocol()
    group.leave("m", None, 0)
    consumer = group.enter_consumer_protocol()
    client = Client(1, ("a",))
    client.beat(consumer, Topics(a=1), 0)
    with pytest.raises(GroupError, match="INCONSISTENT_GROUP_PROTOCOL"):
        group.join(request, 0)
    consumer.leave("m1", None, LEAVING_EPOCH)
    epoch = consumer.epoch
    group.join(request, 0)
    assert group.consumer is None
    assert group.generation == epoch + 1


def test_clients_of_a_server_and_programs_that_embed_the_log_do_not_mix():
    group = Group("g")
    group.join(JoinRequest("", "embedded", {"range": b""}, slot=3), 0)
    with pytest.raises(GroupError, match="programs that embed the log"):
        group.join(JoinRequest("", "client", {"range": b""}), 0)
    with pytest.raises(GroupError, match="INCONSISTENT_GROUP_PROTOCOL"):
        group.enter_consumer_protocol()
    group.leave("embedded", None, 0)
    group.join(JoinRequest("", "client", {"range": b""}), 0)
    with pytest.raises(GroupError, match="clients of a server"):
        group.join(JoinRequest("", "embedded", {"range": b""}, slot=3), 0)


def test_the_first_members_wait_for_each_other_if_wanted():
    group = Group("g")
    group.join(JoinRequest("", "a", {"range": b""}), 0, initial_delay_ms=100)
    assert group.join_result("a") is None
    assert group.next_deadline_ms() == 100
    group.join(JoinRequest("", "b", {"range": b""}), 60, initial_delay_ms=100)
    group.expire(159)
    assert group.join_result("a") is None
    group.expire(160)
    assert group.join_result("a").generation == group.join_result("b").generation == 1
    group.join(JoinRequest("", "c", {"range": b""}), 200, initial_delay_ms=100)
    group.join(JoinRequest("a", "", {"range": b""}), 200)
    group.join(JoinRequest("b", "", {"range": b""}), 200)
    assert group.join_result("c").generation == 2  # only the first ones wait
