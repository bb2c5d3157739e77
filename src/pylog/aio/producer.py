"""Producer for asyncio: pylog.Producer, awaited.

A message is encoded in the loop; its future is done when it is as safe as `acks` asks. While
futures are open a thread waits for deliveries and hands them to the loop many at a time.
"""

import asyncio
import concurrent.futures
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from pylog.aio.threads import ClientThreads
from pylog.errors import KafkaError, KafkaException
from pylog.message import Message
from pylog.metadata import ClusterMetadata
from pylog.producer import Producer as SyncProducer

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
Callback = Callable[[KafkaError | None, Message], Any]

# Callbacks of the configuration that run in the loop.
_CONFIG_CALLBACKS = ("error_cb", "stats_cb", "throttle_cb", "oauth_cb")
_TURN_MESSAGES = 256  # produced before other tasks get a turn
_SERVE_S = 0.5


class Producer:
    """Writes messages, for asyncio.

    A drop-in for confluent_kafka.aio.AIOProducer; made in a running loop, and used in that only.
    An async context manager: leaving it flushes. Headers and callbacks are taken too.

    Args:
        conf: configuration, as for pylog.Producer; keyword arguments work too.
        max_workers: threads at most; they are started when they are needed.
        executor: threads to use instead.
        batch_size: accepted: batches are made by batch.size and linger.ms.
        buffer_timeout: accepted, as batch_size.

    Raises:
        KafkaException: _INVALID_ARG for a configuration that is none.
    """

    def __init__(
        self,
        conf: Mapping[str, Any] | None = None,
        /,
        *,
        max_workers: int = 4,
        executor: concurrent.futures.Executor | None = None,
        batch_size: int | None = None,
        buffer_timeout: float | None = None,
        **kwargs: Any,
    ):
        self._threads = ClientThreads("pylog-aio-producer", max_workers, executor)
        config = {**(conf or {}), **kwargs}
        for name in _CONFIG_CALLBACKS:
            if config.get(name) is not None:
                config[name] = self._threads.in_loop(config[name])
        given = [config.pop(name, None) for name in ("on_delivery", "dr_cb")]
        self._default_callback = given[0] or given[1]
        self._producer = SyncProducer(config)
        self._has_delivered = getattr(self._producer, "_has_delivered", bool)
        self._delivered: deque[tuple[_Delivery, KafkaError | None, Message]] = deque()
        self._room: asyncio.Event | None = None
        self._is_serving = False
        self._turn_left = _TURN_MESSAGES
        self._is_closed = False

    def __len__(self) -> int:
        """How many messages are not delivered yet."""
        return 0 if self._is_closed else len(self._producer)

    def __bool__(self) -> bool:
        return True

    # ---- produce ----

    async def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Callback | None = None,
        on_delivery: Callback | None = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> asyncio.Future[Message]:
        """Queue a message; waits only when the queue is full.

        Args:
            topic: name.
            value: bytes-like, str or None (a tombstone).
            key: bytes-like, str or None.
            partition: number, -1 to choose by the partitioner.
            callback: another name for on_delivery.
            on_delivery: called, or awaited, in the loop as on_delivery(error, message).
            timestamp: create time in ms since 1970, 0 for now.
            headers: dict or list of (str, bytes | str | None).

        Returns:
            A future: the message with its offset once it is as safe as `acks` asks, or a
            KafkaException.

        Raises:
            KafkaException: unknown topic or partition, message too large.
            TypeError: key, value or a header has a type that is not taken.
        """
        self._check_open()
        self._turn_left -= 1
        if self._turn_left <= 0:
            self._turn_left = _TURN_MESSAGES
            await asyncio.sleep(0)
        delivery = _Delivery(
            self._threads.loop.create_future(), on_delivery or callback or self._default_callback
        )
        delivered = partial(self._note, delivery)
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, None, delivered, timestamp, headers
                )
                break
            except BufferError:
                await self._wait_for_room()
        if self._has_delivered():  # a batch became full, and was appended here
            self._producer.poll(0)
            self._settle()
        if not self._is_serving and len(self._producer):
            self._is_serving = True
            self._threads.start(self._serve)
        return delivery.future

    def _note(self, delivery: "_Delivery", error: KafkaError | None, message: Message) -> None:
        self._delivered.append((delivery, error, message))

    def _serve(self) -> None:
        """Wait for deliveries until there are none to come. Runs in a thread."""
        try:
            while len(self._producer) and not self._threads.loop.is_closed():
                self._producer.poll(_SERVE_S)
                if self._delivered:
                    self._tell_loop(self._settle)
        finally:
            self._tell_loop(self._end_serving)

    def _tell_loop(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._threads.loop.call_soon_threadsafe(function)

    def _end_serving(self) -> None:
        self._is_serving = False
        self._settle()
        if len(self):  # produced since the thread looked
            self._is_serving = True
            self._threads.start(self._serve)

    def _settle(self) -> None:
        """Give the messages that were delivered to those who wait for them."""
        while self._delivered:
            delivery, error, message = self._delivered.popleft()
            if delivery.callback is not None:
                self._call_back(delivery.callback, error, message)
            if delivery.future.done():  # cancelled
                continue
            if error is None:
                delivery.future.set_result(message)
            else:
                delivery.future.set_exception(KafkaException(error))
                if error.code() == KafkaError._PURGE_QUEUE:
                    delivery.future.exception()  # as the program wished: asyncio need not complain
        if self._room is not None:
            self._room.set()
            self._room = None

    def _call_back(self, callback: Callback, error: KafkaError | None, message: Message) -> None:
        try:
            self._threads.in_loop(callback)(error, message)
        except Exception as exception:
            self._threads.loop.call_exception_handler(
                {"message": "a delivery callback failed", "exception": exception}
            )

    async def _wait_for_room(self) -> None:
        if self._room is None:
            self._room = asyncio.Event()
        await self._room.wait()
        self._check_open()

    # ---- delivery ----

    async def poll(self, timeout: float = 0) -> int:
        """Serve delivery callbacks: not needed, it is done while the loop runs.

        Args:
            timeout: seconds to wait for one; -1 until one comes, or nothing is left that could
                bring one.

        Returns:
            How many this call served.
        """
        self._check_open()
        try:
            return await asyncio.shield(self._threads.start(self._producer.poll, timeout))
        finally:
            self._settle()

    async def flush(self, timeout: float | None = -1) -> int:
        """Send what is queued and wait until it is as safe as `acks` asks.

        Args:
            timeout: seconds, -1 for as long as it takes.

        Returns:
            How many messages are still queued: 0 unless the time was over.

        Raises:
            KafkaException: the disk refuses them for now (they stay queued).
        """
        self._check_open()
        try:
            return await asyncio.shield(self._threads.start(self._producer.flush, timeout))
        finally:
            self._settle()

    async def purge(
        self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True
    ) -> None:
        """Drop messages that are queued; their futures get _PURGE_QUEUE."""
        await self._call(self._producer.purge, in_queue, in_flight, blocking)
        await self.poll(0)

    # ---- transactions ----

    async def init_transactions(self, timeout: float = -1) -> None:
        """Take over the transactional.id: see pylog.Producer.init_transactions."""
        await self._call(self._producer.init_transactions, timeout)

    async def begin_transaction(self) -> None:
        """Begin a transaction."""
        await self._call(self._producer.begin_transaction)

    async def send_offsets_to_transaction(
        self, positions: Any, group_metadata: Any, timeout: float = -1
    ) -> None:
        """Commit a consumer's offsets with the transaction."""
        send: Callable[..., Any] = self._producer.send_offsets_to_transaction
        await self._call(send, positions, group_metadata, timeout)

    async def commit_transaction(self, timeout: float = -1) -> None:
        """Commit the transaction: all of it or, after an error, nothing."""
        await self._call(self._producer.commit_transaction, timeout)

    async def abort_transaction(self, timeout: float = -1) -> None:
        """Abort the transaction: nobody who reads committed sees what was in it."""
        await self._call(self._producer.abort_transaction, timeout)

    # ---- look ----

    async def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the topics, or of one; an unknown one carries an error."""
        return await self._call(self._producer.list_topics, topic, timeout)

    async def cluster_id(self, timeout: float = -1) -> str:
        """The folder's id."""
        return await self._call(self._producer.cluster_id, timeout)

    async def set_sasl_credentials(self, username: str, password: str) -> None:
        """Accepted: a folder asks for none."""
        await self._call(self._producer.set_sasl_credentials, username, password)

    # ---- life ----

    async def _call(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        self._check_open()
        try:
            return await self._threads.call(function, *args, **kwargs)
        finally:
            self._settle()

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("Producer closed")

    async def close(self, timeout: float = -1) -> None:
        """Flush and give up the folder. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._threads.call(self._producer.close, timeout)
        finally:
            self._settle()
            self._threads.shut_down()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


class _Delivery:
    """Who waits for a message."""

    __slots__ = ("callback", "future")

    def __init__(self, future: asyncio.Future[Message], callback: Callback | None):
        self.future = future
        self.callback = callback
