"""Quotas as Apache Kafka's tools set them, and as its clients keep to them."""

import re
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

TOOLS = "org.apache.kafka.tools"
Tool = Callable[..., str]


@pytest.fixture
def tool(kafka: ModuleType) -> Iterator[Tool]:
    """Return a function that runs a tool on a server with short windows."""
    properties = {"quota.window.num": "2", "num.partitions": "1"}
    with ServerProcess(properties=properties) as server:

        def run(main_class: str, *arguments: str, stdin: str = "") -> str:
            words = ["--bootstrap-server", server.bootstrap_servers, *arguments]
            output: str = kafka.run_java(main_class, *words, stdin=stdin, with_errors=True)
            return output

        yield run


def set_quota(tool: Tool, kind: str, quota: str) -> None:
    """Set the default of a kind."""
    place = ("--entity-type", kind, "--entity-default")
    tool("kafka.admin.ConfigCommand", "--alter", *place, "--add-config", quota)
    told = tool("kafka.admin.ConfigCommand", "--describe", *place)
    key, _, value = quota.partition("=")
    assert re.search(rf"{key}={float(value)}", told), told


def longest_rest_ms(told: str, name: str) -> float:
    """The longest that a client was told to rest, of its own metrics."""
    return max(map(float, re.findall(rf"{name}-throttle-time-max:\S+\s+: ([\d.]+)", told)))


def test_a_consumer_with_a_quota_gets_every_record_later(tool: Tool, name: str) -> None:
    tool(
        *(f"{TOOLS}.ProducerPerformance", "--topic", name, "--num-records", "20000"),
        *("--record-size", "100", "--throughput", "-1"),
    )
    set_quota(tool, "clients", "consumer_byte_rate=400000")
    told = tool(
        *(f"{TOOLS}.ConsumerPerformance", "--topic", name, "--num-records", "20000"),
        *("--group", name, "--print-metrics"),
        *("--command-property", "max.partition.fetch.bytes=200000"),
    )
    assert re.search(r", 20000, ", told), told
    assert longest_rest_ms(told, "fetch") > 0


def test_a_producer_with_a_quota_sends_every_record_later(tool: Tool, name: str) -> None:
    set_quota(tool, "clients", "producer_byte_rate=400000")
    told = tool(
        *(f"{TOOLS}.ProducerPerformance", "--topic", name, "--num-records", "20000"),
        *("--record-size", "100", "--throughput", "-1", "--print-metrics"),
    )
    assert "20000 records sent" in told
    assert longest_rest_ms(told, "produce") > 0


def test_topics_over_the_rate_are_refused_with_kafkas_error(
    kafka: ModuleType, tool: Tool, name: str
) -> None:
    set_quota(tool, "users", "controller_mutation_rate=0.5")
    make = (f"{TOOLS}.TopicCommand", "--create", "--partitions", "200", "--topic")
    tool(*make, f"{name}-1")
    with pytest.raises(kafka.PeerFailedError, match="ThrottlingQuotaExceeded"):
        tool(*make, f"{name}-2")


def test_connections_over_the_rate_wait_and_come_in_later(tool: Tool, name: str) -> None:
    set_quota(tool, "ips", "connection_creation_rate=1")
    for number in range(3):
        tool(f"{TOOLS}.TopicCommand", "--create", "--topic", f"{name}-{number}")
    assert f"{name}-2" in tool(f"{TOOLS}.TopicCommand", "--list")
