"""The command-line tools of Apache Kafka against the listener, and its dump of what it wrote."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

TOOLS = "org.apache.kafka.tools"
Tool = Callable[..., str]


@pytest.fixture
def tool(kafka: ModuleType, server: ServerProcess) -> Tool:
    """Return a function that runs a tool with --bootstrap-server and returns what it printed."""

    def run(main_class: str, *arguments: str, stdin: str = "") -> str:
        words = ["--bootstrap-server", server.bootstrap_servers, *arguments]
        output: str = kafka.run_java(main_class, *words, stdin=stdin, with_errors=True)
        return output

    return run


def test_topics_are_made_described_grown_and_deleted(tool: Tool, name: str) -> None:
    topics = f"{TOOLS}.TopicCommand"
    tool(topics, "--create", "--topic", name, "--partitions", "2", "--config", "retention.ms=1000")
    told = tool(topics, "--describe", "--topic", name)
    assert re.search(rf"{name}\tTopicId: \S{{22}}\tPartitionCount: 2\tReplicationFactor: 1", told)
    assert "retention.ms=1000" in told
    tool(topics, "--alter", "--topic", name, "--partitions", "3")
    assert tool(topics, "--describe", "--topic", name).count("Leader: 0") == 3
    tool(topics, "--delete", "--topic", name)
    assert name not in tool(topics, "--list").split()


def test_configs_are_altered_and_described(tool: Tool, name: str) -> None:
    configs = "kafka.admin.ConfigCommand"
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name)
    place = ("--entity-type", "topics", "--entity-name", name)
    tool(configs, "--alter", *place, "--add-config", "max.message.bytes=5000")
    assert "max.message.bytes=5000" in tool(configs, "--describe", *place)
    tool(configs, "--alter", *place, "--delete-config", "max.message.bytes")
    assert "max.message.bytes" not in tool(configs, "--describe", *place)
    broker = ("--entity-type", "brokers", "--entity-name", "0", "--all")
    assert "message.max.bytes=1048588" in tool(configs, "--describe", *broker)


def test_console_consumer_prints_what_console_producer_sent(tool: Tool, name: str) -> None:
    lines = "".join(f"key{number}\tvalue {number}\n" for number in range(20))
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name, "--partitions", "1")
    parse = ("--reader-property", "parse.key=true")
    tool(f"{TOOLS}.ConsoleProducer", "--topic", name, *parse, stdin=lines)
    told = tool(
        *(f"{TOOLS}.consumer.ConsoleConsumer", "--topic", name, "--from-beginning"),
        *("--max-messages", "20", "--group", name, "--formatter-property", "print.key=true"),
    )
    assert told.startswith(lines)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_perf_tools_and_groups_count_every_record(tool: Tool, name: str, protocol: str) -> None:
    told = tool(
        *(f"{TOOLS}.ProducerPerformance", "--topic", name, "--num-records", "20000"),
        *("--record-size", "100", "--throughput", "-1", "--command-property", "acks=all"),
    )
    assert "20000 records sent" in told
    told = tool(
        *(f"{TOOLS}.ConsumerPerformance", "--topic", name, "--num-records", "20000"),
        *("--group", name, "--command-property", f"group.protocol={protocol}"),
    )
    assert re.search(r", 20000, ", told), told
    groups = f"{TOOLS}.consumer.group.ConsumerGroupCommand"
    assert name in tool(groups, "--list").split()
    rows = tool(groups, "--describe", "--group", name, "--offsets")
    ends = re.findall(rf"{name}\s+{name}\s+\d+\s+\S+\s+\d+\s+(\d+)\s", rows)
    assert len(ends) == 4
    assert set(ends) == {"0"}
    assert "Empty" in tool(groups, "--describe", "--group", name, "--state")
    reset = ("--reset-offsets", "--to-earliest", "--topic", name, "--execute")
    tool(groups, "--group", name, *reset)
    assert re.search(rf"{name}\s+{name}\s+0\s+0\s", tool(groups, "--describe", "--group", name))
    tool(groups, "--delete-offsets", "--group", name, "--topic", f"{name}:0")
    tool(groups, "--delete", "--group", name)
    assert name not in tool(groups, "--list").split()


def test_offsets_are_told_by_time_and_records_deleted(
    tool: Tool, name: str, tmp_path: Path
) -> None:
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name, "--partitions", "1")
    tool(f"{TOOLS}.ConsoleProducer", "--topic", name, stdin="a\nb\nc\n")
    offsets = f"{TOOLS}.GetOffsetShell"
    assert tool(offsets, "--topic", name).split() == [f"{name}:0:3"]
    assert tool(offsets, "--topic", name, "--time", "-2").split() == [f"{name}:0:0"]
    assert tool(offsets, "--topic", name, "--time", "1").split() == [f"{name}:0:0"]
    assert tool(offsets, "--topic", name, "--time", "-3").split()[0].startswith(f"{name}:0:")
    plan = tmp_path / "plan.json"
    plan.write_text(
        f'{{"partitions": [{{"topic": "{name}", "partition": 0, "offset": 2}}], "version": 1}}'
    )
    tool(f"{TOOLS}.DeleteRecordsCommand", "--offset-json-file", str(plan))
    assert tool(offsets, "--topic", name, "--time", "-2").split() == [f"{name}:0:2"]


def test_transactions_are_listed_and_described(tool: Tool, name: str) -> None:
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name, "--partitions", "1")
    told = tool(
        *(f"{TOOLS}.ProducerPerformance", "--topic", name, "--num-records", "100"),
        *("--record-size", "10", "--throughput", "-1", "--transactional-id", name),
        *("--transaction-duration-ms", "100"),
    )
    assert "100 records sent" in told
    transactions = f"{TOOLS}.TransactionsCommand"
    assert re.search(rf"{name}\s+0\s+\d+\s+CompleteCommit", tool(transactions, "list"))
    told = tool(transactions, "describe", "--transactional-id", name)
    assert "CompleteCommit" in told
    told = tool(transactions, "describe-producers", "--topic", name, "--partition", "0")
    assert "ProducerId" in told
    assert "None" in told.splitlines()[-1], "no transaction is open"


def test_cluster_is_described(
    kafka: ModuleType, tool: Tool, server: ServerProcess, name: str
) -> None:
    place = ("--bootstrap-server", server.bootstrap_servers)
    assert "Cluster ID: " in kafka.run_java(f"{TOOLS}.ClusterTool", "cluster-id", *place)
    port = server.bootstrap_servers.rpartition(":")[2]
    assert port in kafka.run_java(f"{TOOLS}.ClusterTool", "list-endpoints", *place)
    assert "Produce(0): 0 to" in tool(f"{TOOLS}.BrokerApiVersionsCommand")
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name)
    assert name in tool(f"{TOOLS}.LogDirsCommand", "--describe", "--topic-list", name)


def test_kafka_dumps_the_segments_that_the_listener_wrote(
    kafka: ModuleType, tool: Tool, server: ServerProcess, name: str
) -> None:
    tool(f"{TOOLS}.TopicCommand", "--create", "--topic", name, "--partitions", "1")
    tool(f"{TOOLS}.ConsoleProducer", "--topic", name, stdin="a\nb\nc\n")
    paths = sorted(Path(server.folder, f"{name}-0").glob("*.log"))
    _, records = kafka.dump_records(paths)
    assert [bytes.fromhex(record["value"]) for record in records] == [b"a", b"b", b"c"]
    assert "isvalid: true" in kafka.dump_log_segments(paths)
