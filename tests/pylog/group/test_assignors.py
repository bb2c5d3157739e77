"""The assignors: what Kafka's own tests say of them, and its properties on random groups.

Facts are of Kafka's RangeAssignorTest, RoundRobinAssignorTest, AbstractStickyAssignorTest,
StickyAssignorTest and CooperativeStickyAssignorTest. tests/peers/test_assignors.py compares with
Kafka's classes themselves.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from pylog.errors import KafkaError, KafkaException
from pylog.group.assignors import (
    STRATEGIES,
    MemberSubscription,
    assign,
    is_cooperative,
    user_data_for,
)

Partition = tuple[str, int]
STICKY = ["sticky", "cooperative-sticky"]


def partitions(text: str) -> tuple[Partition, ...]:
    """Partitions of words like t0."""
    return tuple(sorted((word[:-1], int(word[-1])) for word in text.split()))


def words(found: Mapping[str, Sequence[Partition]]) -> dict[str, str]:
    return {
        member: " ".join(f"{topic}{number}" for topic, number in assigned)
        for member, assigned in sorted(found.items())
    }


def member(
    name: str, topics: str, owned: str | None = None, generation: int = 1, strategy: str = "sticky"
) -> MemberSubscription:
    """A member as it joins: with what it had, where the strategy looks for it."""
    had = None if owned is None else partitions(owned)
    return MemberSubscription(
        name,
        tuple(topics.split()),
        (had or ()) if is_cooperative(strategy) else (),
        -1 if had is None else generation,
        None,
        user_data_for(strategy, had, -1 if had is None else generation),
    )


# ---- range ----


@pytest.mark.parametrize(
    ("topics", "counts", "expected"),
    [
        ({"a": "t"}, {}, {"a": ""}),
        ({"a": ""}, {"t": 3}, {"a": ""}),
        ({"a": "t"}, {"t": 3, "u": 3}, {"a": "t0 t1 t2"}),
        ({"a": "t", "b": "t"}, {"t": 1}, {"a": "t0", "b": ""}),
        ({"a": "t", "b": "t"}, {"t": 2}, {"a": "t0", "b": "t1"}),
        (
            {"a": "t", "b": "t u", "c": "t"},
            {"t": 3, "u": 2},
            {"a": "t0", "b": "t1 u0 u1", "c": "t2"},
        ),
        ({"a": "t u", "b": "t u"}, {"t": 3, "u": 3}, {"a": "t0 t1 u0 u1", "b": "t2 u2"}),
        ({"a": "t t", "b": "t"}, {"t": 3}, {"a": "t0 t1", "b": "t2"}),
    ],
)
def test_range_gives_each_member_one_run_of_each_topic(topics, counts, expected):
    members = [member(name, names) for name, names in topics.items()]
    assert words(assign("range", members, counts)) == expected


def test_range_puts_static_members_first_by_their_instance_id():
    def static(name: str, instance_id: str | None) -> MemberSubscription:
        return MemberSubscription(name, ("t", "u"), instance_id=instance_id)

    before = [static("1", "b"), static("2", "a"), static("0", None)]
    after = [static("8", "b"), static("9", "a"), static("7", None)]  # started again
    assert words(assign("range", before, {"t": 4, "u": 4})) == {
        "0": "t3 u3", "1": "t2 u2", "2": "t0 t1 u0 u1",
    }  # fmt: skip
    assert words(assign("range", after, {"t": 4, "u": 4})) == {
        "7": "t3 u3", "8": "t2 u2", "9": "t0 t1 u0 u1",
    }  # fmt: skip


# ---- roundrobin ----


@pytest.mark.parametrize(
    ("topics", "counts", "expected"),
    [
        ({"a": "t"}, {}, {"a": ""}),
        ({"a": "t u"}, {"t": 1, "u": 2}, {"a": "t0 u0 u1"}),
        ({"a": "t", "b": "t"}, {"t": 2}, {"a": "t0", "b": "t1"}),
        ({"a": "t", "b": "t u", "c": "t"}, {"t": 3, "u": 2},
         {"a": "t0", "b": "t1 u0 u1", "c": "t2"}),
        ({"a": "t u", "b": "t u"}, {"t": 3, "u": 3}, {"a": "t0 t2 u1", "b": "t1 u0 u2"}),
        ({"a": "t", "b": "t u", "c": "t u v"}, {"t": 1, "u": 2, "v": 3},
         {"a": "t0", "b": "u0", "c": "u1 v0 v1 v2"}),
    ],
)  # fmt: skip
def test_roundrobin_deals_out_one_by_one(topics, counts, expected):
    members = [member(name, names) for name, names in topics.items()]
    assert words(assign("roundrobin", members, counts)) == expected


# ---- sticky ----


@pytest.mark.parametrize("strategy", STICKY)
@pytest.mark.parametrize(
    ("members", "counts", "expected"),
    [
        ([("a", "t", None)], {}, {"a": ""}),
        ([("a", "", None), ("b", "t", None)], {"t": 2}, {"a": "", "b": "t0 t1"}),
        ([("a", "t", None), ("b", "t", None)], {"t": 1}, {"a": "t0", "b": ""}),
        ([("a", "t u", None), ("b", "t u", None)], {"t": 3, "u": 3},
         {"a": "t0 t2 u1", "b": "t1 u0 u2"}),
        ([("a", "t", None), ("b", "t u", None), ("c", "t", None)], {"t": 3, "u": 2},
         {"a": "t0 t2", "b": "u0 u1", "c": "t1"}),
        # one has its share and gets one more
        ([("a", "t u", "t0 u1"), ("b", "t u", "t1 u2")], {"t": 2, "u": 3},
         {"a": "t0 u0 u1", "b": "t1 u2"}),
        # all are below their share
        ([("a", "t u", "t0"), ("b", "t u", "t1"), ("c", "t u", None)], {"t": 2, "u": 3},
         {"a": "t0 u1", "b": "t1 u2", "c": "u0"}),
        # a member left
        ([("b", "t", "t2")], {"t": 3}, {"b": "t0 t1 t2"}),
        # a topic was deleted, another has fewer partitions than it had
        ([("a", "t u", "t0 t1 u0"), ("b", "t u", "t2 u1")], {"t": 2}, {"a": "t0", "b": "t1"}),
        # no longer subscribed
        ([("a", "u", "t0"), ("b", "t u", "u0 u1")], {"t": 1, "u": 2}, {"a": "u0", "b": "t0 u1"}),
    ],
)  # fmt: skip
def test_sticky_gives_what_kafka_gives(strategy, members, counts, expected):
    joined = [member(*given, strategy=strategy) for given in members]
    found = assign(strategy, joined, counts)
    if is_cooperative(strategy):  # and again when all have given up what they must
        found = assign(strategy, rejoin(joined, found, 2, strategy), counts)
    assert words(found) == expected


def test_sticky_takes_from_the_fullest_only_and_cooperative_gives_it_a_round_later():
    def group(strategy: str) -> list[MemberSubscription]:
        had = [("a", "t0 u0"), ("b", "t1 u1"), ("c", None)]
        return [member(name, "t u", owned, strategy=strategy) for name, owned in had]

    counts = {"t": 2, "u": 2}
    assert words(assign("sticky", group("sticky"), counts)) == {
        "a": "t0 u0", "b": "t1", "c": "u1",
    }  # fmt: skip
    joined = group("cooperative-sticky")
    first = assign("cooperative-sticky", joined, counts)
    assert words(first) == {"a": "t0 u0", "b": "t1", "c": ""}
    second = assign("cooperative-sticky", rejoin(joined, first, 2), counts)
    assert words(second) == {"a": "t0 u0", "b": "t1", "c": "u1"}


@pytest.mark.parametrize("strategy", STICKY)
@pytest.mark.parametrize("stale", [9, 8, -1])
def test_a_stale_claim_loses_to_a_newer_generation(strategy: str, stale: int):
    members = [
        member("a", "t u", "t0 t2 u1", 10, strategy),
        member("b", "t u", "t0 t2 u1", stale, strategy),
    ]
    found = assign(strategy, members, {"t": 3, "u": 3})
    assert words(found) == {"a": "t0 t2 u1", "b": "t1 u0 u2"}


@pytest.mark.parametrize("strategy", STICKY)
def test_a_claim_that_nobody_else_makes_counts_in_whatever_generation(strategy: str):
    had = [("a", "t0 u0 v0", 10), ("b", "t1 u1 v1", 9), ("c", "u1 v0 v2", 8)]
    members = [member(name, "t u v", owned, at, strategy) for name, owned, at in had]
    found = assign(strategy, members, {"t": 3, "u": 3, "v": 3})
    assert words(found) == {"a": "t0 u0 v0", "b": "t1 u1 v1", "c": "t2 u2 v2"}


def test_of_two_claims_in_one_generation_neither_counts():
    def group(strategy: str) -> list[MemberSubscription]:
        had = [("a", "t0 t1"), ("b", "t0 t2"), ("c", "")]
        return [member(name, "t", owned, strategy=strategy) for name, owned in had]

    assert words(assign("sticky", group("sticky"), {"t": 4})) == {
        "a": "t1 t3", "b": "t2", "c": "t0",
    }  # fmt: skip
    # Both may still be reading it.
    assert words(assign("cooperative-sticky", group("cooperative-sticky"), {"t": 4})) == {
        "a": "t1 t3", "b": "t2", "c": "",
    }  # fmt: skip


def test_cooperative_does_not_give_to_an_old_claimant_what_the_owner_reads():
    # Kafka's own gives t0 to the stale claimant at once, for it finds it among its claims.
    members = [
        member("a", "t", "t0 t1 t2 t3 t4 t5 t6", 2, "cooperative-sticky"),
        member("b", "u", "u0 u1 u2", 2, "cooperative-sticky"),
        member("c", "t u", "t0 t1 t3", 1, "cooperative-sticky"),
    ]
    found = assign("cooperative-sticky", members, {"t": 7, "u": 3})
    assert found["c"] == []
    assert set(found["a"]) < set(members[0].owned)


@pytest.mark.parametrize("is_equal", [True, False])
def test_a_partition_goes_back_to_the_member_that_had_it_before(is_equal: bool):
    has_all = "t u v"
    members = [
        member("a", has_all if is_equal else "t", "t0 t1 t2 t3", 1),
        member("b", has_all, "t0 t1 t2 t3 u0 u1 u2 u3 v0 v1 v2 v3", 2),
        member("c", has_all if is_equal else "t u", "u0 u1 u2 u3", 1),
    ]
    found = assign("sticky", members, {"t": 4, "u": 4, "v": 4})
    assert [len(assigned) for assigned in found.values()] == [4, 4, 4]
    if not is_equal:
        assert words(found) == {"a": "t0 t1 t2 t3", "b": "v0 v1 v2 v3", "c": "u0 u1 u2 u3"}


def test_of_those_it_may_go_to_the_one_that_had_it_before_gets_it():
    members = [
        member("a", "t"),
        member("c", "t", "t0 t1", 1),
        member("d", "t u", "t0 t1 t2", 2),
    ]
    found = assign("sticky", members, {"t": 3, "u": 1})
    assert words(found) == {"a": "t2", "c": "t0 t1", "d": "u0"}


def test_two_members_do_not_swap_partitions_of_a_topic():
    # At first b takes t1 of a; then a has room and b too much: t1 goes back, not t0.
    members = [member("a", "t u", "t1 t3 u0 u1 u2 u3"), member("b", "t", "t0 t2"), member("c", "u")]
    found = assign("sticky", members, {"t": 4, "u": 4})
    assert set(partitions("t0 t2")) <= set(found["b"])
    assert [len(own) for own in found.values()] == [3, 3, 2]


def test_topics_stay_spread_when_members_come_and_go():
    counts = {"t": 12, "u": 12}

    def assigned_of_each(found: Mapping[str, Sequence[Partition]]) -> set[tuple[int, int]]:
        return {
            (sum(topic == "t" for topic, _ in own), sum(topic == "u" for topic, _ in own))
            for own in found.values()
        }

    found = assign("sticky", [member("a", "t u")], counts)
    for generation, names, each in [(1, "ab", 6), (2, "abcd", 3), (3, "cd", 6)]:
        joined = [
            MemberSubscription(
                name, ("t", "u"), user_data=user_data_for("sticky", found.get(name), generation)
            )
            for name in names
        ]
        found = assign("sticky", joined, counts)
        assert assigned_of_each(found) == {(each, each)}


def test_claims_that_cannot_be_read_count_for_nothing():
    members = [
        MemberSubscription("a", ("t",), user_data=b"garbage"),
        member("b", "t", "t0 t1"),
    ]
    assert words(assign("sticky", members, {"t": 2})) == {"a": "t1", "b": "t0"}
    members = [MemberSubscription("a", ("t",), partitions("t1"), user_data=b"?")]
    assert words(assign("cooperative-sticky", members, {"t": 2})) == {"a": "t0 t1"}


def test_an_old_member_says_its_generation_in_its_user_data():
    # A subscription of version 1 has owned partitions and no generation.
    old = MemberSubscription(
        "a", ("t",), partitions("t0 t1"), -1, user_data=user_data_for("cooperative-sticky", None, 3)
    )
    stale = member("b", "t", "t0 t1", 2, "cooperative-sticky")
    assert words(assign("cooperative-sticky", [old, stale], {"t": 2}))["b"] == ""


# ---- all ----


def test_a_strategy_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(KafkaException) as raised:
        assign("rnage", [member("a", "t")], {"t": 1})
    assert raised.value.args[0] == KafkaError._INVALID_ARG
    assert "'rnage' is none of range, roundrobin, sticky" in raised.value.args[0].str()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_members_get_nothing(strategy: str):
    assert assign(strategy, [], {"t": 3}) == {}


@pytest.mark.parametrize("is_equal", [True, False])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_large_groups_take_little_time(strategy: str, is_equal: bool):
    def cpu_s(count: int, per_topic: int, topics: int) -> float:
        source = random.Random(1)
        names = [f"t{index}" for index in range(topics)]
        some = max(2, topics * 2 // 3)
        members = [
            MemberSubscription(
                f"m{index}", tuple(names if is_equal else source.sample(names, some))
            )
            for index in range(count)
        ]
        counts = dict.fromkeys(names, per_topic)
        found = assign(strategy, members, counts)
        leaver_gone = rejoin(members, found, 1, strategy)[1:]
        start_s = time.process_time()
        assign(strategy, leaver_gone, counts)
        return time.process_time() - start_s

    assert cpu_s(count=100, per_topic=40, topics=50) < 1
    assert min(cpu_s(count=8, per_topic=16, topics=4) for _ in range(3)) < 0.005


# ---- random groups ----


def rejoin(
    members: Sequence[MemberSubscription],
    assigned: Mapping[str, Sequence[Partition]],
    generation: int,
    strategy: str = "cooperative-sticky",
) -> list[MemberSubscription]:
    """The members as they join after they got these assignments."""
    return [
        MemberSubscription(
            old.member_id,
            old.topics,
            tuple(assigned[old.member_id]) if is_cooperative(strategy) else (),
            generation,
            old.instance_id,
            user_data_for(strategy, assigned[old.member_id], generation),
        )
        for old in members
    ]


class RandomGroup:
    """Members that come, go, miss rebalances and change their topics."""

    def __init__(self, source: random.Random, strategy: str, is_equal: bool):
        self.source = source
        self.strategy = strategy
        self.is_equal = is_equal
        self.topics = [f"t{index}" for index in range(source.randint(1, 6))]
        self.counts = {topic: source.randint(1, 9) for topic in self.topics}
        self.generation = 0
        self.joined = 0
        self.members: list[MemberSubscription] = []
        for _ in range(source.randint(1, 10)):
            self.join()

    def join(self) -> None:
        self.joined += 1
        name = f"m{self.source.randrange(10**6):06}-{self.joined}"
        self.members.append(MemberSubscription(name, self.some_topics()))

    def some_topics(self) -> tuple[str, ...]:
        if self.is_equal:
            return tuple(self.topics)
        return tuple(self.source.sample(self.topics, self.source.randint(1, len(self.topics))))

    def rebalance(self, assigned: Mapping[str, Sequence[Partition]]) -> None:
        """Take over an assignment; some do not hear of it and keep what they had."""
        self.generation += 1
        joined = rejoin(self.members, assigned, self.generation, self.strategy)
        self.members = [
            old if self.source.random() < 0.05 else new
            for old, new in zip(self.members, joined, strict=True)
        ]

    def change(self) -> None:
        if len(self.members) > 1 and self.source.random() < 0.5:
            self.members.pop(self.source.randrange(len(self.members)))
        if self.source.random() < 0.5:
            self.join()
        if not self.is_equal and self.source.random() < 0.3:
            index = self.source.randrange(len(self.members))
            old = self.members[index]
            self.members[index] = MemberSubscription(
                old.member_id, self.some_topics(), old.owned, old.generation, None, old.user_data
            )
        if self.source.random() < 0.2:
            self.counts[self.source.choice(self.topics)] += 1


def random_groups(
    source: random.Random, strategy: str, is_equal: bool | None = None
) -> Iterator[RandomGroup]:
    for _ in range(60):
        chosen = source.random() < 0.5 if is_equal is None else is_equal
        yield RandomGroup(random.Random(source.getrandbits(32)), strategy, chosen)


def wanted(members: Sequence[MemberSubscription], counts: Mapping[str, int]) -> list[Partition]:
    subscribed = {topic for one in members for topic in one.topics}
    return [(topic, number) for topic in sorted(subscribed) for number in range(counts[topic])]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_partition_goes_to_one_member_that_subscribes_to_it(
    strategy: str, random_source: random.Random
):
    for group in random_groups(random_source, strategy):
        for _ in range(6):
            found = assign(strategy, group.members, group.counts)
            assert found.keys() == {one.member_id for one in group.members}
            for one in group.members:
                assert {topic for topic, _ in found[one.member_id]} <= set(one.topics)
            given = sorted(partition for own in found.values() for partition in own)
            if is_cooperative(strategy):
                assert len(given) == len(set(given))
                assert set(given) <= set(wanted(group.members, group.counts))
            else:
                assert given == wanted(group.members, group.counts)
            group.rebalance(found)
            group.change()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_order_in_which_members_are_named_changes_nothing(
    strategy: str, random_source: random.Random
):
    for group in random_groups(random_source, strategy):
        for _ in range(3):
            found = assign(strategy, group.members, group.counts)
            shuffled = group.source.sample(group.members, len(group.members))
            topics = group.source.sample(list(group.counts.items()), len(group.counts))
            assert assign(strategy, shuffled, dict(topics)) == found
            group.rebalance(found)
            group.change()


@pytest.mark.parametrize("strategy", ["roundrobin", "sticky"])
def test_equal_subscriptions_get_counts_that_differ_by_at_most_one(
    strategy: str, random_source: random.Random
):
    for group in random_groups(random_source, strategy, is_equal=True):
        for _ in range(6):
            found = assign(strategy, group.members, group.counts)
            sizes = [len(own) for own in found.values()]
            assert max(sizes) - min(sizes) <= 1
            group.rebalance(found)
            group.change()


def test_no_partition_can_go_to_a_subscriber_that_has_two_fewer(random_source: random.Random):
    for group in random_groups(random_source, "sticky", is_equal=False):
        for _ in range(6):
            found = assign("sticky", group.members, group.counts)
            for one in group.members:
                for owner, own in found.items():
                    if any(topic in one.topics for topic, _ in own):
                        assert len(own) <= len(found[one.member_id]) + 1, (owner, one.member_id)
            group.rebalance(found)
            group.change()


def test_equal_subscriptions_move_only_as_many_partitions_as_must(random_source: random.Random):
    for group in random_groups(random_source, "sticky", is_equal=True):
        found = assign("sticky", group.members, group.counts)
        for _ in range(6):
            group.generation += 1
            group.members = rejoin(group.members, found, group.generation, "sticky")
            group.change()
            had = {one.member_id: found.get(one.member_id, []) for one in group.members}
            found = assign("sticky", group.members, group.counts)
            share, over = divmod(sum(group.counts.values()), len(group.members))
            may_keep = sum(min(len(own), share) for own in had.values())
            may_keep += min(over, sum(len(own) > share for own in had.values()))
            kept = sum(len(set(own) & set(found[name])) for name, own in had.items())
            assert kept == may_keep


@pytest.mark.parametrize("strategy", STICKY)
def test_nothing_moves_when_nothing_changed(strategy: str, random_source: random.Random):
    for group in random_groups(random_source, strategy):
        found = assign(strategy, group.members, group.counts)
        again = assign(strategy, rejoin(group.members, found, 1, strategy), group.counts)
        assert again == found


def test_one_who_leaves_hands_over_and_the_others_keep_all_they_had(random_source: random.Random):
    for group in random_groups(random_source, "sticky"):
        if len(group.members) == 1:
            continue
        found = assign("sticky", group.members, group.counts)
        joined = rejoin(group.members, found, 1, "sticky")
        gone = joined.pop(group.source.randrange(len(joined)))
        after = assign("sticky", joined, group.counts)
        if group.is_equal:
            for one in joined:
                assert set(found[one.member_id]) <= set(after[one.member_id])
        else:  # others may have to make room for what only a few subscribe to
            moved = sum(
                len(set(found[one.member_id]) - set(after[one.member_id])) for one in joined
            )
            assert moved <= len(found[gone.member_id])


def test_cooperative_never_gives_away_what_another_member_may_still_read(
    random_source: random.Random,
):
    for group in random_groups(random_source, "cooperative-sticky"):
        for _ in range(6):
            found = assign("cooperative-sticky", group.members, group.counts)
            reads = {one.member_id: set(one.owned) for one in group.members}
            newest = max(one.generation for one in group.members)
            for one in group.members:
                added = set(found[one.member_id]) - reads[one.member_id]
                if one.generation == newest:
                    added = set(found[one.member_id])
                for other in group.members:
                    if other.member_id == one.member_id or other.generation < newest:
                        continue
                    assert not added & reads[other.member_id]
            group.rebalance(found)
            group.change()


def test_cooperative_comes_to_rest_with_all_given_out_and_balanced(random_source: random.Random):
    for group in random_groups(random_source, "cooperative-sticky"):
        for _ in range(4):
            members = group.members
            for _round in range(3):
                found = assign("cooperative-sticky", members, group.counts)
                group.generation += 1
                is_at_rest = all(set(one.owned) <= set(found[one.member_id]) for one in members)
                members = rejoin(members, found, group.generation)
                if is_at_rest:
                    break
            else:
                pytest.fail("still revoking in the third round")
            given = sorted(partition for own in found.values() for partition in own)
            assert given == wanted(members, group.counts)
            assert assign("cooperative-sticky", members, group.counts) == found
            group.members = members
            group.change()
