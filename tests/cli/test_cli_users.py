"""`pylog users`: who may log in to the server of a folder."""

from cli_program import Cli
from confluent_kafka.admin import AdminClient
from secure_server import client_config, sasl_server

MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-512"]


def test_a_user_is_added_listed_lets_in_and_is_deleted(cli: Cli):
    cli.folder.mkdir()
    with sasl_server(cli.folder) as server:
        cli.ok("users", "add", "zoë", stdin="pass word\n")
        assert cli.ok("users", "list", "--json").json == {"zoë": MECHANISMS}
        assert cli.ok("users", "list").lines == [f"zoë  {', '.join(MECHANISMS)}"]
        server.call(server.broker.credentials.refresh)
        for mechanism in ("PLAIN", *MECHANISMS):
            admin = AdminClient(client_config(server, "zoë", "pass word", mechanism))
            assert admin.list_topics(timeout=20).brokers
    cli.ok("users", "delete", "zoë")
    assert cli.ok("users", "list").lines == []


def test_what_cannot_be_done_is_said_in_one_line(cli: Cli):
    assert "no such folder" in cli.fails("users", "list")
    cli.folder.mkdir()
    assert "a password is needed" in cli.fails("users", "add", "a")
    assert "there is no user a" in cli.fails("users", "delete", "a")
