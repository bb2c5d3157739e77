"""Stock Kafka Connect over the listener: the file source and the file sink, in both modes."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

TIMEOUT_S = 120
LINES = [f"line {number}" for number in range(200)]
FILES = "org.apache.kafka.connect.file.FileStream"
STRINGS = "org.apache.kafka.connect.storage.StringConverter"


def connectors(folder: Path, topic: str) -> dict[str, dict[str, str]]:
    source = {"file": str(folder / "in"), "topic": topic}
    sink = {"file": str(folder / "out"), "topics": topic}
    return {
        f"{topic}-source": {"connector.class": f"{FILES}SourceConnector", **source},
        f"{topic}-sink": {"connector.class": f"{FILES}SinkConnector", **sink},
    }


def write_properties(path: Path, properties: dict[str, str]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path


@contextmanager
def running(clients: ModuleType, main_class: str, *paths: Path) -> Iterator[Path]:
    """Run a worker while the body runs; yield what it prints to."""
    log_path = paths[0].with_suffix(".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            clients.connect_command(main_class, *map(str, paths)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log_path
    finally:
        process.kill()
        process.wait()


def wait_for_lines(path: Path, lines: list[str], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not path.exists() or path.read_text().splitlines() != lines:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def wait_for_offsets(server: ServerProcess, name: str, size: int, log: Path) -> None:
    """Wait until the source has kept that it read `size` bytes, and the sink that it has all."""
    deadline = time.monotonic() + TIMEOUT_S
    common = {"bootstrap.servers": server.bootstrap_servers}
    consumer = Consumer({**common, "group.id": f"{name}-kept"})
    consumer.assign([TopicPartition(f"{name}-offset", 0, OFFSET_BEGINNING)])
    position = 0
    while position < size:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        message = consumer.poll(1)
        if message is not None and not message.error():
            position = json.loads(message.value() or b"{}").get("position", 0)
    consumer.close()
    admin, group = AdminClient(common), f"connect-{name}-sink"
    committed = 0
    while committed < len(LINES):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(TIMEOUT_S).topic_partitions
        committed = sum(max(0, place.offset) for place in found)


@pytest.fixture
def worker(server: ServerProcess, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "in").write_text("\n".join(LINES) + "\n")
    return {
        "bootstrap.servers": server.bootstrap_servers,
        "key.converter": STRINGS,
        "value.converter": STRINGS,
        "offset.flush.interval.ms": "500",
    }


def test_standalone_connect_copies_a_file_through_a_topic(
    clients: ModuleType,
    toolchain: Callable[[str], None],
    worker: dict[str, str],
    name: str,
    tmp_path: Path,
) -> None:
    toolchain("connect")
    worker |= {"offset.storage.file.filename": str(tmp_path / "offsets")}
    worker |= {"listeners": "HTTP://127.0.0.1:0"}
    paths = [write_properties(tmp_path / "worker", worker)]
    for connector, properties in connectors(tmp_path, name).items():
        paths.append(write_properties(tmp_path / connector, {"name": connector, **properties}))
    with running(clients, "ConnectStandalone", *paths) as log:
        wait_for_lines(tmp_path / "out", LINES, log)


def test_distributed_connect_goes_on_where_a_killed_worker_was(
    clients: ModuleType,
    toolchain: Callable[[str], None],
    server: ServerProcess,
    worker: dict[str, str],
    free_port: int,
    name: str,
    tmp_path: Path,
) -> None:
    toolchain("connect")
    place = f"http://127.0.0.1:{free_port}"
    worker |= {"listeners": place.replace("http", "HTTP"), "group.id": name}
    worker |= {"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
    for what in ("config", "offset", "status"):
        worker |= {f"{what}.storage.topic": f"{name}-{what}"}
        worker |= {f"{what}.storage.replication.factor": "1"}
    worker |= {"offset.storage.partitions": "1"}
    path = write_properties(tmp_path / "worker", worker)
    with running(clients, "ConnectDistributed", path) as log:
        for connector, properties in connectors(tmp_path, name).items():
            put(f"{place}/connectors/{connector}/config", properties, log)
        wait_for_lines(tmp_path / "out", LINES, log)
        wait_for_offsets(server, name, (tmp_path / "in").stat().st_size, log)
    with (tmp_path / "in").open("a") as more:
        more.write("the last line\n")
    with running(clients, "ConnectDistributed", path) as log:
        wait_for_lines(tmp_path / "out", [*LINES, "the last line"], log)


def put(url: str, body: dict[str, Any], log: Path) -> None:
    """PUT until the worker is up and the leader of its group."""
    deadline = time.monotonic() + TIMEOUT_S
    headers = {"Content-Type": "application/json"}
    while True:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)
