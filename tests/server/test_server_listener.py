"""A server and its folder: begin, end, who else may be there."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from wire_client import WireClient, api

import pylog
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir
from pylog.server.listener import LOCK_FILE
from pylog.testing import Server, ServerProcess

METADATA, CREATE, CLUSTER = api(3), api(19), api(60)
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(pylog.__file__)))


def create(name, partitions=1):
    topic = CREATE.CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
    return CREATE.CreateTopicsRequest(topics=[topic])


def names(client):
    return sorted(topic.name for topic in client.ask(METADATA.MetadataRequest(topics=None)).topics)


def test_a_second_server_on_a_folder_is_refused_and_names_the_first(tmp_path):
    with Server(tmp_path) as server:
        with pytest.raises(KafkaException, match="is served by another server, process") as refused:
            Server(tmp_path).start()
        assert refused.value.args[0] == KafkaError._STATE
        with pytest.raises(RuntimeError, match="is served by another server"):
            ServerProcess(tmp_path).start()
        with WireClient(server) as client:
            assert names(client) == []
    with Server(tmp_path):
        pass


def test_a_program_that_embeds_the_log_may_share_the_folder(tmp_path):
    with pylog.open(tmp_path) as log, Server(tmp_path) as server, WireClient(server) as client:
        log.topic("embedded", partitions=2).append(b"value")
        client.ask(create("served"))
        assert names(client) == ["embedded", "served"]
        assert log.topic("served").partitions == 1


def test_a_server_that_was_killed_leaves_the_folder_to_the_next(tmp_path):
    server = ServerProcess(tmp_path).start()
    with WireClient(server) as client:
        client.ask(create("kept", 3))
    server.kill()
    addresses = server.bootstrap_servers
    with server:
        assert server.bootstrap_servers == addresses
        with WireClient(server) as client:
            assert names(client) == ["kept"]


def test_a_forked_child_of_the_servers_process_does_not_hold_the_folder(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from pylog.testing import Server\n"
        "server = Server(sys.argv[1]).start()\n"
        "if os.fork() == 0:\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
        "    os._exit(0)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    with Server(tmp_path):
        process.communicate()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_acknowledged_is_there_after_the_end(tmp_path, end):
    server = ServerProcess(tmp_path).start()
    with WireClient(server) as client:
        for number in range(5):
            client.send(create(f"t{number}"), 7)
        acknowledged = [client.receive().topics[0].name for _ in range(3)]
        getattr(server, end)()
    with LogDir.open(tmp_path) as log_dir:
        assert set(acknowledged) <= set(log_dir.topics())


def test_sigterm_ends_a_server_with_a_quiet_log_and_answers_first(tmp_path):
    server = ServerProcess(tmp_path).start()
    with WireClient(server) as client:
        client.send(create("last"), 7)
        assert client.receive().topics[0].error_code == 0
        assert server.stop() == ""
        assert client.is_closed()


def start_command(folder):
    """`pylog serve` as a shell starts it: the process, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pylog", "serve", str(folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    return process, process.stdout.readline().partition(" on ")[2].partition(";")[0]


def test_sighup_ends_a_server_as_sigterm_does(tmp_path):
    process, address = start_command(tmp_path)
    with WireClient(address) as client:
        client.ask(create("last"), 7)
        process.send_signal(signal.SIGHUP)
        assert client.is_closed()
    assert (process.communicate()[1], process.returncode) == ("", 0)


def test_a_server_that_is_to_ignore_sighup_stays(tmp_path):
    """As nohup starts it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process, address = start_command(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    with WireClient(address) as client:
        client.ask(create("after"), 7)
    process.send_signal(signal.SIGTERM)
    assert (process.communicate()[1], process.returncode) == ("", 0)


def test_stopping_does_not_wait_for_clients_that_rest_or_are_half_done(tmp_path):
    with Server(tmp_path) as server:
        host, port = server.bootstrap_servers.split(":")
        resting = socket.create_connection((host, int(port)))
        begun = socket.create_connection((host, int(port)))
        begun.sendall(b"\0\0\1\0half")
        with WireClient(server) as client:
            assert names(client) == []
    for client in (resting, begun):
        assert client.recv(1) == b""
        client.close()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(KafkaException, match=f"cannot listen on 127.0.0.1:{port}"):
            Server(tmp_path, properties={"listeners": f"PLAINTEXT://127.0.0.1:{port}"}).start()
    with Server(tmp_path):  # the folder was let go of
        pass


def test_a_folder_that_is_none_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(KafkaException, match="not a pylog folder"):
        Server(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_lock_file_is_private(tmp_path):
    with Server(tmp_path):
        assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600


# ---- several listeners, several nodes ----


def test_clients_of_each_listener_are_told_its_addresses(tmp_path):
    properties = {
        "listeners": "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.2:0",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
        "advertised.listeners": "OUTSIDE://kafka.test:9999",
    }
    with Server(tmp_path, brokers=2, properties=properties) as server:
        outside = server._listener._acceptors[2]._sockets[0].getsockname()
        with WireClient(server) as client:
            nodes = client.ask(METADATA.MetadataRequest(topics=[])).brokers
            assert [node.host for node in nodes] == ["127.0.0.1", "127.0.0.1"]
        with WireClient(f"{outside[0]}:{outside[1]}") as client:
            nodes = client.ask(METADATA.MetadataRequest(topics=[])).brokers
            assert [(node.host, node.port) for node in nodes] == [
                ("kafka.test", 9999), ("kafka.test", 10000)
            ]  # fmt: skip


def test_a_server_on_all_addresses_tells_each_client_the_one_it_came_by(tmp_path):
    with ServerProcess(tmp_path, listen="0.0.0.0:0", arguments=["--insecure"]) as server:
        port = server.bootstrap_servers.rpartition(":")[2]
        for host in ("127.0.0.1", "127.0.0.3"):
            with WireClient(f"{host}:{port}") as client:
                (node,) = client.ask(METADATA.MetadataRequest(topics=[])).brokers
                assert (node.host, str(node.port)) == (host, port)


@pytest.mark.parametrize("version", range(3))
def test_the_cluster_is_described_at_every_version(version):
    with (
        Server(brokers=3, properties={"broker.rack": "r1"}) as server,
        WireClient(server) as client,
    ):
        response = client.ask(CLUSTER.DescribeClusterRequest(), version)
        assert (response.error_code, response.controller_id) == (0, 0)
        assert response.cluster_id == server.broker.log_dir.cluster_id
        assert [(one.broker_id, one.rack) for one in response.brokers] == [
            (0, "r1"), (1, "r1"), (2, "r1")
        ]  # fmt: skip
        assert response.endpoint_type == 1
        assert response.cluster_authorized_operations == -(2**31)


@pytest.mark.parametrize(
    ("endpoint_type", "code"),
    [(2, KafkaError.MISMATCHED_ENDPOINT_TYPE), (3, KafkaError.UNSUPPORTED_ENDPOINT_TYPE)],
)
def test_there_are_no_controllers_beside_the_brokers(kafka_server, endpoint_type, code):
    with WireClient(kafka_server) as client:
        response = client.ask(CLUSTER.DescribeClusterRequest(endpoint_type=endpoint_type), 1)
    assert (response.error_code, response.brokers) == (code, [])


def test_a_server_runs_without_uvloop(tmp_path):
    program = (
        "import sys\n"
        "sys.modules['uvloop'] = None\n"
        "from pylog.cli.main import main\n"
        "sys.exit(main(['serve', sys.argv[1], '--port', '0']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    address = process.stdout.readline().split(" on ")[1].split(";")[0]
    with WireClient(address) as client:
        for number in range(3):
            client.send(create(f"t{number}"), 7)
        assert [client.receive().topics[0].error_code for _ in range(3)] == [0, 0, 0]
        assert names(client) == ["t0", "t1", "t2"]
    process.terminate()
    assert process.wait() == 0
    process.stdout.close()
