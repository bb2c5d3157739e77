"""Server: a Kafka server in a thread of this process."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from pylog.server.broker import Broker
from pylog.server.config import ServerConfig
from pylog.server.faults import Faults
from pylog.server.listener import Listener, new_loop

MEMORY = ":memory:"
"""Instead of a folder: one in memory, as far as the machine has such a place, gone at the end."""

_SHARED_MEMORY = "/dev/shm"
_START_TIMEOUT_S = 30.0

_Result = TypeVar("_Result")


def temporary_folder() -> str:
    """Make a folder in memory, or where temporary files go."""
    in_memory = os.path.isdir(_SHARED_MEMORY) and os.access(_SHARED_MEMORY, os.W_OK)
    return tempfile.mkdtemp(prefix="pylog-server-", dir=_SHARED_MEMORY if in_memory else None)


class Server:
    """A Kafka server on a free port of the loopback interface. A context manager.

    It runs in a thread of this process: clients of C and of other processes do not notice, those
    of pure Python share the interpreter with it. ServerProcess is one of its own.

    Args:
        folder: of the log, which stays; or MEMORY.
        brokers: how many virtual brokers to be.
        properties: as in Kafka's server.properties: listeners, default partitions, groups, limits.
        metrics: whether Prometheus finds metrics, at `metrics_url`.

    Attributes:
        folder: the path of the log's folder, while it runs.

    >>> with Server() as server:
    ...     print(server.bootstrap_servers.split(":")[0])
    127.0.0.1
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = MEMORY,
        *,
        brokers: int = 1,
        properties: Mapping[str, str] | None = None,
        metrics: bool = False,
    ) -> None:
        self._given_folder = os.fspath(folder)
        self._brokers = brokers
        self._has_metrics = metrics
        self._properties = {"listeners": "PLAINTEXT://127.0.0.1:0", **(properties or {})}
        self.folder = ""
        self._listener: Listener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def start(self) -> Self:
        """Start it; when this returns, clients can connect. After `stop` it may start again.

        Raises:
            KafkaException: the folder is none, or has a server already; the port is taken.
            ConfigError: a property is wrong.
        """
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        config = ServerConfig(
            self._properties,
            node_count=self._brokers,
            metrics_address="127.0.0.1:0" if self._has_metrics else None,
        )
        is_temporary = self._given_folder == MEMORY
        self.folder = temporary_folder() if is_temporary else self._given_folder
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(config, started), name="pylog-test-server", daemon=True
        )
        self._thread.start()
        try:
            started.result(_START_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it as SIGTERM would: what clients asked for is answered. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)
        thread.join()
        self._listener = self._loop = self._stopping = None
        if self._given_folder == MEMORY:
            shutil.rmtree(self.folder, ignore_errors=True)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect: `HOST:PORT`, of each broker, with commas between."""
        listener = self._running()
        return ",".join(f"{host}:{port}" for host, port in listener.addresses)

    @property
    def broker(self) -> Broker:
        """What is served. It belongs to the server's thread: see `call`."""
        broker = self._running().broker
        assert broker is not None, "it runs"
        return broker

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds metrics."""
        metrics = self.broker.metrics
        if metrics is None:
            raise RuntimeError("the server was made without metrics")
        return "http://{}:{}/metrics".format(*metrics.address)

    @property
    def faults(self) -> Faults:
        """What is to go wrong: `server.faults.fail_next("Produce", count=3)`."""
        broker = self.broker
        if broker.faults is None:
            broker.faults = Faults()
        return broker.faults

    def call(self, work: Callable[..., _Result], *args: Any) -> _Result:
        """Call a function in the server's thread and return what it returns."""
        self._running()
        assert self._loop is not None, "it runs"
        done: Future[_Result] = Future()

        def run() -> None:
            try:
                done.set_result(work(*args))
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(_START_TIMEOUT_S)

    def _running(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the server does not run: use it in a with statement, or start()")
        return self._listener

    def _run(self, config: ServerConfig, started: "Future[None]") -> None:
        loop = new_loop()
        try:
            loop.run_until_complete(self._serve(loop, config, started))
        except BaseException as error:
            if started.done():
                self._failure = error
            else:
                started.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _serve(
        self, loop: asyncio.AbstractEventLoop, config: ServerConfig, started: "Future[None]"
    ) -> None:
        listener = Listener(self.folder, config)
        self._loop, self._stopping = loop, asyncio.Event()
        await listener.start()
        self._listener = listener
        started.set_result(None)
        try:
            await self._stopping.wait()
        finally:
            await listener.stop()
