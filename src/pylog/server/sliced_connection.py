"""SlicedConnection: for TLS of asyncio, which takes slices of what it receives into."""

from typing import Any

from pylog.server.connection import Connection


class SlicedConnection(Connection):
    """A connection whose transport takes slices of what it receives into."""

    def get_buffer(self, sizehint: int) -> Any:
        """Return where to receive."""
        return memoryview(super().get_buffer(sizehint))
