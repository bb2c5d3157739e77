"""`pylog topics` creates, lists, describes, alters and deletes, in the words of kafka-topics."""

import pytest
from cli_program import Cli


def test_created_topics_are_listed_in_order(cli: Cli):
    outcome = cli.ok("topics", "create", "b", "a", "--partitions", "3")
    assert outcome.lines == ["Created topic b.", "Created topic a."]
    assert cli.ok("topics", "list").lines == ["a", "b"]
    assert cli.ok("topics", "list", "--json").json == [
        {"name": "a", "partitions": 3},
        {"name": "b", "partitions": 3},
    ]


def test_an_existing_topic_is_an_error_unless_told(cli: Cli):
    cli.ok("topics", "create", "a")
    assert "TOPIC_ALREADY_EXISTS" in cli.fails("topics", "create", "a")
    outcome = cli.ok("topics", "create", "a", "--if-not-exists")
    assert outcome.out == ""


def test_describe_has_kafkas_look(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "2", "-c", "retention.ms=1000")
    cli.ok("produce", "t", "-p", "1", stdin="a\nb\n")
    head, first, second = cli.ok("topics", "describe", "t").lines
    assert head.startswith("Topic: t\tTopicId: ")
    assert head.endswith("\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: retention.ms=1000")
    topic_id = head.split("\t")[1].removeprefix("TopicId: ")
    assert len(topic_id) == 22
    assert first.startswith("\tTopic: t\tPartition: 0\tLogStartOffset: 0\tLogEndOffset: 0\t")
    assert second.startswith("\tTopic: t\tPartition: 1\tLogStartOffset: 0\tLogEndOffset: 2\t")


def test_describe_as_json_tells_offsets_and_sizes(cli: Cli):
    cli.ok("topics", "create", "t")
    cli.ok("produce", "t", stdin="a\nb\n")
    (topic,) = cli.ok("topics", "describe", "--json").json
    assert topic["name"] == "t"
    assert topic["configs"] == {}
    (partition,) = topic["partitions"]
    assert (partition["log_start_offset"], partition["log_end_offset"]) == (0, 2)
    assert partition["size_bytes"] > 0


def test_alter_changes_configuration_and_adds_partitions(cli: Cli):
    cli.ok("topics", "create", "t", "-c", "retention.ms=1000", "-c", "segment.bytes=2000000")
    changes = ("-c", "retention.bytes=5", "--delete-config", "retention.ms", "--partitions", "3")
    assert cli.ok("topics", "alter", "t", *changes).lines == ["Altered topic t."]
    (topic,) = cli.ok("topics", "describe", "t", "--json").json
    assert len(topic["partitions"]) == 3
    assert topic["configs"] == {"retention.bytes": "5", "segment.bytes": "2000000"}


def test_fewer_partitions_are_refused(cli: Cli):
    cli.ok("topics", "create", "t", "--partitions", "3")
    assert "partition" in cli.fails("topics", "alter", "t", "--partitions", "2")
    assert len(cli.ok("topics", "describe", "t").lines) == 4


def test_delete_takes_the_topic_and_leaves_the_others(cli: Cli):
    cli.ok("topics", "create", "a", "b")
    assert cli.ok("topics", "delete", "a").lines == ["Deleted topic a."]
    assert cli.ok("topics", "list").lines == ["b"]
    assert not list(cli.folder.glob("a-*"))


def test_a_topic_can_be_created_again_after_delete(cli: Cli):
    cli.ok("topics", "create", "a")
    cli.ok("produce", "a", stdin="old\n")
    cli.ok("topics", "delete", "a")
    cli.ok("topics", "create", "a")
    cli.ok("produce", "a", stdin="new\n")
    assert cli.consumed("a", "-f", r"%o %s\n") == ["0 new"]


def test_deleting_what_is_not_there(cli: Cli):
    cli.ok("topics", "create", "flights")
    assert "did you mean flights?" in cli.fails("topics", "delete", "flight")
    assert cli.ok("topics", "delete", "flight", "--if-exists").out == ""
    assert cli.ok("topics", "list").lines == ["flights"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../escape", "a b", "a\nb", "\u00e9", "x" * 250, "CON:"]
)
def test_a_name_that_is_no_topic_name_is_refused(cli: Cli, name: str):
    line = cli.fails("topics", "create", "good", "--", name)
    assert line
    assert not (cli.cwd / "escape-0").exists()
    if cli.folder.exists():
        assert cli.ok("topics", "list").lines in (["good"], [])


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("retention.msec=1", "retention.ms"),
        ("retention.ms=soon", "retention.ms"),
        ("segment.bytes=-5", "segment.bytes"),
        ("cleanup.policy=shred", "cleanup.policy"),
    ],
)
def test_a_wrong_configuration_is_named(cli: Cli, config: str, part: str):
    assert part in cli.fails("topics", "create", "t", "-c", config)
    assert cli("topics", "list").out == ""
    cli.ok("topics", "create", "t")
    assert part in cli.fails("topics", "alter", "t", "-c", config)
    assert cli.ok("topics", "describe", "t", "--json").json[0]["configs"] == {}


def test_describe_of_an_unknown_topic_fails(cli: Cli):
    cli.ok("topics", "create", "a")
    assert "does not exist" in cli.fails("topics", "describe", "zzz")


def test_more_than_one_copy_cannot_be_had(cli: Cli):
    cli.ok("topics", "create", "a", "--replication-factor", "1")
    assert "one copy" in cli.fails("topics", "create", "b", "--replication-factor", "3")
