"""Metrics: what is counted, by which names, and the page that shows it. Logs as JSON."""

import contextlib
import json
import logging
import re
import socket
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from secure_server import sasl_server
from wire_client import WireClient, api

from pylog.server.logs import JsonFormatter
from pylog.server.metrics import Text
from pylog.testing import Server, ServerProcess

METADATA, HANDSHAKE, AUTHENTICATE = api(3), api(17), api(36)
_SAMPLE = re.compile(r'([a-z_:][a-zA-Z0-9_:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')


def scrape(server):
    """The samples of the page by name and labels; every line must be one of the format."""
    with urllib.request.urlopen(server.metrics_url, timeout=20) as page:
        assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = page.read().decode().splitlines()
    found = {}
    kinds = set()
    for line in lines:
        if line.startswith("#"):
            kinds.add(line.split()[2])
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        key = match[1], tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")))
        assert key not in found, line
        assert any(match[1] in (kind, *(f"{kind}_{end}" for end in ("sum", "count", "bucket")))
                   for kind in kinds)  # fmt: skip
        found[key] = float(match[3])
    return found


@pytest.fixture(scope="module")
def server():
    with Server(metrics=True, brokers=2) as server:
        yield server


def test_a_topic_a_group_and_its_lag_are_told_by_kafka_exporters_names(server):
    address = {"bootstrap.servers": server.bootstrap_servers}
    topic = NewTopic("orders", 2, replication_factor=2)
    admin = AdminClient(address)
    admin.create_topics([topic])["orders"].result(20)
    producer = Producer(address)
    for number in range(10):
        producer.produce("orders", b"x", partition=number % 2)
    producer.flush(20)
    consumer = Consumer(address | {"group.id": "g"})
    consumer.commit(offsets=[TopicPartition("orders", 0, 3)], asynchronous=False)
    consumer.close()
    found = scrape(server)
    first = (("partition", "0"), ("topic", "orders"))
    group = (("consumergroup", "g"), *first)
    of_group = (("consumergroup", "g"), ("topic", "orders"))
    expected = {
        ("kafka_brokers", ()): 2,
        ("kafka_topic_partitions", (("topic", "orders"),)): 2,
        ("kafka_topic_partition_current_offset", first): 5,
        ("kafka_topic_partition_oldest_offset", first): 0,
        ("kafka_topic_partition_replicas", first): 2,
        ("kafka_topic_partition_under_replicated_partition", first): 0,
        ("kafka_consumergroup_current_offset", group): 3,
        ("kafka_consumergroup_lag", group): 2,
        ("kafka_consumergroup_lag_sum", of_group): 2,
        ("kafka_consumergroup_members", (("consumergroup", "g"),)): 0,
        ("kafka_server_brokertopicmetrics_messagesin_total", (("topic", "orders"),)): 10,
        ("kafka_server_replicamanager_underreplicatedpartitions", ()): 0,
        ("kafka_controller_kafkacontroller_activecontrollercount", ()): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["kafka_log_log_size", first] > 0
    assert found["kafka_server_brokertopicmetrics_bytesin_total", ()] > 0
    assert found["kafka_server_brokertopicmetrics_totalproducerequests_total", ()] >= 1
    assert found["kafka_server_brokertopicmetrics_failedproducerequests_total", ()] == 0
    assert found["process_resident_memory_bytes", ()] > 1 << 20


def test_requests_are_counted_by_api_version_error_and_time(server):
    before = scrape(server)
    with WireClient(server) as client:
        for _ in range(3):
            client.ask(METADATA.MetadataRequest(topics=[]), 9)
        client.ask(HANDSHAKE.SaslHandshakeRequest(mechanism="PLAIN"), 1)
        found = scrape(server)
    key = "kafka_network_requestmetrics_requests_total", (("request", "Metadata"), ("version", "9"))
    assert found[key] - before.get(key, 0) == 3
    error = (("error", "ILLEGAL_SASL_STATE"), ("request", "SaslHandshake"))
    assert found["kafka_network_requestmetrics_errors_total", error] == 1
    count = found["pylog_request_duration_seconds_count", (("request", "Metadata"),)]
    last = (("le", "+Inf"), ("request", "Metadata"))
    assert found["pylog_request_duration_seconds_bucket", last] == count >= 3
    median = (("quantile", "0.5"), ("request", "Metadata"))
    assert 0 < found["kafka_network_requestmetrics_totaltimems", median] <= 5000
    listener = (("listener", "PLAINTEXT"),)
    assert found["kafka_server_socket_server_metrics_connection_count", listener] >= 1


def test_who_did_not_prove_who_it_is_is_counted():
    with sasl_server(metrics=True) as server, WireClient(server) as client:
        client.ask(HANDSHAKE.SaslHandshakeRequest(mechanism="PLAIN"), 1)
        client.ask(AUTHENTICATE.SaslAuthenticateRequest(auth_bytes=b"\0a\0b"), 2)
        found = scrape(server)
        assert found["kafka_server_socket_server_metrics_failed_authentication_total", ()] == 1


def test_other_pages_are_not_there(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(server.metrics_url[: -len("/metrics")], timeout=20)
    assert caught.value.code == 404
    caught.value.close()
    request = urllib.request.Request(server.metrics_url, data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 405
    caught.value.close()


@pytest.mark.parametrize(
    "data", [b"", b"\0\xff\r\n\r\n", b"GET", b"GET /" + b"x" * 20000, b"\r\n\r\n"]
)
def test_what_is_no_request_for_the_page_harms_nobody(server, data):
    host, port = server.metrics_url.split("/")[2].split(":")
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection((host, int(port)), timeout=20) as client,
    ):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
    assert scrape(server)


def test_labels_are_escaped():
    text = Text()
    text.sample("a", 1.5, name='x"y\\z\nw')
    assert str(text) == 'a{name="x\\"y\\\\z\\nw"} 1.5\n'


def test_the_page_is_for_this_machine_unless_insecure(tmp_path):
    with pytest.raises(RuntimeError, match="insecure"):
        ServerProcess(tmp_path, arguments=["--metrics=0.0.0.0:0"]).start()
    with ServerProcess(tmp_path, arguments=["--metrics=0.0.0.0:0", "--insecure"]) as server:
        assert server.bootstrap_servers


def test_a_port_of_the_page_that_is_taken_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeError) as caught:
            ServerProcess(tmp_path, arguments=[f"--metrics={address}"]).start()
    assert str(caught.value).endswith(f": cannot listen on {address}: Address already in use")
    assert "\n" not in str(caught.value)


def test_an_event_is_a_line_of_json():
    record = logging.makeLogRecord(
        {"name": "pylog.server", "levelname": "WARNING", "msg": "a %s\n", "args": ("b",),
         "client": "10.0.0.1", "created": 0.25, "msecs": 250.0}
    )  # fmt: skip
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "WARNING",
        "logger": "pylog.server",
        "message": "a b\n",
        "client": "10.0.0.1",
    }
