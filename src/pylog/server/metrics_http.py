"""The page for Prometheus: GET /metrics over HTTP/1.1, nothing else.

As every listener it serves strangers on the loopback interface only, or with --insecure.
"""

import asyncio
import contextlib
import ipaddress
from typing import TYPE_CHECKING

from logcore.config_def import ConfigError
from pylog.server.listener_config import refuse_address
from pylog.server.metrics import Metrics, Text

if TYPE_CHECKING:
    from pylog.server.broker import Broker

MAX_HEAD_BYTES = 8192
HEAD_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 10.0
MAX_CLIENTS = 20

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPage:
    """Serves the metrics of a broker.

    Args:
        broker: whose.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._metrics = broker.metrics = Metrics()
        broker.on_stop.append(self.close)
        self._server: asyncio.Server | None = None
        self._clients = 0
        self._reading = asyncio.Lock()

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigError: the address is one that strangers reach.
            KafkaException: the address is taken.
        """
        if not (self._broker.config.is_insecure or _is_loopback(host)):
            raise ConfigError(
                "--metrics", f"{host}:{port}",
                "Everybody who reaches this address could read the names of topics and groups. "
                "Listen on 127.0.0.1, or say --insecure",
            )  # fmt: skip
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD_BYTES)
        except OSError as error:
            refuse_address(host, port, error)
        self._metrics.address = self._server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def text(self) -> str:
        """The page as it is now."""
        from pylog.server.folder_metrics import read_folder

        text = Text()
        self._metrics.write(text, self._broker)
        topics = list(self._broker.topics().values())
        async with self._reading:  # the folder is looked at once at a time
            figures = await self._broker.run_blocking(read_folder, self._broker, topics)
        figures.write(text)
        return str(text)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= MAX_CLIENTS:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT_S)
                writer.write(await self._answer(head))
                await asyncio.wait_for(writer.drain(), WRITE_TIMEOUT_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that is none
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.wait_closed(), WRITE_TIMEOUT_S)

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "")
        if path != b"/metrics":
            return _response("404 Not Found", "metrics are at /metrics\n")
        page = await self.text()
        return _response("200 OK", page, has_body=method == b"GET")


def _response(status: str, body: str, has_body: bool = True) -> bytes:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {_CONTENT_TYPE}\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (data if has_body else b"")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
