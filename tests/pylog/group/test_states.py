"""The states of a group against a simple model, with members that lag, die, come back and lie.

The model knows who is a member, who has joined again, and who was shared out; the clients believe
what they were told last. After every step: the group is what the model says, its answers carry
Kafka's codes, and no two clients that may both commit hold the same partition.
"""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pylog import KafkaError
from pylog.group.group_types import GroupError, GroupState, JoinRequest
from pylog.group.states import Group

PARTITIONS = 5
SESSION_MS = 1000
REBALANCE_MS = 700
CLIENTS = st.integers(0, 3)
PROTOCOLS = st.sampled_from([("range",), ("range", "sticky"), ("sticky", "range"), ("sticky",)])


@dataclass
class Client:
    """What a member believes; clients 2 and 3 are static."""

    number: int
    member_id: str = ""
    generation: int = -1
    protocols: tuple[str, ...] = ("range",)
    step: str = "out"  # joining, syncing, stable
    holds: frozenset[int] = frozenset()
    life: int = 0

    @property
    def instance_id(self):
        return f"static-{self.number}" if self.number >= 2 else None


@dataclass
class Model:
    """The least that says what the group must be."""

    state: str = "Empty"
    generation: int = 0
    members: dict[str, Client] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    synced: set[str] = field(default_factory=set)
    heard_ms: dict[str, int] = field(default_factory=dict)
    leader: str = ""
    deadline_ms: int | None = None

    def begin(self, now_ms):
        if self.state != "PreparingRebalance":
            self.state, self.joined = "PreparingRebalance", set()
            self.deadline_ms = now_ms + REBALANCE_MS if self.members else now_ms

    def settle(self, now_ms):
        if self.state == "PreparingRebalance" and self.joined >= self.members.keys():
            self.complete(now_ms)

    def complete(self, now_ms):
        self.generation += 1
        self.synced = set()
        self.state = "CompletingRebalance" if self.members else "Empty"
        self.deadline_ms = now_ms + REBALANCE_MS if self.members else None
        if self.members and self.leader not in self.joined:
            self.leader = next(name for name in self.members if name in self.joined)

    def remove(self, names, now_ms):
        for name in names:
            del self.members[name]
            self.joined.discard(name)
            if self.leader == name:
                self.leader = next(iter(self.members), "")
        if names and self.state in ("Stable", "CompletingRebalance"):
            self.begin(now_ms)
        if names:
            self.settle(now_ms)

    def error(self, client, generation=None):
        """The code that this client's request meets, None when it is welcome."""
        if client.instance_id is not None:
            owners = [
                name for name, m in self.members.items() if m.instance_id == client.instance_id
            ]
            if owners and owners[0] != client.member_id:
                return KafkaError.FENCED_INSTANCE_ID
        if client.member_id not in self.members:
            return KafkaError.UNKNOWN_MEMBER_ID
        if generation is not None and generation != self.generation:
            return KafkaError.ILLEGAL_GENERATION
        return None


class GroupStates(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.group = Group("g")
        self.model = Model()
        self.clients = [Client(number) for number in range(4)]
        self.zombies = []
        self.now_ms = 0
        self.last_generation = 0
        self.shares = {}

    def refused(self, expected, call):
        """The call meets `expected` and changes nothing, or it succeeds where none is expected."""
        before = repr(self.group)
        try:
            call()
        except GroupError as error:
            assert error.code == expected, (error, expected)
            if error.code != KafkaError.REBALANCE_IN_PROGRESS:
                assert repr(self.group) == before
            return True
        assert expected is None, expected
        return False

    @rule(number=CLIENTS, protocols=PROTOCOLS)
    def join(self, number, protocols):
        client, model = self.clients[number], self.model
        client.holds = frozenset()  # eager: with empty hands
        client.life += 1
        request = JoinRequest(
            member_id=client.member_id,
            new_member_id=f"{number}.{client.life}",
            protocols={name: f"{name} of {number}".encode() for name in protocols},
            instance_id=client.instance_id,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
        )
        expected = None
        others = [
            set(m.protocols)
            for name, m in model.members.items()
            if name != client.member_id
            and not (client.instance_id and m.instance_id == client.instance_id)
        ]
        if others and not set(protocols).intersection(*others):
            expected = KafkaError.INCONSISTENT_GROUP_PROTOCOL
        elif client.member_id:
            expected = model.error(client)
        if self.refused(expected, lambda: self.group.join(request, self.now_ms)):
            if expected != KafkaError.INCONSISTENT_GROUP_PROTOCOL:
                client.member_id, client.step = "", "out"
            return
        self.joined(client, request, protocols)

    def joined(self, client, request, protocols):
        model = self.model
        old = next(
            (n for n, m in model.members.items()
             if client.instance_id and m.instance_id == client.instance_id), None
        )  # fmt: skip
        is_new = not client.member_id
        was = model.members.get(old if is_new and old else client.member_id)
        client.member_id = client.member_id or request.new_member_id
        client.protocols, client.step = protocols, "joining"
        mine = replace(client)
        if is_new and old is not None:
            model.members = {
                (client.member_id if name == old else name): (mine if name == old else m)
                for name, m in model.members.items()
            }
            if model.leader == old:
                model.leader = client.member_id
            if old in model.synced:
                model.synced.add(client.member_id)
            model.joined.discard(old)
            if old in self.shares:
                self.shares[client.member_id] = self.shares[old]
            rebalances = not (
                model.state == "Stable"
                and (self.group.protocol in was.protocols) == (self.group.protocol in protocols)
            )
        else:
            model.members[client.member_id] = mine
            model.leader = model.leader or client.member_id
            is_known = was is not None and was.protocols == protocols
            rebalances = not is_known or not (
                (model.state == "Stable" and model.leader != client.member_id)
                or model.state == "CompletingRebalance"
            )
        model.heard_ms[client.member_id] = self.now_ms
        if rebalances:
            model.begin(self.now_ms)
            if model.deadline_ms == self.now_ms:
                model.deadline_ms = self.now_ms + REBALANCE_MS
            model.joined.add(client.member_id)
            model.settle(self.now_ms)

    @rule(number=CLIENTS)
    def go_on(self, number):
        """The client looks what its join or sync led to, and takes the next step."""
        client, model = self.clients[number], self.model
        if client.step == "joining":
            self.look_at_join(client)
        elif client.step == "syncing":
            expected = model.error(client, client.generation)
            if expected is None and model.state == "PreparingRebalance":
                expected = KafkaError.REBALANCE_IN_PROGRESS
            found = []
            if self.refused(
                expected,
                lambda: found.append(
                    self.group.sync_result(client.member_id, client.instance_id, client.generation)
                ),
            ):
                client.step = "out"
            elif found[0] is not None:
                assert model.state == "Stable"
                client.step, client.holds = "stable", frozenset(found[0])
                assert client.holds == self.shares[client.member_id]
            else:
                assert model.state == "CompletingRebalance"

    def look_at_join(self, client):
        model, found = self.model, []
        expected = model.error(client)
        if expected is None and model.state == "PreparingRebalance":
            if client.member_id in model.joined:
                assert self.group.join_result(client.member_id, client.instance_id) is None
                return
            expected = KafkaError.REBALANCE_IN_PROGRESS
        call = lambda: found.append(self.group.join_result(client.member_id, client.instance_id))  # noqa: E731
        if self.refused(expected, call):
            client.step = "out"
            return
        result = found[0]
        assert (result.generation, result.leader) == (model.generation, model.leader)
        assert all(result.protocol in member.protocols for member in model.members.values())
        shares = {}
        is_sharing = client.member_id == model.leader and model.state == "CompletingRebalance"
        assert bool(result.members) == is_sharing
        if is_sharing:
            assert {name for name, _, _ in result.members} == model.members.keys()
            names = [name for name, _, _ in result.members]
            shares = {
                name: bytes(p for p in range(PARTITIONS) if names[p % len(names)] == name)
                for name in names
            }
        client.generation, client.step = result.generation, "syncing"
        self.group.sync(
            client.member_id, client.instance_id, client.generation, shares, self.now_ms
        )
        model.heard_ms[client.member_id] = self.now_ms
        model.synced.add(client.member_id)
        if is_sharing:
            model.state = "Stable"
            model.deadline_ms = self.now_ms + REBALANCE_MS
            self.shares = {name: frozenset(share) for name, share in shares.items()}

    @rule(order=st.permutations(range(4)), late=st.integers(0, 3))
    def all_but_some_follow(self, order, late):
        """Who is told to joins again, and looks, in some order; so that a group gets anywhere."""
        for number in order[late:]:
            client = self.clients[number]
            is_told = self.model.state == "PreparingRebalance" and client.step != "joining"
            if client.step == "out" or is_told:
                self.join(number, client.protocols)
        for number in order[late:]:
            self.go_on(number)

    @rule(number=CLIENTS)
    def heartbeat(self, number):
        client, model = self.clients[number], self.model
        expected = model.error(client, client.generation)
        if expected is None:
            model.heard_ms[client.member_id] = self.now_ms
            if model.state == "PreparingRebalance":
                expected = KafkaError.REBALANCE_IN_PROGRESS
        call = (client.member_id, client.instance_id, client.generation, self.now_ms)
        self.refused(expected, lambda: self.group.heartbeat(*call))

    @rule(number=CLIENTS)
    def leave(self, number):
        client, model = self.clients[number], self.model
        instance_id = client.instance_id if client.member_id else None
        expected = model.error(client) if client.member_id else KafkaError.UNKNOWN_MEMBER_ID
        if not self.refused(
            expected,
            lambda: self.group.leave(client.member_id, instance_id, self.now_ms),
        ):
            model.remove([client.member_id], self.now_ms)
        self.clients[number] = Client(number, life=client.life)

    @rule(number=CLIENTS)
    def begin_anew(self, number):
        """The program stops for a while, and another one takes its number (and its instance id)."""
        client = self.clients[number]
        self.zombies = [*self.zombies, client][-8:]
        self.clients[number] = Client(number, life=client.life + 1000)

    @rule(elapsed_ms=st.integers(1, 1500))
    def time_goes_by(self, elapsed_ms):
        model = self.model
        self.now_ms += elapsed_ms
        gone = [n for n in model.members if self.now_ms - model.heard_ms[n] > SESSION_MS]
        model.remove(gone, self.now_ms)
        if model.deadline_ms is not None and self.now_ms >= model.deadline_ms:
            if model.state == "PreparingRebalance":
                late = [
                    name
                    for name, member in model.members.items()
                    if name not in model.joined and member.instance_id is None
                ]
                gone += late
                for name in late:
                    del model.members[name]
                    if model.leader == name:
                        model.leader = next(iter(model.members), "")
                if not model.members or model.joined & model.members.keys():
                    model.complete(self.now_ms)
                else:
                    model.deadline_ms = self.now_ms + REBALANCE_MS
            else:
                late = [name for name in model.members if name not in model.synced]
                model.deadline_ms = None
                gone += late
                model.remove(late, self.now_ms)
        due_ms = self.group.next_deadline_ms()
        found = self.group.expire(self.now_ms)
        assert sorted(found) == sorted(gone)
        assert not gone or 0 <= due_ms <= self.now_ms

    def may_commit(self, client):
        try:
            self.group.check_commit(
                client.member_id, client.instance_id, client.generation, is_transactional=False
            )
        except GroupError as error:
            return error.code
        return None

    @rule(number=CLIENTS)
    def commit(self, number):
        client, model = self.clients[number], self.model
        expected = model.error(client, client.generation)
        if expected is None and model.state == "CompletingRebalance":
            expected = KafkaError.REBALANCE_IN_PROGRESS
        if client.generation < 0 and model.state == "Empty":
            expected = None
        assert self.may_commit(client) == expected

    @invariant()
    def the_group_is_what_the_model_says(self):
        group, model = self.group, self.model
        assert group.state == model.state
        assert group.generation == model.generation >= self.last_generation
        assert list(group.members) == list(model.members)
        self.last_generation = model.generation
        if model.members:
            assert group.leader == model.leader

    @invariant()
    def no_partition_has_two_who_may_commit(self):
        holders = [
            client
            for client in [*self.clients, *self.zombies]
            if client.holds and self.may_commit(client) is None
        ]
        held = [p for client in holders for p in client.holds]
        assert len(held) == len(set(held)), holders


GroupStates.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestGroupStates = GroupStates.TestCase


def request(name, member_id="", protocols=("range",), **more):
    return JoinRequest(member_id, name, {p: b"" for p in protocols}, **more)


def test_members_are_shared_out_by_the_leader_alone():
    group = Group("g")
    group.join(request("a"), 0)
    assert group.join_result("a").members == (("a", None, b""),)
    group.join(request("b"), 0)
    with pytest.raises(GroupError) as caught:
        group.heartbeat("a", None, 1, 0)
    assert caught.value.code == KafkaError.REBALANCE_IN_PROGRESS
    assert group.join_result("b") is None  # until a has joined again
    group.join(request("", "a"), 0)
    assert [name for name, _, _ in group.join_result("a").members] == ["a", "b"]
    assert group.join_result("b").members == ()
    group.sync("b", None, 2, {}, 0)
    assert group.sync_result("b", None, 2) is None
    group.sync("a", None, 2, {"a": b"1", "b": b"2"}, 0)
    assert group.sync_result("b", None, 2) == b"2"
    assert group.state is GroupState.STABLE


def test_members_vote_for_the_protocol_they_like_best():
    group = Group("g")
    group.join(request("a", protocols=("range", "sticky")), 0)
    group.join(request("b", protocols=("sticky", "range")), 0)
    group.join(request("c", protocols=("sticky", "range", "roundrobin")), 0)
    group.join(request("", "a", protocols=("range", "sticky")), 0)
    group.join(request("", "b", protocols=("sticky", "range")), 0)
    assert group.protocol == "sticky"
    with pytest.raises(GroupError) as caught:
        group.join(request("d", protocols=("roundrobin",)), 0)
    assert caught.value.code == KafkaError.INCONSISTENT_GROUP_PROTOCOL
    assert "range, sticky" in caught.value.reason


def test_a_static_member_that_comes_back_keeps_its_place_without_a_rebalance():
    group = Group("g")
    group.join(request("a", instance_id="one"), 0)
    group.sync("a", "one", 1, {"a": b"mine"}, 0)
    group.join(request("a2", instance_id="one"), 0)
    assert (group.state, group.generation) == (GroupState.STABLE, 1)
    assert group.sync_result("a2", "one", 1) == b"mine"
    with pytest.raises(GroupError) as caught:
        group.check_commit("a", "one", 1, is_transactional=False)
    assert caught.value.code == KafkaError.FENCED_INSTANCE_ID


def test_a_stranger_commits_to_an_idle_group_only():
    group = Group("g")
    group.check_commit("", None, -1, is_transactional=False)
    group.join(request("a"), 0)
    with pytest.raises(GroupError) as caught:
        group.check_commit("", None, -1, is_transactional=False)
    assert caught.value.code == KafkaError.UNKNOWN_MEMBER_ID
    group.check_commit("", None, -1, is_transactional=True)  # as a producer without membership


def test_a_group_is_not_larger_than_its_bound():
    group = Group("g")
    for number in range(1000):
        group.join(request(f"m{number}"), 0)
    with pytest.raises(GroupError) as caught:
        group.join(request("one more"), 0)
    assert caught.value.code == KafkaError.GROUP_MAX_SIZE_REACHED
