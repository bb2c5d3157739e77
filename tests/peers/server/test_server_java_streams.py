"""Kafka Streams' word count over the listener: exactly once, whatever is killed."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pylog import Consumer, KafkaError, Producer, TopicPartition
from pylog.admin import AdminClient, NewTopic
from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

TIMEOUT_S = 120
PARTITIONS = 2
WORDS = list("abcdefgh")
# A client that is killed is missed soon, and its transaction ends soon.
BRIEF = ["consumer.session.timeout.ms=6000", "producer.transaction.timeout.ms=8000"]


class WordCount:
    """The Java application, which can be killed and started again.

    Args:
        clients: scripts/peers/clients.py as a module.
        server: where its topics are.
        name: the application's, and what its topics' names begin with.
        folder: for its state.
    """

    def __init__(self, clients: ModuleType, server: ServerProcess, name: str, folder: Path):
        self._clients = clients
        self._server = server
        self._name = name
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        topics = [f"{self._name}-lines", f"{self._name}-counts"]
        words = [self._server.bootstrap_servers, self._name, *topics, str(self._folder), *BRIEF]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._clients.java_command("WordCount", *words),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """End it by the end of its input: it commits, and leaves."""
        assert self._process is not None
        self._process.communicate(timeout=TIMEOUT_S)
        assert self._process.returncode == 0, (self._folder / "log").read_text()[-3000:]


@pytest.fixture
def own_server() -> Iterator[ServerProcess]:
    """Return a server that a test may kill."""
    with ServerProcess(properties={"group.initial.rebalance.delay.ms": "0"}) as running:
        yield running


def write(bootstrap: str, topic: str, source: random.Random, count: int) -> Counter[str]:
    expected: Counter[str] = Counter()
    with Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True}) as producer:
        for _ in range(count):
            words = source.choices(WORDS, k=4)
            expected.update(words)
            producer.produce(topic, " ".join(words), partition=source.randrange(PARTITIONS))
        assert producer.flush(TIMEOUT_S) == 0
    return expected


def read_counts(bootstrap: str, topic: str) -> dict[str, list[int]]:
    """The committed counts of each word, in order."""
    found: dict[str, list[int]] = {}
    conf = {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True}
    conf |= {"isolation.level": "read_committed", "enable.auto.commit": False}
    with Consumer(conf) as consumer:
        for partition in range(PARTITIONS):
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(TIMEOUT_S)
                assert message is not None
                if message.error() is not None:
                    assert message.error() == KafkaError._PARTITION_EOF
                    break
                found.setdefault(message.key().decode(), []).append(int(message.value()))
    return found


@pytest.mark.parametrize("victim", ["nobody", "application", "server"])
def test_word_count_counts_each_word_once(
    victim: str,
    clients: ModuleType,
    toolchain: Callable[[str], None],
    own_server: ServerProcess,
    name: str,
    tmp_path: Path,
    random_source: random.Random,
) -> None:
    toolchain("java")
    bootstrap = own_server.bootstrap_servers
    lines, counts = f"{name}-lines", f"{name}-counts"
    with AdminClient({"bootstrap.servers": bootstrap}) as admin:
        for future in admin.create_topics(
            [NewTopic(topic, PARTITIONS) for topic in (lines, counts)]
        ).values():
            future.result(TIMEOUT_S)
    app = WordCount(clients, own_server, name, tmp_path)
    app.start()
    expected = write(bootstrap, lines, random_source, 2000)
    deadline = time.monotonic() + TIMEOUT_S
    while not read_counts(bootstrap, counts):
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
    if victim == "application":
        app.kill()
        app.start()
    elif victim == "server":
        own_server.kill()
        own_server.start()
    expected += write(bootstrap, lines, random_source, 2000)
    while True:
        found = read_counts(bootstrap, counts)
        if {word: rows[-1] for word, rows in found.items()} == expected:
            break
        assert time.monotonic() < deadline, (found.keys(), (tmp_path / "log").read_text()[-3000:])
    app.stop()
    for word, rows in read_counts(bootstrap, counts).items():
        assert rows == sorted(set(rows)), f"{word}: a count was told twice, or went back"
        assert rows[-1] == expected[word]
