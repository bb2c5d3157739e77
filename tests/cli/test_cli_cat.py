"""`pylog cat`: kcat's letters, the same on a folder and on a server."""

import json

import pytest
from cli_program import Cli

from pylog.cli import cat
from pylog.cli.failures import CommandError
from pylog.testing import Server


def run(cli, *words, **keywords):
    """What a command prints that must succeed."""
    done = cli.bare("cat", *words, **keywords)
    assert done.exit_code == 0, done
    return done.out


@pytest.fixture(scope="module")
def server():
    with Server(brokers=2) as server:
        yield server


@pytest.fixture(params=["folder", "server"])
def place(request, tmp_path, server):
    """What -b names, and a topic that nobody else uses."""
    topic = request.node.name.replace("[", "-").replace("]", "").replace("_", "-")
    if request.param == "folder":
        return str(tmp_path / "log"), topic
    return server.bootstrap_servers, topic


def test_what_is_produced_is_consumed(cli: Cli, place):
    where, topic = place
    lines = "".join(f"k{number}:v{number}\n" for number in range(10))
    run(cli, "-b", where, "-t", topic, "-P", "-K:", stdin=lines)
    read = run(cli, "-b", where, "-t", topic, "-C", "-e", "-q", "-K:")
    assert read == lines
    read = run(cli, "-b", where, "-t", topic, "-C", "-e", "-q", "-o", "-2", "-f", r"%p:%o %k=%s\n")
    assert read == "0:8 k8=v8\n0:9 k9=v9\n"
    assert run(cli, "-b", where, "-t", topic, "-C", "-q", "-c", "1", "-o", "3") == "v3\n"
    message = json.loads(run(cli, "-b", where, "-t", topic, "-C", "-q", "-c1", "-J"))
    assert (message["topic"], message["offset"], message["payload"]) == (topic, 0, "v0")


def test_a_group_goes_on_where_it_stopped(cli: Cli, place):
    where, topic = place
    run(cli, "-b", where, "-t", topic, "-P", stdin="a\nb\nc\n")
    assert run(cli, "-b", where, "-q", "-c", "2", "-G", f"g-{topic}", topic) == "a\nb\n"
    assert run(cli, "-b", where, "-q", "-e", "-G", f"g-{topic}", topic) == "c\n"


def test_nodes_topics_and_partitions_are_listed(cli: Cli, place):
    where, topic = place
    run(cli, "-b", where, "-t", topic, "-P", stdin="a\n")
    text = run(cli, "-b", where, "-L", "-t", topic)
    assert text.startswith(f"Metadata for {topic} (from {where}):\n ")
    assert f'  topic "{topic}" with 1 partitions:\n    partition 0, leader ' in text
    assert " (controller)\n" in text
    found = json.loads(run(cli, "-b", where, "-L", "-J", "-t", topic))
    assert [each["topic"] for each in found["topics"]] == [topic]
    assert found["brokers"]


def test_offsets_are_found_by_time(cli: Cli, place):
    where, topic = place
    run(cli, "-b", where, "-t", topic, "-P", stdin="a\nb\n")
    assert run(cli, "-b", where, "-Q", "-t", f"{topic}:0:0") == f"{topic} [0] offset 0\n"
    late = 1 << 50
    assert run(cli, "-b", where, "-Q", "-t", f"{topic}:0:{late}").startswith(f"{topic} [0] ")


def test_what_one_wrote_through_the_server_the_other_reads_from_the_folder(cli: Cli, tmp_path):
    with Server(tmp_path / "both") as server:
        run(cli, "-b", server.bootstrap_servers, "-t", "t", "-P", stdin="wire\n")
        run(cli, "-b", str(tmp_path / "both"), "-t", "t", "-P", stdin="folder\n")
        for where in (server.bootstrap_servers, str(tmp_path / "both")):
            assert run(cli, "-b", where, "-t", "t", "-C", "-e", "-q") == "wire\nfolder\n"


def test_properties_of_the_client_may_stand_in_a_file(cli: Cli, tmp_path):
    path = tmp_path / "client.properties"
    path.write_text("# a note\n\ncompression.type=gzip\n")
    where = str(tmp_path / "log")
    run(cli, "-b", where, "-F", str(path), "-t", "t", "-P", stdin="a\n" * 100)
    assert run(cli, "-b", where, "-t", "t", "-C", "-e", "-q") == "a\n" * 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-P", "-C"], "not allowed with"),
        (["-C"], "name one topic with -t"),
        (["-Q", "-t", "t"], "is not TOPIC:PARTITION:MS"),
        (["-Q"], "-Q wants -t"),
        (["-G", "g"], "-G GROUP wants the topics"),
        (["-C", "-t", "t", "-c", "0"], "at least 1"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CommandError, match=message) as caught:
        cat.cat(["-b", str(tmp_path / "log"), *arguments])
    assert caught.value.exit_code == 2


def test_options_before_the_command_count_too(cli: Cli):
    cli.ok("cat", "-t", "t", "-P", stdin="a\n")
    assert cli.ok("cat", "-t", "t", "-C", "-e", "-q").out == "a\n"
