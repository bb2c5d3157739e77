"""kcat against the listener."""

import json
import subprocess
import time
from typing import Any

import pytest

from pylog.testing.process import ServerProcess

pytestmark = pytest.mark.peer

TIMEOUT_S = 60


class Kcat:
    """The program, with the server's address.

    Args:
        program: its path.
        bootstrap: of the server.
    """

    def __init__(self, program: str, bootstrap: str):
        self._words = [program, "-q", "-b", bootstrap]

    def run(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [*self._words, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def consume(self, topic: str, *arguments: str) -> list[str]:
        return self.run("-C", "-t", topic, "-e", *arguments).splitlines()


@pytest.fixture
def cat(kcat: str, server: ServerProcess) -> Kcat:
    return Kcat(kcat, server.bootstrap_servers)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kcat_reads_what_it_wrote_with_keys_and_headers(cat: Kcat, name: str, codec: str) -> None:
    lines = [f"key {number}:value {number}" for number in range(1000)]
    text = "\n".join(lines)
    cat.run("-P", "-t", name, "-K:", "-z", codec, "-H", "a=b", "-p", "1", stdin=text)
    assert cat.consume(name, "-p", "1", "-o", "beginning", "-f", "%k:%s\n") == lines
    assert cat.consume(name, "-p", "1", "-o", "-1", "-f", "%o %h\n") == ["999 a=b"]
    assert cat.consume(name, "-p", "1", "-o", "10", "-c", "2", "-f", "%k\n") == ["key 10", "key 11"]


def test_kcat_writes_without_acknowledgement(cat: Kcat, name: str) -> None:
    cat.run("-P", "-t", name, "-p", "0", "-X", "acks=0", stdin="one\ntwo")
    deadline = time.monotonic() + TIMEOUT_S
    while len(cat.consume(name, "-p", "0", "-o", "beginning")) < 2:
        assert time.monotonic() < deadline


def test_kcat_lists_metadata(cat: Kcat, server: ServerProcess, name: str) -> None:
    cat.run("-P", "-t", name, stdin="x")
    found: dict[str, Any] = json.loads(cat.run("-L", "-J", "-t", name))
    assert [broker["name"] for broker in found["brokers"]] == [server.bootstrap_servers]
    (topic,) = found["topics"]
    assert [part["partition"] for part in topic["partitions"]] == [0, 1, 2, 3]


def test_kcat_asks_offsets_by_time(cat: Kcat, name: str) -> None:
    cat.run("-P", "-t", name, "-p", "0", stdin="before")
    time.sleep(0.05)  # the records' times are to differ
    moment = int(time.time() * 1000)
    cat.run("-P", "-t", name, "-p", "0", stdin="after")
    answer = cat.run("-Q", "-t", f"{name}:0:{moment}")
    assert answer.split() == [name, "[0]", "offset", "1"]
    assert cat.consume(name, "-p", "0", "-o", f"s@{moment}") == ["after"]


def test_kcat_consumes_in_a_group_and_goes_on_where_it_was(cat: Kcat, name: str) -> None:
    cat.run("-P", "-t", name, stdin="\n".join(map(str, range(100))))
    group = ("-G", name, "-X", "auto.offset.reset=earliest", "-e", name)
    assert sorted(map(int, cat.run(*group).split())) == list(range(100))
    cat.run("-P", "-t", name, stdin="more")
    assert cat.run(*group).split() == ["more"]


def test_kcat_reads_committed_transactions_only(cat: Kcat, kcat: str, name: str) -> None:
    transactional = ("-P", "-t", name, "-p", "0", "-X", f"transactional.id={name}")
    cat.run(*transactional, stdin="a\nb")
    command = [*cat._words, *transactional]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as cut:
        assert cut.stdin is not None
        cut.stdin.write(b"c\nd\n" * 1000)
        cut.stdin.flush()
        deadline = time.monotonic() + TIMEOUT_S
        uncommitted = ("-p", "0", "-o", "beginning", "-X", "isolation.level=read_uncommitted")
        while len(cat.consume(name, *uncommitted)) < 100:
            assert time.monotonic() < deadline
        cut.kill()
    assert cat.consume(name, "-p", "0", "-o", "beginning", "-X", "isolation.level=read_committed",
                       "-c", "2") == ["a", "b"]  # fmt: skip
    cat.run(*transactional, stdin="e\nf")  # its next life ends the open transaction
    committed = ("-p", "0", "-o", "beginning", "-X", "isolation.level=read_committed")
    assert cat.consume(name, *committed) == ["a", "b", "e", "f"]
