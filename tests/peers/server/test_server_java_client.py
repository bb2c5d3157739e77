"""The Java client: its whole round in both group protocols and over TLS; a course's producer."""

import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from tests.peers.server.secure_peers import SecureServer

from pylog import Consumer, KafkaError, TopicPartition
from pylog.testing import Server
from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

COUNT = 500
PARTITIONS = 4
TIMEOUT_S = 60
PROPERTIES = {"num.partitions": str(PARTITIONS), "group.initial.rebalance.delay.ms": "0"}
EXPECTED = {
    "partitions": PARTITIONS,
    "produced": COUNT,
    "read": COUNT,
    "distinct": COUNT,
    "taken_over": PARTITIONS,
    "committed": COUNT,
    "by_time": 0,
    "end": COUNT,
    "group_listed": True,
    "deleted": True,
    "transactions": True,
}
# What the client asks of a Kafka of its own version, but of transactions: as in a Kafka with
# transaction.version 0, which is what the server tells, EndTxn and TxnOffsetCommit are 4.
NEWEST = {
    "Produce": 13,
    "Fetch": 18,
    "ListOffsets": 11,
    "Metadata": 13,
    "FindCoordinator": 6,
    "ListGroups": 5,
    "ApiVersions": 4,
    "CreateTopics": 7,
    "DeleteTopics": 6,
    "InitProducerId": 5,
    "AddPartitionsToTxn": 3,
    "AddOffsetsToTxn": 4,
    "EndTxn": 4,
    "TxnOffsetCommit": 4,
    "DeleteGroups": 2,
    "DescribeCluster": 2,
    "DescribeTopicPartitions": 0,
}
NEWEST_OF_GROUPS = {  # OffsetCommit and OffsetFetch 10 have topic ids, and only new groups use them
    "classic": {
        "OffsetCommit": 9,
        "OffsetFetch": 9,
        "JoinGroup": 9,
        "SyncGroup": 5,
        "Heartbeat": 4,
        "LeaveGroup": 5,
    },
    "consumer": {"OffsetCommit": 10, "OffsetFetch": 10, "ConsumerGroupHeartbeat": 1},
}
MEMBERSHIP = {"JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "ConsumerGroupHeartbeat"}


class Round(NamedTuple):
    """What a client saw in its round, and the versions that it asked by, of each API."""

    protocol: str
    seen: dict[str, object]
    versions: dict[str, set[int]]


class Place(NamedTuple):
    """A record, and where it is."""

    partition: int
    offset: int
    key: str
    value: str


def versions_asked(server: Server) -> dict[str, set[int]]:
    """The versions of the requests that were answered, of each API."""
    with urllib.request.urlopen(server.metrics_url, timeout=TIMEOUT_S) as page:
        text = page.read().decode()
    name = "kafka_network_requestmetrics_requests_total"
    found: dict[str, set[int]] = {}
    for api, version in re.findall(rf'^{name}{{request="(\w+)",version="(\d+)"}}', text, re.M):
        found.setdefault(api, set()).add(int(version))
    return found


def check(seen: dict[str, object]) -> None:
    seen = dict(seen)
    shares = seen.pop("shares")
    assert isinstance(shares, list)
    assert sum(shares) == COUNT
    assert all(shares), "both members read"
    assert seen == EXPECTED


@pytest.fixture(
    scope="module",
    params=[(protocol, brokers) for brokers in (1, 3) for protocol in NEWEST_OF_GROUPS],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def java_round(
    request: pytest.FixtureRequest, clients: ModuleType, toolchain: Callable[[str], None]
) -> Round:
    """Return the round of a group protocol on a server of its own, of so many brokers."""
    toolchain("java")
    protocol, brokers = request.param
    with Server(properties=PROPERTIES, brokers=brokers, metrics=True) as server:
        arguments = (server.bootstrap_servers, "round", str(COUNT), protocol)
        return Round(protocol, clients.run_work("java", *arguments), versions_asked(server))


def test_java_client_works_in_groups_with_times_and_transactions(java_round: Round) -> None:
    check(java_round.seen)


def test_java_client_asks_by_the_newest_versions_that_it_has(java_round: Round) -> None:
    versions = java_round.versions
    wanted = NEWEST | NEWEST_OF_GROUPS[java_round.protocol]
    assert {api: max(versions.get(api, {-1})) for api in wanted} == wanted
    assert versions["Fetch"] == {18}, "by topic ids, each time"
    assert versions["Produce"] == {11, 13}, "by topic ids but in transactions"
    assert versions.keys() & MEMBERSHIP == wanted.keys() & MEMBERSHIP


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [("SASL_SSL", "PLAIN"), ("SASL_SSL", "SCRAM-SHA-512"), ("SSL", "")],
)
def test_java_client_works_over_tls_with_a_password_and_with_a_certificate(
    protocol: str,
    mechanism: str,
    secure: SecureServer,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    name: str,
) -> None:
    toolchain("java")
    security = secure.security(protocol, mechanism)
    arguments = (secure.addresses[protocol], name, str(COUNT))
    check(clients.run_work("java", *arguments, security=security))


@pytest.fixture
def kept_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of a folder that the test reads too."""
    with ServerProcess(tmp_path / "log", properties=PROPERTIES) as running:
        yield running


def read(conf: dict[str, object], topic: str) -> list[Place]:
    """All records of a topic, partition by partition."""
    found = []
    conf |= {"group.id": "reader", "enable.partition.eof": True, "enable.auto.commit": False}
    with Consumer(conf) as consumer:
        for partition in range(PARTITIONS):
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(TIMEOUT_S)
                assert message is not None
                if message.error() is not None:
                    assert message.error() == KafkaError._PARTITION_EOF
                    break
                key, value = message.key().decode(), message.value().decode()
                found.append(Place(message.partition(), message.offset(), key, value))
    return found


def test_readers_find_what_the_java_producer_said_it_wrote_where_it_said(
    kept_server: ServerProcess,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    name: str,
) -> None:
    toolchain("java")
    arguments = (kept_server.bootstrap_servers, name, str(COUNT))
    command = clients.java_command("StringProducer", *arguments)
    printed = clients.kafka.run_program(command, name="StringProducer", timeout_s=TIMEOUT_S)
    lines = re.findall(rf"^{re.escape(name)}-(\d+)@(\d+)\t(.*)\t(.*)$", printed, re.M)
    told = [Place(int(partition), int(offset), *record) for partition, offset, *record in lines]

    assert sorted(place.value for place in told) == sorted(f"value {n}" for n in range(COUNT))
    for partition in range(PARTITIONS):
        rows = [place for place in told if place.partition == partition]
        numbers = [int(row.key.removeprefix("key ")) for row in rows]
        assert [row.offset for row in rows] == list(range(len(rows)))
        assert numbers == sorted(numbers), "in the order of send"
    told.sort()
    assert read({"log.dir": kept_server.folder}, name) == told, "a program that embeds the log"
    assert read({"bootstrap.servers": kept_server.bootstrap_servers}, name) == told
