"""Listener: the loop, the sockets, and the end.

A server is one more process on a folder. One server a folder: it holds a lock, which the kernel
gives up when the process dies, however it dies.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from logcore.errors import LogError
from pylog import byte_locks
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception, refuse
from pylog.log_dir import LogDir
from pylog.private_files import close_private, fork_count, open_private
from pylog.server import security
from pylog.server.acceptor import Acceptor
from pylog.server.broker import Broker, Node
from pylog.server.config import ServerConfig
from pylog.server.listener_config import ListenerConfig, refuse_address

if TYPE_CHECKING:
    from pylog.server.tls import CurrentContext

_log = logging.getLogger("pylog.server")

LOCK_FILE = ".server.lock"
SWEEP_INTERVAL_S = 1.0
BIND_ATTEMPTS = 20
STOP_TIMEOUT_S = 5.0
"""How long a server waits at its end for clients to take their responses."""


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop where that is installed, else of asyncio."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Listener:
    """A server: from `start` on it takes connections, until `stop`.

    Args:
        folder: of the log; made when missing.
        config: of the server.

    Attributes:
        broker: what is served; None before `start`.
    """

    def __init__(self, folder: str, config: ServerConfig) -> None:
        self.folder = folder
        self.config = config
        self.broker: Broker | None = None
        self._log_dir: LogDir | None = None
        self._lock: tuple[int, int] | None = None
        self._acceptors: list[Acceptor] = []
        self._first_sockets: list[list[socket.socket]] = []
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the first listener listens: one address a node, whatever is advertised."""
        return [_reachable(*sockets[0].getsockname()[:2]) for sockets in self._first_sockets]

    # ---- begin ----

    async def start(self) -> None:
        """Open the folder and listen.

        Raises:
            KafkaException: the folder is none, or has a server already; an address is taken.
        """
        loop = asyncio.get_running_loop()
        try:
            self._log_dir = LogDir.open(self.folder)
            self._lock = _lock_folder(self._log_dir.path)
            self.broker = Broker(self._log_dir, self.config, loop)
            self.broker.load_kept_configs()
            security.install(self.broker)
            for listener in self.config.listeners:
                self._listen(self.broker, listener)
            if self.config.metrics_address is not None:
                from pylog.server.metrics_http import MetricsPage

                await MetricsPage(self.broker).start(*self.config.metrics_address)
            self.broker.groups.resume()
        except BaseException:
            await self.stop()
            raise
        self._sweeper = loop.call_later(SWEEP_INTERVAL_S, self._sweep)

    def _listen(self, broker: Broker, listener: ListenerConfig) -> None:
        tls = _tls_context(broker, listener)
        backlog = self.config.integer("socket.listen.backlog.size")
        by_node = _bind_nodes(listener, len(broker.node_ids), backlog)
        acceptors = [
            Acceptor(broker, listener, node_id, sockets, tls)
            for node_id, sockets in zip(broker.node_ids, by_node, strict=True)
        ]
        self._acceptors += acceptors
        self._first_sockets = self._first_sockets or by_node
        host = listener.advertised_host or listener.host
        if host in ("0.0.0.0", "::"):
            host = ""
        broker.nodes[listener.name] = [
            Node(
                node_id,
                host,
                (listener.advertised_port and listener.advertised_port + index)
                or sockets[0].getsockname()[1],
            )
            for index, (node_id, sockets) in enumerate(zip(broker.node_ids, by_node, strict=True))
        ]
        for acceptor in acceptors:
            acceptor.start()

    def _sweep(self) -> None:
        """Once a second."""
        assert self.broker is not None
        loop = self.broker.loop
        now_s = loop.time()
        self._sweeper = loop.call_later(SWEEP_INTERVAL_S, self._sweep)
        for connection in list(self.broker.connections):
            connection.sweep(now_s)
        for call in self.broker.on_second:
            try:
                call(now_s)
            except (OSError, LogError, KafkaException) as error:  # no file to be had, a full disk
                _log.error("work of every second failed: %s", error)
            except Exception:
                _log.exception("work of every second failed")

    # ---- end ----

    async def stop(self) -> None:
        """Take no more connections, answer what was asked, make durable what was appended."""
        acceptors, self._acceptors = self._acceptors, []
        for acceptor in acceptors:
            acceptor.close()
        self._first_sockets.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        broker, self.broker = self.broker, None
        log_dir, self._log_dir = self._log_dir, None
        try:
            if broker is not None:
                for acceptor in acceptors:
                    await acceptor.wait_closed()
                broker.stop_waiting()
                await _drain(broker)
                await broker.loop.run_in_executor(None, broker.close)
        finally:
            self._close_folder(log_dir)

    def _close_folder(self, log_dir: LogDir | None) -> None:
        try:
            if log_dir is not None:
                log_dir.close()
        finally:
            if self._lock is not None:
                close_private(*self._lock)
                self._lock = None


async def _drain(broker: Broker) -> None:
    """Wait until the clients have what they asked for; who does not take it is cut off."""
    for connection in list(broker.connections):
        connection.close_when_done()
    deadline_s = broker.loop.time() + STOP_TIMEOUT_S
    while broker.connections and broker.loop.time() < deadline_s:
        await asyncio.sleep(0.005)
    for connection in list(broker.connections):
        connection.abort()
    await asyncio.sleep(0)


def serve(
    folder: str, config: ServerConfig, on_ready: Callable[[Listener], None] | None = None
) -> None:
    """Serve a folder until SIGTERM, SIGINT or SIGHUP; the last unless it is ignored (nohup).

    Args:
        folder: of the log; made when missing.
        config: of the server.
        on_ready: called when clients can connect.

    Raises:
        KafkaException: the folder is none, or has a server already; an address is taken.
    """
    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_serve(Listener(folder, config), on_ready))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _serve(listener: Listener, on_ready: Callable[[Listener], None] | None) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    ends = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    for number in ends:
        loop.add_signal_handler(number, stopping.set)
    try:
        await listener.start()
        if on_ready is not None:
            on_ready(listener)
        await stopping.wait()
    finally:
        await listener.stop()


def _reachable(host: str, port: int) -> tuple[str, int]:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _lock_folder(path: str) -> tuple[int, int]:
    """Be the one server of a folder: the descriptor that holds the lock, and when it was opened."""
    lock_path = os.path.join(path, LOCK_FILE)
    opened_at = fork_count()
    try:
        fd = open_private(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise as_kafka_exception(error, lock_path, is_opening=True) from error
    if byte_locks.try_lock(fd, 0):
        with contextlib.suppress(OSError):  # for messages only
            os.pwrite(fd, f"{os.getpid():<20}".encode(), 0)
        return fd, opened_at
    owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
    close_private(fd, opened_at)
    refuse(
        KafkaError._STATE,
        f"{path} is served by another server, process {owner}. Programs that embed the log may "
        "share a folder with a server, a second server may not: let clients connect to that one, "
        "or stop it",
    )


def _bind_nodes(listener: ListenerConfig, count: int, backlog: int) -> list[list[socket.socket]]:
    """The sockets of each node, on ports that follow each other; free ones when the port is 0."""
    for attempt in range(BIND_ATTEMPTS):
        port = listener.port
        by_node: list[list[socket.socket]] = []
        try:
            for _ in range(count):
                by_node.append(_bind(listener.host, port, backlog))
                port = by_node[-1][0].getsockname()[1] + 1
            return by_node
        except KafkaException:
            for bound in sum(by_node, []):
                bound.close()
            if listener.port or not by_node or attempt == BIND_ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt raises or returns")


def _bind(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Sockets for every address of a host; the same free port on all of them when port is 0."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in sorted(set(found), key=lambda row: row[0]):
            wanted = port or (sockets[0].getsockname()[1] if sockets else 0)
            bound = socket.socket(family, kind, protocol)
            sockets.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                bound.bind((address[0], wanted, *address[2:]))
            except OSError as error:
                # A name such as localhost may have an address of a kind that the machine lacks.
                if error.errno != errno.EADDRNOTAVAIL or len(sockets) == 1 == len(found):
                    raise
                sockets.remove(bound)
                bound.close()
                continue
            bound.listen(backlog)
            bound.setblocking(False)
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    except (OSError, OverflowError) as error:  # no port above the last, after a free one
        for bound in sockets:
            bound.close()
        refuse_address(host or "0.0.0.0", port, error)
    return sockets


def _tls_context(broker: Broker, listener: ListenerConfig) -> "CurrentContext | None":
    if not listener.has_tls:
        return None
    from pylog.server import tls

    return tls.CurrentContext(broker.config, listener)
