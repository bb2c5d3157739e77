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


def test_users_may_be_added_before_the_first_server_runs(cli: Cli):
    cli.ok("users", "add", "zoë", stdin="pass word\n")
    with sasl_server(cli.folder) as server:
        admin = AdminClient(client_config(server, "zoë", "pass word", "SCRAM-SHA-512"))
        assert admin.list_topics(timeout=20).brokers


def test_no_user_is_added_to_a_folder_that_is_none_of_ours(cli: Cli):
    cli.folder.mkdir()
    (cli.folder / "letters").touch()
    assert "not a pylog folder" in cli.fails("users", "add", "a", stdin="secret\n")
    assert [path.name for path in cli.folder.iterdir()] == ["letters"]


def test_what_cannot_be_done_is_said_in_one_line(cli: Cli):
    assert "no such folder" in cli.fails("users", "list")
    assert "a password is needed" in cli.fails("users", "add", "a")
    cli.folder.mkdir()
    assert "there is no user a" in cli.fails("users", "delete", "a")
