"""pylog.testing, its pytest plugin, and the command that starts a server."""

import os
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from wire_client import WireClient, api

import pylog
from pylog.testing import Server, ServerProcess

METADATA = api(3)
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(pylog.__file__)))
ENVIRONMENT = {**os.environ, "PYTHONPATH": SOURCE}


def create_topic(server, name):
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1)])[name].result()


def cluster_of(server):
    return AdminClient({"bootstrap.servers": server.bootstrap_servers}).list_topics(timeout=10)


def test_a_server_in_memory_is_gone_with_everything():
    with Server() as server:
        create_topic(server, "t")
        folder = server.folder
        assert os.path.isdir(folder)
    assert not os.path.exists(folder)
    with pytest.raises(RuntimeError, match="does not run"):
        assert server.bootstrap_servers


def test_a_server_that_was_not_started_says_how_to():
    with pytest.raises(RuntimeError, match=r"use it in a with statement, or start\(\)"):
        assert Server().bootstrap_servers


def test_a_server_on_a_folder_leaves_it(tmp_path):
    with Server(tmp_path) as server:
        create_topic(server, "t")
    with Server(tmp_path) as server:
        assert list(cluster_of(server).topics) == ["t"]


def test_servers_beside_each_other_know_nothing_of_each_other():
    with Server() as one, Server() as other:
        create_topic(one, "t")
        assert cluster_of(other).topics == {}


def test_starting_twice_is_an_error_and_stopping_twice_is_not():
    server = Server()
    with server, pytest.raises(RuntimeError, match="runs already"):
        server.start()
    server.stop()
    with server:
        assert server.bootstrap_servers


def test_a_call_in_the_servers_thread_returns_or_raises():
    with Server() as server:
        assert server.call(len, "abc") == 3
        with pytest.raises(ZeroDivisionError):
            server.call(lambda: 1 // 0)


def test_a_process_of_its_own_is_a_server_too():
    with ServerProcess(brokers=2) as server:
        assert len(cluster_of(server).brokers) == 2
        folder = server.folder
    assert not os.path.exists(folder)


def test_a_server_that_cannot_start_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"num\.partitions"):
        ServerProcess(tmp_path, properties={"num.partitions": "x"}).start()


def test_a_process_that_cannot_start_leaves_no_folder_behind():
    process = ServerProcess(arguments=["--nope"])
    with pytest.raises(RuntimeError, match="--nope"), process:
        pass
    assert not os.path.exists(process.folder)


def test_a_server_that_says_more_than_a_pipe_holds_goes_on():
    name = "nobodys." + "x" * 100_000  # which it warns of
    with ServerProcess(properties={name: "1"}) as server:
        assert len(cluster_of(server).brokers) == 1
        assert name in server.stop()


@pytest.mark.kafka_server(brokers=2, properties={"num.partitions": "4"})
def test_the_fixture_takes_options_from_its_marker(kafka_server):
    with WireClient(kafka_server) as client:
        topics = [METADATA.MetadataRequestTopic(name="t")]
        response = client.ask(METADATA.MetadataRequest(topics=topics))
    assert (len(response.brokers), len(response.topics[0].partitions)) == (2, 4)


def test_the_plugin_works_in_a_project_of_its_own(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from confluent_kafka.admin import AdminClient\n"
        "seen = []\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_each_has_its_own(kafka_server, number):\n"
        "    admin = AdminClient({'bootstrap.servers': kafka_server.bootstrap_servers})\n"
        "    assert admin.list_topics('made', timeout=10).topics['made'].error is None\n"
        "    assert list(admin.list_topics(timeout=10).topics) == ['made']\n"
        "    seen.append(kafka_server.folder)\n"
        "    assert len(set(seen)) == len(seen)\n"
    )
    plugin = [] if _is_installed() else ["-p", "pylog.testing.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error", *plugin],
        cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def _is_installed():
    from importlib import metadata

    return any(
        point.value == "pylog.testing.pytest_plugin"
        for point in metadata.entry_points(group="pytest11")
    )


# ---- the command ----


def pylog_serve(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "pylog", *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        **options,
    )


def test_help_names_every_option():
    done = pylog_serve("serve", "--help")
    assert done.returncode == 0
    for option in ("--listen", "--advertised", "--brokers", "--props", "--insecure", "--metrics"):
        assert option in done.stdout
    assert "serve" in pylog_serve("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--nope"], "unrecognized arguments: --nope"),
        (["--brokers", "x"], "invalid int value"),
        (["--brokers", "0"], "brokers"),
        (["--listen", "0.0.0.0:9092"], "--insecure"),
        (["--override", "x"], "is not NAME=VALUE"),
        (["--override", "num.partitions=x"], "num.partitions"),
        (["--brokers", "3", "--port", "65535"], "3 brokers take the ports 65535 to 65537"),
        (["--port", "99999"], "--port 99999: ports go from 0 to 65535"),
        (["--port", "-1"], "--port -1: ports go from 0 to 65535"),
        (["--listen", "127.0.0.1:99999"], "Ports go from 0 to 65535"),
        (["--metrics", "9308"], "Expected HOST:PORT"),
        (["--dir", "ignored", ":memory:"], "pylog.testing"),
        (["--props", "missing.properties"], "missing.properties: No such file"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_code(tmp_path, arguments, text):
    folder = [] if ":memory:" in arguments else [str(tmp_path)]
    done = pylog_serve("serve", *folder, *arguments, cwd=tmp_path)
    assert not (tmp_path / ":memory:").exists()
    assert done.returncode in (1, 2)
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("where", ["argument", "option", "before", "environment", "properties"])
def test_the_folder_is_named_in_many_ways(tmp_path, where):
    folder = str(tmp_path / "data")
    properties = tmp_path / "server.properties"
    properties.write_text(f"log.dirs={folder}\nlisteners=PLAINTEXT://127.0.0.1:0\n")
    words = {
        "argument": ["serve", folder],
        "option": ["serve", "--dir", folder],
        "before": ["--dir", folder, "serve"],
        "environment": ["serve"],
        "properties": ["serve"],
    }[where]
    words += ["--props", str(properties)] if where == "properties" else ["--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pylog", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, **({"PYLOG_DIR": folder} if where == "environment" else {})},
    )
    line = process.stdout.readline()
    assert line.startswith(f"Serving {folder} on 127.0.0.1:")
    assert line.endswith("; Ctrl-C ends it.\n")
    process.send_signal(2)
    assert process.wait() == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    assert os.path.exists(os.path.join(folder, "pylog.meta"))
