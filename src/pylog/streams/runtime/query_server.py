"""QueryServer: answers other processes on this machine from the stores of its instance.

A Unix socket, in a folder that only its user may enter; its name follows from the instance's
client id, which the group tells. A message is a length (4 bytes, big-endian) and msgpack: keys,
windows and values travel as the stores' serdes write them. One request, one answer; what a range
holds is in the answer whole.

    request    {store, method, arguments, partition}
    answer     {entries: [...]} or {error, text}
"""

import contextlib
import hashlib
import os
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec

from pylog.streams.errors import InvalidStateStoreError, StreamsError
from pylog.streams.runtime import query_messages
from pylog.streams.runtime.queries import Queries

_SIZE = struct.Struct(">I")
_MAX_BYTES = 256 * 1024 * 1024
_TIMEOUT_S = 30.0


def socket_path(client_id: str) -> Path:
    """Where an instance of this user answers, or would."""
    digest = hashlib.blake2b(client_id.encode(), digest_size=12).hexdigest()
    return Path(tempfile.gettempdir()) / f"pylog-streams-{os.getuid()}" / f"{digest}.sock"


def send(connection: socket.socket, message: Any) -> None:
    """Write a message."""
    body = msgspec.msgpack.encode(message)
    connection.sendall(_SIZE.pack(len(body)) + body)


def receive(connection: socket.socket) -> Any:
    """Read a message; None when the other side has hung up.

    Raises:
        StreamsError: it is too large.
    """
    head = _receive_exactly(connection, _SIZE.size)
    if head is None:
        return None
    (size,) = _SIZE.unpack(head)
    if size > _MAX_BYTES:
        raise StreamsError(f"a message of {size} bytes")
    body = _receive_exactly(connection, size)
    return None if body is None else msgspec.msgpack.decode(body)


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(1 << 20, size - len(data)))
        if not part:
            return None
        data += part
    return bytes(data)


class QueryServer:
    """The server of one instance.

    Args:
        client_id: of the instance.
        queries: what it answers from.
    """

    def __init__(self, client_id: str, queries: Queries):
        self._path = socket_path(client_id)
        self._queries = queries
        self._listener: socket.socket | None = None
        self._is_closed = False

    def start(self) -> None:
        """Answer from now on, in threads of its own.

        Raises:
            StreamsError: the socket cannot be made.
        """
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            status = self._path.parent.stat()
            if status.st_uid != os.getuid() or status.st_mode & 0o077:
                raise StreamsError(f"{self._path.parent} is open to others than its user")
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self._path))
            self._listener.listen()
        except OSError as error:
            raise StreamsError(f"socket {self._path}: {error.strerror}") from error
        threading.Thread(target=self._listen, name="pylog-streams-queries", daemon=True).start()

    def _listen(self) -> None:
        assert self._listener is not None
        while not self._is_closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_TIMEOUT_S)
            threading.Thread(
                target=self._serve, args=(connection,), name="pylog-streams-query", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, StreamsError, msgspec.DecodeError):
            while (request := receive(connection)) is not None:
                send(connection, self._answer(request))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"entries": query_messages.answer(self._queries, request)}
        except InvalidStateStoreError as error:
            return {"error": "store", "text": str(error)}
        except Exception as error:
            return {"error": type(error).__name__, "text": str(error)}

    def close(self) -> None:
        """Answer no more. Idempotent."""
        if self._is_closed or self._listener is None:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
