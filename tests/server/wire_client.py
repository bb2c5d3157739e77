"""WireClient: one connection that speaks the protocol by hand, message by message."""

import importlib
import socket
from types import ModuleType
from typing import Any, Self

from pylog.wire import APIS, Message, Request, decode_response, encode_request

_KEYS = {api.request: key for key, api in APIS.items()}


def api(key: int) -> ModuleType:
    """The module with the messages of an API."""
    return importlib.import_module(f"pylog.wire.messages.{APIS[key].module}")


class WireClient:
    """A connection to a server or to a real Kafka.

    Args:
        address: "host:port", of several the first; or what has `bootstrap_servers`.
        client_id: sent with every request.
        timeout_s: how long an answer may take.
        source_host: the address to come from, None for any.

    Attributes:
        socket: for bytes that are no requests.
    """

    def __init__(
        self,
        address: Any,
        client_id: str | None = "wire",
        timeout_s: float = 20.0,
        source_host: str | None = None,
    ):
        text = str(getattr(address, "bootstrap_servers", address))
        host, _, port = text.partition(",")[0].rpartition(":")
        self.client_id = client_id
        source = None if source_host is None else (source_host, 0)
        self.socket = socket.create_connection((host, int(port)), timeout_s, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation_id = 0
        self._expected: dict[int, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def frame(self, message: Message, version: int | None = None) -> bytes:
        """The bytes of a request, of the newest version if none is said; a response is expected."""
        key = _KEYS[type(message)]
        if version is None:
            version = APIS[key].offered.last
        self._correlation_id += 1
        self._expected[self._correlation_id] = key, version
        request = Request(key, version, self._correlation_id, self.client_id, message)
        return b"".join(encode_request(request))

    def send(self, message: Message, version: int | None = None) -> None:
        """Send a request; `receive` gets its response, in the order of sending."""
        self.socket.sendall(self.frame(message, version))

    def receive(self) -> Any:
        """The response to the oldest request that was not answered."""
        frame = self.receive_frame()
        oldest = next(iter(self._expected))
        assert int.from_bytes(frame[:4], "big") == oldest, "responses out of order"
        key, version = self._expected.pop(oldest)
        return decode_response(frame, key, version)[1]

    def ask(self, message: Message, version: int | None = None) -> Any:
        """Send a request and wait for its response."""
        self.send(message, version)
        return self.receive()

    def receive_frame(self) -> bytes:
        """The bytes of the next response, without its size."""
        return self._read(int.from_bytes(self._read(4), "big"))

    def forget(self) -> None:
        """Expect no response to what was sent so far, such as a Produce with acks=0."""
        self._expected.clear()

    def is_closed(self) -> bool:
        """Wait until the server closes the connection; fails with a timeout if it does not."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(min(size - len(data), 1 << 20))
            if not part:
                raise ConnectionError("the server closed the connection")
            data += part
        return bytes(data)
