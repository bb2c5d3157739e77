"""Fuzz a server: `python -m fuzz.fuzz_server --seconds 600 --seed 7`.

Requests of every API and version, whole, changed, cut off, in pieces that stall, on many
connections, some through a proxy that cuts and delays both ways. Nobody waits for an answer to
those. After each round a client that does it right is answered, connections that were closed are
forgotten, and nothing was logged as a failure of the server itself. The seed is printed.
"""

import argparse
import contextlib
import logging
import random
import socket
import struct
import sys
import threading
import time

from fuzz.fuzz_wire import changed
from tests.wire.random_messages import RandomMessages, every_version

from pylog.testing import Server
from pylog.wire import Request, encode_request

CONNECTIONS = 12
TIMEOUT_S = 10.0
# Not sent whole: they make topics with as many partitions as the numbers say.
UNBOUNDED = frozenset({19, 37})
# Most connections end with a reset: the others keep their port for a minute.
RESET = struct.pack("ii", 1, 0)
QUIET_ENDS = 0.02

_HELLO = bytes.fromhex("00000013001200030000000100026d6500027802310000")


class Failures(logging.Handler):
    """Keeps what the server logs as its own failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an event."""
        self.found.append(logging.Formatter().format(record))


def requests(source: random.Random, is_whole: bool) -> list[bytes]:
    """A request of each API and version, with its size in front."""
    maker = RandomMessages(source)
    found = []
    for cls, key, version, direction in every_version():
        if direction != "request" or (is_whole and key in UNBOUNDED):
            continue
        message = maker.make(cls, version)
        found.append(b"".join(encode_request(Request(key, version, 7, "fuzz", message))))
    return found


def spoiled(data: bytes, source: random.Random) -> bytes:
    """Change a request behind its key and version, mostly with a size that is right."""
    body = data[4:8] + changed(data[8:], source)
    size = len(body) if source.random() < 0.9 else source.randrange(-(2**31), 2**31)
    return size.to_bytes(4, "big", signed=True) + body


def send(address: tuple[str, int], data: bytes, source: random.Random) -> None:
    """Send bytes in pieces, and hang up in one of the ways in which clients do."""
    try:
        with socket.create_connection(address, TIMEOUT_S) as client:
            if source.random() >= QUIET_ENDS:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            at = 0
            while at < len(data):
                size = source.choice((1, 7, 100, 4096, len(data)))
                client.sendall(data[at : at + size])
                at += size
                if source.random() < 0.02:
                    time.sleep(0.005)
            match source.randrange(3):
                case 0:
                    client.shutdown(socket.SHUT_WR)
                    client.settimeout(0.05)
                    with contextlib.suppress(TimeoutError):
                        while client.recv(1 << 16):
                            pass
                case 1:
                    client.settimeout(0.01)
                    with contextlib.suppress(TimeoutError):
                        client.recv(1 << 16)
    except OSError:
        pass  # the server may close whenever it likes


class Proxy:
    """Passes bytes on to a server, late and in pieces, and cuts some connections."""

    def __init__(self, target: tuple[str, int], source: random.Random) -> None:
        self._target = target
        self._source = source
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._socket.accept()[0]
                server = socket.create_connection(self._target, TIMEOUT_S)
                client.settimeout(TIMEOUT_S)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                for one, other in ((client, server), (server, client)):
                    source = random.Random(self._source.random())
                    thread = threading.Thread(
                        target=self._pass, args=(one, other, source), daemon=True
                    )
                    thread.start()

    def _pass(self, one: socket.socket, other: socket.socket, source: random.Random) -> None:
        try:
            while data := one.recv(source.choice((3, 100, 1 << 16))):
                if source.random() < 0.01:
                    break
                time.sleep(source.choice((0.0, 0.0, 0.0, 0.001)))
                other.sendall(data)
        except OSError:
            pass
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()


def is_answered(address: tuple[str, int]) -> bool:
    """Whether a client that does it right is."""
    with socket.create_connection(address, TIMEOUT_S) as client:
        client.sendall(_HELLO)
        return client.recv(8)[4:8] == b"\0\0\0\1"


def resting(server: Server) -> int:
    """Connections of which no request waits; that its client has gone is noticed at its end."""
    return sum(not one._pending for one in server.broker.connections)


def run_round(server: Server, source: random.Random, share: float = 1.0) -> None:
    """Send a share of what there is, over several connections at a time; then all must be well."""
    host, port = server.bootstrap_servers.partition(",")[0].split(":")
    address = host, int(port)
    proxy = Proxy(address, source)
    streams: list[bytes] = []
    whole = requests(source, is_whole=True)
    wrong = [spoiled(data, source) for data in requests(source, is_whole=False)]
    for data in (*whole, *wrong):
        if source.random() < share:
            if source.random() < 0.2:
                data = data[: source.randrange(len(data))]
            streams.append(data)
    source.shuffle(streams)

    def work(mine: list[bytes], own: random.Random) -> None:
        while mine:
            count = own.randrange(1, 6)
            data, mine[:count] = b"".join(mine[:count]), []
            send(own.choice((address, address, proxy.address)), data, own)

    threads = [
        threading.Thread(
            target=work, args=(streams[index::CONNECTIONS], random.Random(source.random()))
        )
        for index in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proxy.close()
    assert is_answered(address), "a client that does it right is not answered"
    deadline_s = time.monotonic() + TIMEOUT_S
    while server.call(resting, server):
        assert time.monotonic() < deadline_s, "connections that were closed are not forgotten"


def main() -> int:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    print(f"--seed {arguments.seed}", flush=True)
    source = random.Random(arguments.seed)
    failures = Failures()
    logging.getLogger("pylog.server").addHandler(failures)
    end_s = time.monotonic() + arguments.seconds
    rounds = 0
    with Server(brokers=2) as server:
        while time.monotonic() < end_s and not failures.found:
            run_round(server, source)
            rounds += 1
    print(f"{rounds} rounds")
    for text in failures.found:
        print(text)
    return 1 if failures.found else 0


if __name__ == "__main__":
    sys.exit(main())
