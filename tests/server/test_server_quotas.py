"""Client quotas: whose counts, how long a client rests, and that nothing is lost meanwhile."""

import time

import pytest
from confluent_kafka import Consumer, Producer
from wire_client import WireClient, api

from pylog.errors import KafkaError
from pylog.server.quotas import Quotas, QuotaStore, Rate
from pylog.testing import Server

DESCRIBE, ALTER, FETCH = api(48), api(49), api(1)
PRODUCER, CONSUMER = "producer_byte_rate", "consumer_byte_rate"
INVALID = KafkaError.INVALID_REQUEST


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


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


def test_a_consumer_is_told_to_rest_and_is_not_read_from_until_then(server, client):
    config = {"bootstrap.servers": server.bootstrap_servers}
    producer = Producer(config | {"compression.type": "none"})
    producer.produce("felt", b"x" * 10_000, partition=0)
    producer.flush(20)
    alter(client, ([("client-id", "greedy")], [(CONSUMER, 4000.0)]))
    partition = FETCH.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FETCH.FetchRequest(
        max_wait_ms=0, min_bytes=1, max_bytes=1 << 20,
        topics=[FETCH.FetchTopic(topic="felt", partitions=[partition])],
    )  # fmt: skip
    with WireClient(server, "greedy") as greedy, WireClient(server, "modest") as modest:
        rests_ms = []
        while not rests_ms or not rests_ms[-1]:
            rests_ms.append(greedy.ask(request, 11).throttle_time_ms)
        begun_s = time.monotonic()
        greedy.send(request, 11)
        assert modest.ask(request, 11).throttle_time_ms == 0
        alter(client, ([("client-id", "greedy")], [(CONSUMER, None)]))
        assert greedy.receive().throttle_time_ms == 0
        assert time.monotonic() - begun_s >= rests_ms[-1] / 1000 - 0.05


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


def test_only_who_may_sees_and_alters_quotas(tmp_path):
    properties = {"authorizer.class.name": "x"}
    with Server(tmp_path, properties=properties) as server, WireClient(server) as client:
        denied = KafkaError.CLUSTER_AUTHORIZATION_FAILED
        assert describe(client)[0] == denied
        (found,) = alter(client, ([("user", "a")], [(PRODUCER, 1.0)]))
        assert found[0] == denied
