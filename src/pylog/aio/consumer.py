"""Consumer for asyncio: pylog.Consumer, awaited.

Messages that are there are taken in the loop itself: no thread, no copy, no queue between, so that
offsets, positions and what is stored mean what they mean in pylog.Consumer. When there are none a
thread sleeps on the folder's bell (a futex) and wakes the loop. All other calls, which may touch
files or wait for other processes, run in a thread.
"""

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Self, TypeVar

from pylog.aio.threads import ClientThreads
from pylog.consumer import Consumer as SyncConsumer
from pylog.errors import KafkaError, KafkaException
from pylog.group.commits import ConsumerGroupMetadata
from pylog.message import Message
from pylog.metadata import ClusterMetadata
from pylog.types import TopicPartition

RebalanceCallback = Callable[["Consumer", list[TopicPartition]], Any]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# Callbacks of the configuration that run in the loop.
_CONFIG_CALLBACKS = ("error_cb", "on_commit", "stats_cb", "throttle_cb", "oauth_cb")
_WORKERS = 2  # one for calls, one that waits for the bell
_TURN_MESSAGES = 64  # handed out before other tasks get a turn
_CHUNK_MESSAGES = 500  # taken at once by consume(), some tenths of a millisecond
_BELL_SLICE_S = 0.5  # a thread that waits for the bell looks up so often, to be able to end
_EVENT_SLICE_S = 0.05  # what does not ring the folder's bell (a group's work) is seen so often
_THREAD_SLICE_S = 0.1  # a poll in a thread, where there is no bell: later calls wait for it


class Consumer:
    """Reads messages, for asyncio.

    A drop-in for confluent_kafka.aio.AIOConsumer; made in a running loop, and used in that only.
    An async context manager. What pylog.Consumer says of each method holds here. A poll that is
    cancelled loses no message. Callbacks (on_assign, on_revoke, on_lost, those of the
    configuration) run in the loop and may be coroutines, which may await the consumer.

    Args:
        conf: configuration, as for pylog.Consumer; keyword arguments work too.
        max_workers: threads at most, 2 or more; they are started when they are needed.
        executor: threads to use instead.

    Raises:
        KafkaException: _INVALID_ARG for a configuration that is none.
    """

    def __init__(
        self,
        conf: Mapping[str, Any] | None = None,
        /,
        *,
        max_workers: int = _WORKERS,
        executor: concurrent.futures.Executor | None = None,
        **kwargs: Any,
    ):
        self._threads = ClientThreads("pylog-aio-consumer", max(max_workers, _WORKERS), executor)
        config = {**(conf or {}), **kwargs}
        for name in _CONFIG_CALLBACKS:
            if config.get(name) is not None:
                config[name] = self._threads.in_loop(config[name])
        self._consumer = SyncConsumer(config)
        log_dir = getattr(self._consumer, "_log_dir", None)
        self._is_remote = log_dir is None  # a cluster: its callbacks come in any poll
        self._bell = log_dir and log_dir.notify  # none in a folder that is read only
        self._stores_offsets = bool(log_dir and self._consumer._config["enable.auto.offset.store"])
        self._ringing: asyncio.Future[bool] | None = None
        self._kept: deque[Message] = deque()
        self._turn_left = _TURN_MESSAGES
        self._is_subscribed = False
        self._is_closed = False

    # ---- messages ----

    async def poll(self, timeout: float | None = None) -> Message | None:
        """The next message or event, None when the time is over.

        Args:
            timeout: seconds to wait, None or -1 for ever.
        """
        self._turn_left -= 1
        if self._turn_left <= 0:
            self._turn_left = _TURN_MESSAGES
            await asyncio.sleep(0)  # before a message is taken: it may be cancelled
        message = self._take_here()
        if message is not None:
            return message
        deadline_s = self._deadline_s(timeout)
        while True:
            found, seen = await self._take(1)
            if found:
                return found[0]
            if not await self._wait(seen, deadline_s):
                return None

    async def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Up to `num_messages` messages and events as a list; fewer when the time is over.

        Args:
            num_messages: at most so many, 1 to 1,000,000.
            timeout: seconds to wait for them all, -1 for ever.
        """
        if not 0 <= num_messages <= 1_000_000:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        deadline_s = self._deadline_s(timeout)
        messages: list[Message] = []
        try:
            while len(messages) < num_messages:
                if messages and self._consumer._needs_attention:
                    break  # first these are the caller's: a rebalance may take them away
                wanted = min(num_messages - len(messages), _CHUNK_MESSAGES)
                found, seen = await self._take(wanted)
                messages += found
                if len(found) == wanted:
                    await asyncio.sleep(0)
                elif not found and not await self._wait(seen, deadline_s):
                    break
        except BaseException:
            self._put_aside(messages)
            raise
        return messages

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, for ever: `async for message in consumer`. Ends when it is closed.

        Raises:
            KafkaException: an event that is an error, other than the end of a partition.
        """
        turn_left = _TURN_MESSAGES
        while True:
            message = None if self._is_closed else self._take_here()
            if message is None:
                message = await self._next()
                if message is None:
                    return
            error = message.error()
            if error is None:
                yield message
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            turn_left -= 1
            if turn_left <= 0:
                turn_left = _TURN_MESSAGES
                await asyncio.sleep(0)

    async def _next(self) -> Message | None:
        """The next message, None when the consumer was closed."""
        try:
            return None if self._is_closed else await self.poll()
        except RuntimeError:
            if not self._is_closed:
                raise
            return None

    def _take_here(self) -> Message | None:
        """A message that is there, if it can be had without a thread."""
        if self._kept:
            return self._take_kept(1)[0]
        if self._threads.lock.locked() or self._needs_thread():
            return None
        return self._consumer.poll(0)

    async def _take(self, wanted: int) -> tuple[list[Message], int]:
        """Messages that are there, and the bell as it was before looking."""
        if self._threads.is_serving:
            raise RuntimeError("a callback cannot poll the consumer that it serves")
        seen = self._bell.load() if self._bell is not None else 0
        if not self._kept:
            if not self._needs_thread():
                async with self._threads.lock:
                    if not self._kept:
                        return self._consumer.consume(wanted, 0), seen
            else:
                await self._threads.call(self._keep, wanted, 0)
        return self._take_kept(wanted), seen

    def _keep(self, wanted: int, timeout_s: float) -> None:
        """Take messages in a thread: they are not lost when those who wait for them are cancelled.

        Put aside here, while no other may poll, so that nothing overtakes them.
        """
        if not self._kept:
            self._put_aside(self._consumer.consume(wanted, timeout_s))

    def _put_aside(self, messages: Sequence[Message]) -> None:
        """Keep messages for the next call; until then none of them counts as handed out."""
        self._kept.extendleft(reversed(messages))
        for message in reversed(messages):
            if message.error() is None:
                self._store(message, 0)

    def _take_kept(self, wanted: int) -> list[Message]:
        messages = [self._kept.popleft() for _ in range(min(wanted, len(self._kept)))]
        for message in messages:
            if message.error() is None:
                self._store(message, 1)
        return messages

    def _store(self, message: Message, step: int) -> None:
        """Have the offset that is stored for a message's partition be its own, or the next."""
        topic, offset = message.topic(), message.offset()
        if not self._stores_offsets or topic is None or offset is None:
            return
        fetch = self._consumer._find(TopicPartition(topic, message.partition() or 0))
        if fetch is not None:
            fetch.stored_offset = offset + step

    def _needs_thread(self) -> bool:
        """Whether a poll may call what must run in the loop, or wait for other processes."""
        return self._is_remote or self._consumer._needs_attention

    async def _wait(self, seen: int, deadline_s: float) -> bool:
        """Sleep until something may have come: True, or False when the time is over."""
        left_s = deadline_s - self._threads.loop.time()
        if left_s <= 0:
            return False
        if self._bell is None:
            await self._threads.call(self._keep, 1, min(left_s, _THREAD_SLICE_S))
            return True
        if self._ringing is None or self._ringing.done():
            self._ringing = self._threads.start(self._bell.wait, seen, _BELL_SLICE_S)
        slice_s = _EVENT_SLICE_S if self._is_subscribed else _BELL_SLICE_S
        await asyncio.wait([self._ringing], timeout=min(left_s, slice_s))
        return True

    def _deadline_s(self, timeout: float | None) -> float:
        if timeout is None or timeout < 0:
            return float("inf")
        return self._threads.loop.time() + timeout

    # ---- assignment ----

    async def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions from now on, and no others."""
        await self._call(self._consumer.assign, partitions)
        self._drop_kept(None)

    async def unassign(self) -> None:
        """Read nothing."""
        await self._call(self._consumer.unassign)
        self._drop_kept(None)

    async def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions too."""
        await self._call(self._consumer.incremental_assign, partitions)

    async def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these partitions."""
        await self._call(self._consumer.incremental_unassign, partitions)
        self._drop_kept(partitions)

    async def assignment(self) -> list[TopicPartition]:
        """What is assigned now."""
        return await self._call(self._consumer.assignment)

    async def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out no messages of these partitions until `resume`."""
        await self._call(self._consumer.pause, partitions)

    async def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Go on with these partitions, where they stood."""
        await self._call(self._consumer.resume, partitions)

    async def seek(self, partition: TopicPartition) -> None:
        """Go on with an assigned partition at `partition.offset`."""
        await self._call(self._consumer.seek, partition)
        self._drop_kept([partition])

    async def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Offset of the next message of each; OFFSET_INVALID where nothing was read yet."""
        found = await self._call(self._consumer.position, partitions)
        for message in reversed(self._kept):  # taken, and not handed out
            offset = message.offset()
            for one in found:
                is_of_it = (one.topic, one.partition) == (message.topic(), message.partition())
                if is_of_it and message.error() is None and offset is not None:
                    one.offset = offset
        return found

    def _drop_kept(self, partitions: Sequence[TopicPartition] | None) -> None:
        """Forget what a cancelled poll took of these partitions, or of all."""
        gone = None if partitions is None else {(one.topic, one.partition) for one in partitions}
        self._kept = deque(
            message
            for message in self._kept
            if gone is not None and (message.topic(), message.partition()) not in gone
        )

    # ---- groups ----

    async def subscribe(
        self,
        topics: Sequence[str],
        on_assign: RebalanceCallback | None = None,
        on_revoke: RebalanceCallback | None = None,
        on_lost: RebalanceCallback | None = None,
    ) -> None:
        """Share these topics with the other members of `group.id`. Replaces a subscription.

        Args:
            topics: a list of names; one that begins with ^ is a regular expression.
            on_assign: called, or awaited, in the loop as `on_assign(consumer, partitions)`; it may
                await this consumer's assign (or incremental_assign) with other offsets.
            on_revoke: before partitions go; it may await commit.
            on_lost: when they are gone already, and commits fail; without it on_revoke is called.
        """
        self._is_subscribed = True
        await self._call(
            self._consumer.subscribe,
            topics,
            self._for_this(on_assign),
            self._for_this(on_revoke),
            self._for_this(on_lost),
        )

    def _for_this(self, callback: RebalanceCallback | None) -> Callable[..., Any] | None:
        if callback is None:
            return None
        if not callable(callback):
            raise TypeError("on_assign, on_revoke and on_lost expect a callable")
        return self._threads.in_loop(lambda _, partitions: callback(self, partitions))

    async def unsubscribe(self) -> None:
        """Give up what the group assigned (on_revoke is called), and leave it."""
        await self._call(self._consumer.unsubscribe)
        self._drop_kept(None)

    async def commit(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
        asynchronous: bool = True,
    ) -> list[TopicPartition] | None:
        """Commit a message's offset + 1, a list of offsets, or what is stored of what is assigned.

        Args:
            message: one that was consumed.
            offsets: next offset to read, for each partition.
            asynchronous: report to `on_commit`, in a later poll(), and return None.
        """
        return await self._call(self._consumer.commit, message, offsets, asynchronous)

    async def committed(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """What the group has committed for each; OFFSET_INVALID where it has nothing."""
        return await self._call(self._consumer.committed, partitions, timeout)

    async def store_offsets(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
    ) -> None:
        """Set what is committed next, by enable.auto.commit or commit() without arguments."""
        await self._call(self._consumer.store_offsets, message, offsets)

    async def consumer_group_metadata(self) -> ConsumerGroupMetadata:
        """Who this consumer is in its group, for Producer.send_offsets_to_transaction."""
        return await self._call(self._consumer.consumer_group_metadata)

    async def memberid(self) -> str | None:
        """The id in the group, None before this consumer joined it."""
        return await self._call(self._consumer.memberid)

    # ---- look ----

    async def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float | None = None, cached: bool = False
    ) -> tuple[int, int]:
        """(log start offset, high watermark) of a partition."""
        return await self._call(self._consumer.get_watermark_offsets, partition, timeout, cached)

    async def offsets_for_times(
        self, partitions: Sequence[TopicPartition], timeout: float | None = None
    ) -> list[TopicPartition]:
        """First offset whose timestamp is at or after each `offset`, taken as ms since 1970."""
        return await self._call(self._consumer.offsets_for_times, partitions, timeout)

    async def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Metadata of the topics, or of one; an unknown one carries an error."""
        return await self._call(self._consumer.list_topics, topic, timeout)

    async def cluster_id(self, timeout: float = -1) -> str:
        """The folder's id."""
        return await self._call(self._consumer.cluster_id, timeout)

    async def set_sasl_credentials(self, username: str, password: str) -> None:
        """Accepted: a folder asks for none."""
        await self._call(self._consumer.set_sasl_credentials, username, password)

    # ---- life ----

    async def _call(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Run a call of the consumer in a thread; callbacks of close() may still make some."""
        if self._is_closed and not self._threads.is_serving:
            raise RuntimeError("Consumer closed")
        return await self._threads.call(function, *args, **kwargs)

    async def close(self) -> None:
        """Leave the group and give up the folder. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._threads.call(self._consumer.close)
        finally:
            self._kept.clear()
            if self._bell is not None:
                self._bell.ring()  # whoever waits, in a thread or in the loop, sees it now
            self._threads.shut_down()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
