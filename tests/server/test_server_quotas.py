"""Client quotas: whose counts, how long a client rests, and that nothing is lost meanwhile."""

import itertools
import time

import pytest
from confluent_kafka import Consumer, Producer
from produced import (
    TOPICS,
    create,
    fetch_request,
    make_batch,
    partitions_of,
    produce,
    values_of,
    wanted,
)
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.quota_store import QuotaStore
from pylog.server.quotas import Quotas
from pylog.server.rates import Rate, TokenBucket
from pylog.testing import Server

DESCRIBE, ALTER, METADATA, DELETE, GROW = api(48), api(49), api(3), api(20), api(37)
TOO_MANY = KafkaError.THROTTLING_QUOTA_EXCEEDED
PRODUCER, CONSUMER = "producer_byte_rate", "consumer_byte_rate"
INVALID = KafkaError.INVALID_REQUEST


@pytest.fixture
def client(server):
    with WireClient(server) as client:
        yield client
        store = server.broker.quotas.store
        store.change([(entity, key, None) for entity, keys in store.quotas.items() for key in keys])


def alter(client, *entries, validate_only=False, version=1):
    """Each entry is a dict of names by type, and (key, value or None) pairs."""
    made = [
        ALTER.RequestEntryData(
            entity=[ALTER.RequestEntityData(entity_type=kind, entity_name=name)
                    for kind, name in entity],
            ops=[ALTER.OpData(key=key, value=value or 0.0, remove=value is None)
                 for key, value in changes],
        )
        for entity, changes in entries
    ]  # fmt: skip
    request = ALTER.AlterClientQuotasRequest(entries=made, validate_only=validate_only)
    return [(each.error_code, each.error_message) for each in client.ask(request, version).entries]


def describe(client, *components, strict=False, version=1):
    made = [
        DESCRIBE.ComponentData(entity_type=kind, match_type=match, match=name)
        for kind, match, name in components
    ]
    request = DESCRIBE.DescribeClientQuotasRequest(components=made, strict=strict)
    response = client.ask(request, version)
    if response.error_code:
        return response.error_code, response.error_message
    return {
        tuple((part.entity_type, part.entity_name) for part in entry.entity): {
            value.key: value.value for value in entry.values
        }
        for entry in response.entries
    }


# ---- kept and told ----


@pytest.mark.parametrize("version", [0, 1])
def test_quotas_are_set_described_and_taken_away(client, version):
    entries = [
        ([("user", "a")], [(PRODUCER, 1000.0), ("request_percentage", 1.5)]),
        ([("user", None)], [(CONSUMER, 5.0)]),
        ([("user", "a"), ("client-id", "c, d/=")], [(PRODUCER, 7.0)]),
        ([("ip", "10.0.0.1")], [("connection_creation_rate", 3.0)]),
    ]
    assert alter(client, *entries, version=version) == [(0, None)] * 4
    found = describe(client, version=version)
    assert found == {tuple(entity): dict(changes) for entity, changes in entries}
    both = (("user", "a"), ("client-id", "c, d/="))
    assert set(describe(client, ("user", 0, "a"))) == {(("user", "a"),), both}
    assert set(describe(client, ("user", 0, "a"), strict=True)) == {(("user", "a"),)}
    assert set(describe(client, ("user", 1, None))) == {(("user", None),)}
    assert len(describe(client, ("user", 2, None))) == 3
    assert set(describe(client, ("user", 2, None), ("client-id", 2, None))) == {both}
    assert describe(client, strict=True) == {}
    gone = [(entity, [(key, None) for key, _ in changes]) for entity, changes in entries]
    assert alter(client, *gone) == [(0, None)] * 4
    assert describe(client) == {}


def test_to_validate_changes_nothing(client):
    assert alter(client, ([("user", "a")], [(PRODUCER, 1.0)]), validate_only=True) == [(0, None)]
    assert describe(client) == {}


@pytest.mark.parametrize(
    ("entity", "change", "message"),
    [
        ([("user", "a")], ("nope", 1.0), "Invalid configuration key nope"),
        ([("user", "a")], (PRODUCER, -1.0), f"Quota {PRODUCER} must be greater than 0"),
        ([("user", "a")], (PRODUCER, 1e-9), f"{PRODUCER} cannot be a fractional value."),
        ([("user", "a")], (PRODUCER, 1.5), f"{PRODUCER} cannot be a fractional value."),
        ([("user", "a")], (PRODUCER, float("nan")), f"Quota {PRODUCER} must be greater than 0"),
        ([("user", "a")], (PRODUCER, float("inf")), f"Quota {PRODUCER} must be greater than 0"),
        ([("nope", "a")], (PRODUCER, 1.0), "Unhandled client quota entity type: nope"),
        ([("user", "")], (PRODUCER, 1.0), "Empty user not supported"),
        ([], (PRODUCER, 1.0), "Invalid empty client quota entity"),
        ([("user", "a"), ("user", "b")], (PRODUCER, 1.0), "user appears more than once"),
        ([("ip", "a")], ("connection_creation_rate", 1.0),
         "a is not a valid IP or resolvable host."),
        ([("ip", "1.2.3.4")], (PRODUCER, 1.0), f"Invalid configuration key {PRODUCER}"),
    ],
)  # fmt: skip
def test_quotas_that_make_no_sense_are_refused_alone(client, entity, change, message):
    found = alter(client, (entity, [change]), ([("user", "right")], [(PRODUCER, 9.0)]))
    assert found == [(INVALID, message), (0, None)]
    assert describe(client) == {(("user", "right"),): {PRODUCER: 9.0}}


@pytest.mark.parametrize(
    ("component", "code"),
    [
        ([("nope", 0, "a")], KafkaError.UNSUPPORTED_VERSION),
        ([("user", 7, "a")], INVALID),
        ([("user", 0, None)], INVALID),
        ([("user", 1, "x")], INVALID),
        ([("user", 2, "x")], INVALID),
        ([("", 0, "a")], INVALID),
        ([("user", 0, "a"), ("user", 0, "b")], INVALID),
        ([("ip", 2, None), ("user", 2, None)], INVALID),
    ],
)
def test_filters_that_make_no_sense_are_refused(client, component, code):
    assert describe(client, *component)[0] == code


def test_quotas_outlive_the_server_and_a_damaged_line(tmp_path):
    store = QuotaStore(str(tmp_path))
    entity = frozenset({("user", "ü/=,:%"), ("client-id", None)})
    store.change([(entity, PRODUCER, 5.0)])
    with open(tmp_path / ".server.quotas", "a") as file:
        file.write("nonsense=1\nuser:a/producer_byte_rate=x\n")
    assert QuotaStore(str(tmp_path)).quotas == {entity: {PRODUCER: 5.0}}


# ---- whose counts ----


def test_the_most_particular_quota_counts(tmp_path):
    store = QuotaStore(str(tmp_path))
    quotas = Quotas(store)
    steps = [
        [("client-id", None)],
        [("client-id", "c")],
        [("user", None)],
        [("user", None), ("client-id", None)],
        [("user", None), ("client-id", "c")],
        [("user", "u")],
        [("user", "u"), ("client-id", None)],
        [("user", "u"), ("client-id", "c")],
    ]
    for number, entity in enumerate(steps, 1):
        store.change([(frozenset(entity), PRODUCER, float(number))])
        found = quotas._find(PRODUCER, "u", "c")
        assert found is not None
        assert found[1] == number
    assert quotas._find(CONSUMER, "u", "c") is None


def test_a_default_gives_each_client_its_own_share(tmp_path):
    store = QuotaStore(str(tmp_path))
    store.change([(frozenset({("user", None)}), PRODUCER, 1.0)])
    quotas = Quotas(store)
    one, other = (quotas._find(PRODUCER, user, "c") for user in ("a", "b"))
    assert one != other
    assert quotas._find(PRODUCER, "a", "d") == one


# ---- rates ----


def test_a_rate_within_its_bound_rests_never():
    rate = Rate(1.0, 11)
    for second in range(100):
        rate.record(100, second)
        assert rate.throttle_s(100 * 1.2, second) == 0


def test_who_rests_as_long_as_told_keeps_to_the_bound():
    rate, now_s, sent = Rate(1.0, 11), 0.0, 0
    for _ in range(500):
        rate.record(1000, now_s)
        sent += 1000
        now_s += rate.throttle_s(500, now_s) + 0.001
    assert 0.8 * 500 <= sent / now_s <= 1.25 * 500


def test_nobody_rests_longer_than_all_windows():
    rate = Rate(1.0, 11)
    rate.record(10**12, 0.0)
    assert rate.throttle_s(1, 0.0) == 11


# ---- felt ----


def fill(client, name, count, size):
    create(client, name)
    for _ in range(count):
        assert produce(client, name, make_batch(b"x" * size)).error_code == 0


def ask_until_told_to_rest(client, request, version):
    """All answers; only the last one says for how long."""
    answers = [client.ask(request, version)]
    while not answers[-1].throttle_time_ms:
        answers.append(client.ask(request, version))
    return answers


def test_a_consumer_is_told_to_rest_and_is_not_read_from_until_then(server, client):
    fill(client, "felt", 1, 10_000)
    alter(client, ([("client-id", "greedy")], [(CONSUMER, 4000.0)]))
    request = fetch_request(("felt", [wanted(0, 0)]))
    with WireClient(server, "greedy") as greedy, WireClient(server, "modest") as modest:
        rest_ms = ask_until_told_to_rest(greedy, request, 11)[-1].throttle_time_ms
        begun_s = time.monotonic()
        greedy.send(request, 11)
        assert modest.ask(request, 11).throttle_time_ms == 0
        alter(client, ([("client-id", "greedy")], [(CONSUMER, None)]))
        assert greedy.receive().throttle_time_ms == 0
        assert time.monotonic() - begun_s >= rest_ms / 1000 - 0.05


def test_a_fetch_over_the_quota_has_no_records_and_gets_them_later(server, client):
    fill(client, "later", 1, 10_000)
    alter(client, ([("client-id", "greedy-later")], [(CONSUMER, 4000.0)]))
    with WireClient(server, "greedy-later") as greedy:
        *full, empty = ask_until_told_to_rest(greedy, fetch_request(("later", [wanted(0, 0)])), 12)
    assert len(full) == 3  # 40,000 bytes are allowed in ten seconds, with what is around them
    for answer in full:
        assert values_of(partitions_of(answer)[0]) == [b"x" * 10_000]
    assert (empty.error_code, empty.responses) == (0, [])
    alter(client, ([("client-id", "greedy-later")], [(CONSUMER, None)]))
    with WireClient(server, "greedy-later") as greedy:
        (answer,) = partitions_of(greedy.ask(fetch_request(("later", [wanted(0, 0)])), 12))
        assert values_of(answer) == [b"x" * 10_000]


def test_a_session_that_begins_over_the_quota_does_not_begin(server, client):
    fill(client, "begins", 1, 10_000)
    alter(client, ([("client-id", "greedy-begins")], [(CONSUMER, 4000.0)]))
    count = len(server.broker.fetch_sessions)
    request = fetch_request(("begins", [wanted(0, 0)]), session_epoch=0)
    with WireClient(server, "greedy-begins") as greedy:
        *full, empty = ask_until_told_to_rest(greedy, request, 12)
    assert all(answer.session_id for answer in full)
    assert empty.session_id == 0
    assert len(server.broker.fetch_sessions) == count + len(full)


def test_a_session_that_goes_on_says_later_what_the_quota_held_back(server, client):
    """Of two partitions one fills an answer, and of the other only its high watermark is told."""
    create(client, "goes-on", 2)
    with WireClient(server, "greedy-goes-on") as greedy:
        asked = ("goes-on", [wanted(0, 0), wanted(1, 0)])
        begun = greedy.ask(fetch_request(asked, session_epoch=0), 12)
        assert [one.high_watermark for one in partitions_of(begun)] == [0, 0]

        def go_on(epoch):
            request = fetch_request(session_id=begun.session_id, session_epoch=epoch, max_bytes=1)
            return greedy.ask(request, 12)

        assert go_on(1).responses == []
        for partition in (0, 1):
            assert produce(client, "goes-on", make_batch(b"y"), partition=partition).error_code == 0
        alter(client, ([("client-id", "greedy-goes-on")], [("request_percentage", 1e-6)]))
        held_back = go_on(2)
        assert held_back.throttle_time_ms > 0
        assert (held_back.session_id, held_back.responses) == (begun.session_id, [])
        alter(client, ([("client-id", "greedy-goes-on")], [("request_percentage", None)]))
        assert [one.high_watermark for one in partitions_of(go_on(3))] == [1, 1]


def test_less_than_half_a_millisecond_is_no_rest_and_withholds_nothing(server, client, monkeypatch):
    fill(client, "hardly", 1, 1000)
    monkeypatch.setattr(server.broker.quotas, "_clock", lambda: 1000.0)
    whose = frozenset({("client-id", "hardly")})
    store = server.broker.quotas.store
    store.change([(whose, CONSUMER, 1e9)])
    with WireClient(server, "hardly") as hardly:
        request = fetch_request(("hardly", [wanted(0, 0)]), session_epoch=0)
        hardly.ask(request, 12)
        rate = server.broker.quotas._rates[CONSUMER, whose]
        size = rate.total(1000.0)
        rate.record(18 * size, 1000.0)
        store.change([(whose, CONSUMER, 2 * size / 1.00003)])  # 20 answers in 10 s, and 0.3 ms
        answer = hardly.ask(request, 12)
        assert rate.total(1000.0) == 20 * size
        assert answer.throttle_time_ms == 0
        assert values_of(partitions_of(answer)[0]) == [b"x" * 1000]
        next_one = fetch_request(session_id=answer.session_id, session_epoch=1, max_bytes=1)
        store.change([(whose, CONSUMER, None)])
        assert hardly.ask(next_one, 12).error_code == 0


def test_a_batch_that_no_window_allows_comes_all_the_same(server, client):
    fill(client, "large", 2, 100_000)
    alter(client, ([("client-id", "greedy-large")], [(CONSUMER, 1000.0)]))
    with WireClient(server, "greedy-large") as greedy:
        answer = greedy.ask(fetch_request(("large", [wanted(0, 0)])), 12)
        assert [len(value) for value in values_of(partitions_of(answer)[0])] == [100_000]
        assert answer.throttle_time_ms == 11_000


@pytest.mark.kafka_server(properties={"quota.window.num": "2"})
def test_a_consumer_with_a_quota_gets_all_of_a_log_that_is_larger(kafka_server):
    with WireClient(kafka_server) as client:
        fill(client, "all", 40, 20_000)
        alter(client, ([("client-id", None)], [(CONSUMER, 400_000.0)]))
    config = {"bootstrap.servers": kafka_server.bootstrap_servers, "auto.offset.reset": "earliest"}
    consumer = Consumer(config | {"group.id": "g"})
    consumer.subscribe(["all"])
    begun_s = time.monotonic()
    assert len([one for one in consumer.consume(40, 60) if one.error() is None]) == 40
    assert time.monotonic() - begun_s > 1  # 800,000 bytes
    consumer.close()


def test_a_producer_over_its_quota_loses_nothing(server, client):
    alter(client, ([("user", None)], [(PRODUCER, 1_000_000.0)]))
    config = {"bootstrap.servers": server.bootstrap_servers, "compression.type": "none"}
    rests = []
    producer = Producer(
        config | {"throttle_cb": lambda event: rests.append(event.throttle_time), "linger.ms": 0}
    )
    for _ in range(130):
        producer.produce("rested", b"x" * 100_000)
        producer.poll(0)
    assert producer.flush(60) == 0
    producer.poll(0)
    assert any(rests)
    consumer = Consumer(config | {"group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["rested"])
    assert len([one for one in consumer.consume(130, 20) if one.error() is None]) == 130
    consumer.close()


# ---- time ----


def test_who_takes_too_much_time_rests_and_no_other_does(server, client):
    alter(client, ([("client-id", "busy")], [("request_percentage", 0.01)]))
    request = METADATA.MetadataRequest(topics=[])
    with WireClient(server, "busy") as busy, WireClient(server, "other") as other:
        rest_ms = ask_until_told_to_rest(busy, request, 12)[-1].throttle_time_ms
        assert 0 < rest_ms <= 1000  # one window at most
        begun_s = time.monotonic()
        busy.send(request, 12)
        assert other.ask(request, 12).throttle_time_ms == 0
        busy.receive()
        assert time.monotonic() - begun_s >= rest_ms / 1000 - 0.05


def test_waiting_takes_no_time(server, client):
    """One second of ten is 10 per cent."""
    create(client, "waited")
    alter(client, ([("client-id", "patient")], [("request_percentage", 5.0)]))
    request = fetch_request(("waited", [wanted(0, 0)]), max_wait_ms=1000, min_bytes=1)
    with WireClient(server, "patient") as patient:
        begun_s = time.monotonic()
        assert patient.ask(request, 12).throttle_time_ms == 0
        assert time.monotonic() - begun_s > 0.9


def test_waiting_that_began_before_there_was_a_quota_takes_no_time(server, client):
    create(client, "early")
    request = fetch_request(("early", [wanted(0, 0)]), max_wait_ms=1000, min_bytes=1)
    with WireClient(server, "early-bird") as early:
        early.send(request, 12)
        while not server.call(lambda: len(server.broker.delayed)):
            pass
        alter(client, ([("client-id", "early-bird")], [("request_percentage", 5.0)]))
        assert early.receive().throttle_time_ms == 0


def test_what_a_thread_does_for_a_request_is_time_of_it(server, client):
    """A topic of a hundred partitions takes a thread many milliseconds, and the loop one or two."""
    alter(client, ([("client-id", "maker")], [("request_percentage", 100.0)]))
    with WireClient(server, "maker") as maker:
        begun_ns = time.monotonic_ns()
        create(maker, "made", 100)
        took_ns = time.monotonic_ns() - begun_ns
    entity = frozenset({("client-id", "maker")})
    rate = server.broker.quotas._rates["request_percentage", entity]
    counted_ns = rate.total(time.monotonic()) * 1e7  # of percent of a second
    assert 0.5 * took_ns < counted_ns <= took_ns


def test_time_of_other_quotas_costs_nothing(tmp_path):
    store = QuotaStore(str(tmp_path))
    quotas = Quotas(store)
    store.change([(frozenset({("ip", "::1")}), "connection_creation_rate", 1.0)])
    assert (quotas.is_active, quotas.is_timed) == (False, False)
    store.change([(frozenset({("user", "a")}), CONSUMER, 1.0)])
    assert (quotas.is_active, quotas.is_timed) == (True, False)
    store.change([(frozenset({("user", "a")}), "request_percentage", 1.0)])
    assert (quotas.is_active, quotas.is_timed) == (True, True)


# ---- partitions ----


def test_a_bucket_fills_up_to_its_burst_and_may_owe():
    bucket = TokenBucket(10.0)
    assert bucket.tokens(2.0, 100.0) == 20
    bucket.take(25, 2.0, 100.0)
    assert bucket.tokens(2.0, 100.0) == -5
    assert bucket.tokens(2.0, 101.5) == -2
    assert bucket.tokens(2.0, 1000.0) == 20


@pytest.fixture
def limited(server, client):
    """A client that may change ten partitions a second, of which it has 110 at first."""
    name = f"maker-{next(_numbers)}"
    alter(client, ([("client-id", name)], [("controller_mutation_rate", 10.0)]))

    def ask(request, version):
        with WireClient(server, name) as maker:  # a new one, for those that rest are not read
            return maker.ask(request, version)

    ask.name = name
    return ask


_numbers = itertools.count()


def make_topics(*counts, validate_only=False):
    topics = [
        TOPICS.CreatableTopic(name=name, num_partitions=count, replication_factor=1)
        for name, count in counts
    ]
    return TOPICS.CreateTopicsRequest(topics=topics, timeout_ms=9, validate_only=validate_only)


def test_topics_over_the_rate_are_refused_until_the_debt_is_paid(server, limited):
    with WireClient(server, limited.name) as maker:
        answer = maker.ask(make_topics(("over-1", 120), ("over-2", 1)), 7)
        assert [one.error_code for one in answer.topics] == [0, TOO_MANY]
        assert answer.topics[1].error_message == "The throttling quota has been exceeded."
        assert 500 < answer.throttle_time_ms <= 1000
        assert {"over-1", "over-2"} & set(server.broker.topics()) == {"over-1"}
        answer = maker.ask(make_topics(("over-2", 1)), 7)
        assert (answer.topics[0].error_code, answer.throttle_time_ms) == (0, 0)


@pytest.mark.parametrize("version", [2, 5])
def test_versions_that_cannot_be_told_are_done_and_then_rest(server, limited, version):
    names = f"old-{version}", f"older-{version}"
    answer = limited(make_topics(*((name, 120) for name in names)), version)
    assert [one.error_code for one in answer.topics] == [0, 0]
    assert 12_000 < answer.throttle_time_ms <= 13_000
    assert set(names) <= set(server.broker.topics())


def test_only_what_can_be_made_counts(limited):
    for request in (
        make_topics(("no/name", 200)),
        make_topics(("twice", 200), ("twice", 200)),
        make_topics(("many", 1_000_000)),
    ):
        assert all(one.error_code for one in limited(request, 7).topics)
    answer = limited(make_topics(("first", 110)), 7)
    assert (answer.topics[0].error_code, answer.throttle_time_ms) == (0, 0)


def test_what_is_only_looked_at_counts(server, limited):
    (checked,) = limited(make_topics(("looked", 120), validate_only=True), 7).topics
    assert checked.error_code == 0
    (refused,) = limited(make_topics(("looked", 1)), 7).topics
    assert refused.error_code == TOO_MANY
    assert "looked" not in server.broker.topics()


def test_partitions_that_are_added_count(limited):
    assert limited(make_topics(("grows", 1)), 7).throttle_time_ms == 0

    def grow(count, version):
        topic = GROW.CreatePartitionsTopic(name="grows", count=count, assignments=None)
        answer = limited(GROW.CreatePartitionsRequest(topics=[topic], timeout_ms=9), version)
        return answer.results[0].error_code, answer.throttle_time_ms

    assert grow(121, 3) == (0, 0)
    code, rest_ms = grow(122, 3)
    assert code == TOO_MANY
    assert 500 < rest_ms <= 1200
    code, rest_ms = grow(132, 2)
    assert code == 0
    assert rest_ms > 1000


def test_partitions_that_are_deleted_count(server, limited, client):
    for name in ("gone-1", "gone-2", "gone-3"):
        create(client, name, 120)

    def delete(name, version):
        topics = [DELETE.DeleteTopicState(name=name)]
        named = {"topics": topics} if version >= 6 else {"topic_names": [name]}
        answer = limited(
            DELETE.DeleteTopicsRequest(timeout_ms=9, **named),
            version,
        )
        return answer.responses[0].error_code, answer.throttle_time_ms

    assert delete("gone-1", 6) == (0, 0)
    code, rest_ms = delete("gone-2", 5)
    assert code == TOO_MANY
    assert rest_ms > 0
    assert "gone-2" in server.broker.topics()
    code, rest_ms = delete("gone-3", 4)
    assert code == 0
    assert rest_ms > 12_000


def test_topics_that_are_made_because_they_are_named_count(limited):
    wanted_topic = METADATA.MetadataRequestTopic(name="named")
    assert limited(make_topics(("before", 115)), 7).topics[0].error_code == 0
    answer = limited(METADATA.MetadataRequest(topics=[wanted_topic]), 12)
    assert answer.topics[0].error_code == 0
    assert answer.throttle_time_ms > 0


# ---- connections ----


def test_each_address_has_its_own_rate_of_connections(tmp_path):
    now_s = [0.0]
    store = QuotaStore(str(tmp_path))
    quotas = Quotas(store, clock=lambda: now_s[0])
    rate = "connection_creation_rate"
    assert quotas.connection_delay_s("10.0.0.1") == 0
    store.change(
        [(frozenset({("ip", None)}), rate, 2.0), (frozenset({("ip", "10.0.0.9")}), rate, 5.0)]
    )

    def let_in(address):
        count = 0
        while not quotas.connection_delay_s(address):
            count += 1
        return count

    assert [let_in(f"10.0.0.{last}") for last in (1, 2, 9)] == [20, 20, 50]
    assert 0 < quotas.connection_delay_s("10.0.0.1") <= 1
    now_s[0] = 12.0
    assert let_in("10.0.0.1") == 20


def test_only_who_may_sees_and_alters_quotas(tmp_path):
    properties = {"authorizer.class.name": "x"}
    with Server(tmp_path, properties=properties) as server, WireClient(server) as client:
        denied = KafkaError.CLUSTER_AUTHORIZATION_FAILED
        assert describe(client)[0] == denied
        (found,) = alter(client, ([("user", "a")], [(PRODUCER, 1.0)]))
        assert found[0] == denied
