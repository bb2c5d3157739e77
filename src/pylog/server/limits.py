"""Limits: how many connections, and how much memory for requests that are coming in."""

from typing import TYPE_CHECKING

from pylog.server.listener_config import LOOPBACK

if TYPE_CHECKING:
    from pylog.server.connection import Connection

SMALL_BYTES = 64 << 10
"""What each connection may hold in any case."""


class Limits:
    """Counts connections by address, and what they hold.

    Args:
        max_connections: in all.
        max_connections_per_address: of one address, but the machine's own.
        max_held_bytes: of requests that are coming in.
    """

    def __init__(
        self, max_connections: int, max_connections_per_address: int, max_held_bytes: int
    ) -> None:
        self.set(max_connections, max_connections_per_address, max_held_bytes)
        self._by_address: dict[str, int] = {}
        self._held: dict[Connection, int] = {}  # those with more than a little, in their order
        self._waiting: dict[Connection, None] = {}
        self.connection_count = 0
        self.held_bytes = 0

    def set(
        self, max_connections: int, max_connections_per_address: int, max_held_bytes: int
    ) -> None:
        """Set other limits, for those who come from now on; arguments as those of the class."""
        self._max_connections = max_connections
        self._max_per_address = max_connections_per_address
        self._max_held_bytes = max_held_bytes if max_held_bytes > 0 else 1 << 62

    def admit(self, address: str) -> str:
        """Count a connection of an address in; why it cannot be, when it cannot."""
        count = self._by_address.get(address, 0)
        if self.connection_count >= self._max_connections:
            return f"there are {self.connection_count}, as many as there may be"
        if count >= self._max_per_address and not address.startswith(LOOPBACK):
            return f"there are {count} of this address, as many as there may be"
        self._by_address[address] = count + 1
        self.connection_count += 1
        return ""

    def leave(self, connection: "Connection") -> None:
        """Count a connection out."""
        address = connection.client_host
        count = self._by_address[address] - 1
        if count:
            self._by_address[address] = count
        else:
            del self._by_address[address]
        self.connection_count -= 1
        self._waiting.pop(connection, None)
        self.hold(connection, 0)

    @property
    def is_tight(self) -> bool:
        """Whether somebody waits for memory."""
        return bool(self._waiting)

    def hold(self, connection: "Connection", held_bytes: int) -> bool:
        """Say how much a connection holds, or will when it reads on; whether it may.

        Over the limit those wait that want much, but for the one that holds longest: it gets done.
        """
        if held_bytes <= SMALL_BYTES and connection not in self._held and not self._waiting:
            return True
        before = self._held.get(connection, 0)
        wanted = held_bytes if held_bytes > SMALL_BYTES else 0
        if wanted > before and not self._may_grow(connection, wanted - before):
            self._waiting[connection] = None
            return False
        self._waiting.pop(connection, None)
        if wanted:
            self._held[connection] = wanted
        elif before:
            del self._held[connection]
        self.held_bytes += wanted - before
        if wanted < before and self._waiting:
            waiting, self._waiting = list(self._waiting), {}
            for other in waiting:
                other.read_on()
        return True

    def _may_grow(self, connection: "Connection", more_bytes: int) -> bool:
        if self.held_bytes + more_bytes <= self._max_held_bytes:
            return True
        return next(iter(self._held), connection) is connection
