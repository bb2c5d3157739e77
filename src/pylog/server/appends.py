"""Appends: what clients produce goes to the logs in the order in which it came.

In the loop, where that takes microseconds. What may take longer is done in a thread: the first
append to a partition, a batch that unpacks to much, and whatever meets another process that keeps
the log's lock. Then all that comes for this partition later waits behind it.
"""

from asyncio import Future
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from logcore.errors import LockTimeoutError
from logcore.log import Log
from pylog.server.partitions import open_for_appends
from pylog.server.produced_batch import LargeBatchError, ProducedBatch

if TYPE_CHECKING:
    from pylog.server.broker import Broker

UNPACKED_IN_LOOP_BYTES = 1 << 20
LOCKED_IN_LOOP_MS = 2
LOCKED_IN_THREAD_MS = 30_000

Partition = tuple[str, int]


class Appends:
    """Appends of all connections. Belongs to the loop's thread.

    Args:
        broker: whose.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._queues: dict[Partition, deque[Callable[[], None]]] = {}

    def append(
        self,
        partition: Partition,
        log: Log | None,
        batch: ProducedBatch,
        first: Callable[[], None] | None = None,
    ) -> "int | Future[int]":
        """Check a batch and append it.

        Args:
            partition: topic and number.
            log: its Log, None when this process has not opened it yet.
            batch: to append.
            first: what has to be done before, in a thread; it may refuse the batch.

        Returns:
            Its base offset, or the future of it when it is not there yet.

        Raises:
            KafkaException, LogError: it was refused; the future may have the same.
        """
        if log is not None and first is None and partition not in self._queues:
            try:
                batch.check(log, UNPACKED_IN_LOOP_BYTES)
                base_offset = batch.append(log, LOCKED_IN_LOOP_MS)
            except (LargeBatchError, LockTimeoutError):
                pass
            else:
                self._broker.delayed.appended(log)
                return base_offset
        return self._queue(partition, batch, first)

    def _queue(
        self, partition: Partition, batch: ProducedBatch, first: Callable[[], None] | None
    ) -> "Future[int]":
        done: Future[int] = self._broker.loop.create_future()
        queue = self._queues.setdefault(partition, deque())
        queue.append(partial(self._begin, partition, batch, first, done))
        if len(queue) == 1:
            queue[0]()
        return done

    def _begin(
        self,
        partition: Partition,
        batch: ProducedBatch,
        first: Callable[[], None] | None,
        done: "Future[int]",
    ) -> None:
        work = self._broker.run_blocking(self._append_in_thread, partition, batch, first)
        work.add_done_callback(partial(self._end, partition, done))

    def _append_in_thread(
        self, partition: Partition, batch: ProducedBatch, first: Callable[[], None] | None
    ) -> int:
        if first is not None:
            first()
        log = self._broker.log_dir.known_log(*partition)
        if log is None:
            log = open_for_appends(self._broker.log_dir, *partition)
        batch.check(log)
        return batch.append(log, LOCKED_IN_THREAD_MS)

    def _end(self, partition: Partition, done: "Future[int]", work: "Future[int]") -> None:
        error = work.exception()
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(work.result())
            log = self._broker.log_dir.known_log(*partition)
            if log is not None:
                self._broker.delayed.appended(log)
        queue = self._queues[partition]
        queue.popleft()
        if queue:
            queue[0]()
        else:
            del self._queues[partition]
