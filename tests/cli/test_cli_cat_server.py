"""`pylog cat` where something is wrong: a server that refuses or is not there, no such folder."""

import os
import socket

import pytest
from cli_program import Cli, Outcome, failure_line
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from pylog.cli import cat_client
from pylog.testing import Server

JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_admin="admin-secret" user_alice="alice-secret";'
)
SECURE = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
    "super.users": "User:admin",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config": JAAS,
    "connection.failed.authentication.delay.ms": "1",
}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
        topics = [NewTopic("t", 1), NewTopic("small", 1, config={"max.message.bytes": "200"})]
        for created in admin.create_topics(topics).values():
            created.result(10)
        yield server


def login(server, user, password):
    return {
        "bootstrap.servers": server.bootstrap_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password,
    }


@pytest.fixture(scope="module")
def secure_server():
    """A server on which alice may read the topic t, and nothing else."""
    with Server(properties=SECURE) as server:
        admin = AdminClient(login(server, "admin", "admin-secret"))
        admin.create_topics([NewTopic("t", 1)])["t"].result(10)
        rights = [
            AclBinding(
                ResourceType.TOPIC, "t", ResourcePatternType.LITERAL, "User:alice", "*", operation,
                AclPermissionType.ALLOW,
            )
            for operation in (AclOperation.READ, AclOperation.DESCRIBE)
        ]  # fmt: skip
        for created in admin.create_acls(rights).values():
            created.result(10)
        yield server


@pytest.fixture
def as_user(secure_server, tmp_path):
    """-F FILE of a user."""

    def words(user, password=None):
        path = tmp_path / f"{user}.properties"
        found = login(secure_server, user, password or f"{user}-secret")
        path.write_text("".join(f"{name}={value}\n" for name, value in found.items()))
        return ["-F", str(path)]

    return words


@pytest.fixture
def nobody():
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening: nobody else takes the port
        yield f"127.0.0.1:{held.getsockname()[1]}"


def only_line(outcome: Outcome) -> str:
    """What a failed command says, which is nothing else."""
    assert len(outcome.notes) == 1, outcome
    return failure_line(outcome, 1)


# ---- deliveries ----


@pytest.mark.parametrize("note", [[], ["-v"]])
def test_a_partition_that_is_not_there_fails_the_command(cli: Cli, server, note):
    where = ["-b", server.bootstrap_servers, "-t", "t", "-P", *note]
    done = cli.bare("cat", *where, "-p", "99", stdin="a\n")
    assert done.exit_code == 1
    assert done.notes[-1].startswith("pylog: ")
    assert "Unknown partition" in done.notes[-1]


@pytest.mark.parametrize("note", [[], ["-v"]])
def test_messages_too_large_for_the_topic_fail_the_command(cli: Cli, server, note):
    where = ["-b", server.bootstrap_servers, "-t", "small"]
    large = os.urandom(300).hex()
    done = cli.bare("cat", *where, "-P", "-X", "linger.ms=0", *note, stdin=f"{large}\n")
    assert done.exit_code == 1
    assert done.notes[-1] == (
        "pylog: 1 of 1 messages to small were not stored: "
        "Broker: Message size too large [MSG_SIZE_TOO_LARGE]"
    )
    assert len(done.notes) == (2 if note else 1)


def test_a_topic_without_the_right_to_write_fails_the_command(cli: Cli, as_user):
    line = only_line(cli.bare("cat", *as_user("alice"), "-t", "t", "-P", stdin="a\nb\n"))
    assert line == (
        "2 of 2 messages to t were not stored: "
        "Broker: Topic authorization failed [TOPIC_AUTHORIZATION_FAILED]"
    )


# ---- rights ----


def test_reading_without_a_group_needs_no_right_on_one(cli: Cli, as_user):
    done = cli.bare("cat", *as_user("admin"), "-t", "t", "-P", stdin="seen\n")
    assert done.exit_code == 0, done
    done = cli.bare("cat", *as_user("alice"), "-t", "t", "-C", "-e", "-o", "-1")
    assert (done.exit_code, done.out) == (0, "seen\n"), done
    done = cli.bare("cat", *as_user("alice"), "-Q", "-t", "t:0:0")
    assert (done.exit_code, done.out) == (0, "t [0] offset 0\n"), done
    line = failure_line(cli.bare("cat", *as_user("alice"), "-G", "g", "t"), 1)
    assert "Group authorization failed" in line


# ---- servers that do not answer ----

MODES = [["-L"], ["-C", "-t", "t"], ["-P", "-t", "t"], ["-Q", "-t", "t:0:0"], ["-G", "g", "t"]]


@pytest.mark.parametrize("mode", MODES, ids=[mode[0] for mode in MODES])
def test_an_unreachable_server_is_one_line_that_says_why(cli: Cli, nobody, mode):
    line = only_line(cli.bare("cat", "-b", nobody, "-m", "1", *mode, stdin="a\n"))
    assert nobody in line
    assert "Connection refused" in line


@pytest.mark.parametrize("mode", MODES, ids=[mode[0] for mode in MODES])
def test_a_wrong_password_is_one_line_that_says_so(cli: Cli, as_user, mode):
    wrong = as_user("alice", "wrong")
    line = only_line(cli.bare("cat", *wrong, "-m", "2", *mode, stdin="a\n"))
    assert "Authentication failed" in line


def test_the_log_of_the_client_is_there_for_who_asks(cli: Cli, server):
    where = ["-b", server.bootstrap_servers, "-L", "-t", "t"]
    assert cli.bare("cat", *where).err == ""
    assert "rdkafka#" in cli.bare("cat", *where, "-d", "broker").err


# ---- where the log is ----


@pytest.mark.parametrize("mode", MODES, ids=[mode[0] for mode in MODES])
def test_only_p_makes_a_folder(cli: Cli, tmp_path, mode):
    folder = tmp_path / "none"
    done = cli.bare("cat", "-b", str(folder), *mode, stdin="a\n")
    if mode[0] == "-P":
        assert done.exit_code == 0, done
        assert folder.is_dir()
    else:
        assert "no such folder" in failure_line(done, 1)
        assert not folder.exists()


@pytest.mark.parametrize("way", ["-F", "-X", "KCAT_CONFIG"])
def test_servers_may_be_named_by_a_property(cli: Cli, server, tmp_path, way):
    pair = f"bootstrap.servers={server.bootstrap_servers}"
    path = tmp_path / "kcat.conf"
    path.write_text(f"{pair}\n")
    words = {"-F": ["-F", str(path)], "-X": ["-X", pair]}.get(way, [])
    env = {"KCAT_CONFIG": str(path) if way == "KCAT_CONFIG" else None}
    done = cli.bare("cat", *words, "-L", "-t", "small", env=env)
    assert done.exit_code == 0, done
    assert done.out.startswith(f"Metadata for small (from {server.bootstrap_servers}):\n")


def test_the_option_b_counts_more_than_a_file(cli: Cli, server, nobody, tmp_path):
    path = tmp_path / "client.properties"
    path.write_text(f"bootstrap.servers={nobody}\n")
    folder = tmp_path / "log"
    folder.mkdir()
    for where in (server.bootstrap_servers, str(folder)):
        done = cli.bare("cat", "-b", where, "-F", str(path), "-L", "-m", "5")
        assert done.exit_code == 0, done
        assert f"(from {where})" in done.out


def test_a_login_that_failed_is_not_forgotten_for_what_follows_from_it():
    from pylog import KafkaError

    place = cat_client.Place({"bootstrap.servers": "h:1"}, 1.0, quiet=True)
    tell = place.configuration()["error_cb"]
    tell(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    tell(KafkaError(KafkaError._TRANSPORT, "closed"))
    tell(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert place.reason == "wrong password"


# ---- -o of a group, -V ----


def test_a_group_without_a_place_begins_where_o_says(cli: Cli, server):
    where = ["-b", server.bootstrap_servers, "-q"]
    cli.bare("cat", *where, "-t", "begin", "-P", stdin="a\n")
    for group, words, seen in (
        ("g1", ["-o", "end"], ""),
        ("g2", ["-o", "stored"], "a\n"),
        ("g3", ["-o", "beginning"], "a\n"),
    ):
        done = cli.bare("cat", *where, "-e", *words, "-G", group, "begin")
        assert (done.exit_code, done.out) == (0, seen), done
    line = failure_line(cli.bare("cat", *where, "-o", "5", "-G", "g4", "begin"), 2)
    assert line == "-o of a group is stored, beginning or end"


def test_stored_without_a_group_is_refused_with_what_to_do(cli: Cli):
    line = failure_line(cli.bare("cat", "-C", "-t", "t", "-o", "stored"), 2)
    assert "pylog cat -G GROUP TOPIC" in line


def test_the_version_is_printed(cli: Cli):
    done = cli.bare("cat", "-V")
    assert (done.exit_code, done.out.split()[0]) == (0, "pylog")


def test_a_server_that_goes_away_is_told_to_who_follows(cli: Cli):
    with Server() as server:
        where = ["-b", server.bootstrap_servers, "-t", "t"]
        assert cli.bare("cat", *where, "-P", stdin="a\n").exit_code == 0
        follower = cli.start("cat", *where, "-C", "-u")
        assert follower.stdout.readline() == b"a\n"
        assert b"Reached end of topic" in follower.stderr.readline()
        address = server.bootstrap_servers.encode()
    line = follower.stderr.readline()
    assert line.startswith(b"% " + address + b": "), line
