"""Acceptor: who comes to a node's sockets: let in, sent away, or let wait and then sent away.

A connection counts from the moment it is there, before a client has said anything, and TLS is made
with whoever is let in. One too many of an address, within its connection_creation_rate, is held
until there would be room and then closed, so that its client does not come back at once.

Source: Kafka SocketServer.Acceptor, ConnectionQuotas, DelayedCloseSocket.
"""

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING

from pylog.server.config import AUTHENTICATION_S
from pylog.server.connection import Connection, is_uvloop
from pylog.server.listener_config import ListenerConfig
from pylog.server.sliced_connection import SlicedConnection

if TYPE_CHECKING:
    from pylog.server.broker import Broker
    from pylog.server.tls import CurrentContext

_log = logging.getLogger("pylog.server")

ACCEPTED_AT_ONCE = 100
MOST_DELAYED = 1000
"""Connections that wait to be closed; beyond, they are closed at once."""

FULL_REST_S = 1.0
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE = frozenset({errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO})


class Acceptor:
    """Takes the connections of a node that come by one of the listeners.

    Args:
        broker: of the node.
        listener: that it listens by.
        node_id: of the node.
        sockets: bound and listening; closed by `close`.
        tls: what TLS is made with, None for none.
    """

    def __init__(
        self,
        broker: "Broker",
        listener: ListenerConfig,
        node_id: int,
        sockets: list[socket.socket],
        tls: "CurrentContext | None",
    ) -> None:
        self._broker = broker
        self._listener = listener
        self._node_id = node_id
        self._sockets = sockets
        self._tls = tls
        self._connecting: set[asyncio.Task[None]] = set()
        self._delayed: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Take connections from now on."""
        for bound in self._sockets:
            self._broker.loop.add_reader(bound.fileno(), self._accept, bound)

    def close(self) -> None:
        """Take no more connections, and drop those whose TLS is not made yet."""
        sockets, self._sockets = self._sockets, []
        for bound in sockets:
            self._broker.loop.remove_reader(bound.fileno())
            bound.close()
        # Without TLS it is made in a turn of the loop or two, and uvloop makes it in any case.
        if self._tls is not None:
            for task in self._connecting:
                task.cancel()
        for waiting, timer in self._delayed.items():
            timer.cancel()
            waiting.close()
        self._delayed.clear()

    async def wait_closed(self) -> None:
        """Wait until what was on its way at `close` is there, or gone."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    # ---- one after the other ----

    def _accept(self, bound: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, address = bound.accept()
            except OSError as error:
                if error.errno in _FULL:
                    self._rest(bound, error)
                elif error.errno not in _GONE:  # of the network, as accept(2) tells it
                    _log.error("a connection was not taken: %s", error.strerror)
                return
            try:
                self._admit(accepted, address[0])
            except OSError:  # its client is gone
                accepted.close()

    def _rest(self, bound: socket.socket, error: OSError) -> None:
        """Let who comes wait in the kernel: this process can take no more for now."""
        _log.error("no more connections for now: %s", error.strerror)
        self._broker.loop.remove_reader(bound.fileno())
        self._broker.loop.call_later(FULL_REST_S, self._resume, bound)

    def _resume(self, bound: socket.socket) -> None:
        if bound in self._sockets:
            self._broker.loop.add_reader(bound.fileno(), self._accept, bound)

    def _admit(self, accepted: socket.socket, host: str) -> None:
        broker = self._broker
        accepted.setblocking(False)
        delay_s = 0.0 if broker.quotas is None else broker.quotas.connection_delay_s(host)
        if delay_s:
            self._close_later(accepted, host, delay_s)
            return
        refusal = broker.limits.admit(host)
        if refusal:
            _log.warning("connection of %s refused: %s", host, refusal)
            accepted.close()
            return
        # asyncio's TLS takes slices of what it receives into, which only a memoryview has.
        is_sliced = self._tls is not None and not is_uvloop(broker.loop)
        make = SlicedConnection if is_sliced else Connection
        connection = make(broker, self._listener, self._node_id, host)
        task = broker.loop.create_task(self._connect(connection, accepted))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _close_later(self, accepted: socket.socket, host: str, delay_s: float) -> None:
        if len(self._delayed) >= MOST_DELAYED:
            accepted.close()
            return
        _log.info("connection of %s closed in %.3f s: it is one too many a second", host, delay_s)
        self._delayed[accepted] = self._broker.loop.call_later(
            delay_s, self._close_delayed, accepted
        )

    def _close_delayed(self, accepted: socket.socket) -> None:
        del self._delayed[accepted]
        accepted.close()

    async def _connect(self, connection: Connection, accepted: socket.socket) -> None:
        """Make a connection of it, with TLS or without."""
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = None if self._tls is None else self._tls.get()
            await self._broker.loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=AUTHENTICATION_S if context is not None else None,
            )
        except OSError as error:  # TimeoutError and ssl.SSLError too
            _log.info("connection of %s came to nothing: %s", connection.client_host, error)
            accepted.close()
        finally:
            if not connection.is_made:
                self._broker.limits.leave(connection)
