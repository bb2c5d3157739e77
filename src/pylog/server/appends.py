"""Appends: what clients produce goes to the logs in the order in which it came.

In the loop, where that takes microseconds. What may take longer is done in a thread: the first
append to a partition, a batch that unpacks to much, and whatever meets another process that keeps
the log's lock. Then all that comes for this partition waits behind it, and goes on in the loop.
"""

from asyncio import Future
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from logcore.errors import LockTimeoutError
from logcore.log import Log
from pylog.errors import KafkaException
from pylog.server.partitions import open_for_appends
from pylog.server.produced_batch import LargeBatchError, ProducedBatch

if TYPE_CHECKING:
    from pylog.server.broker import Broker

UNPACKED_IN_LOOP_BYTES = 1 << 20
LOCKED_IN_LOOP_MS = 2
LOCKED_IN_THREAD_MS = 30_000

Partition = tuple[str, int]


class _Queued(NamedTuple):
    """A batch that waits for its turn; arguments of Appends.append."""

    batch: ProducedBatch
    first: Callable[[], None] | None
    done: "Future[int]"


class Appends:
    """Appends of all connections. Belongs to the loop's thread.

    Args:
        broker: whose.

    Attributes:
        count_in_threads: how many appends a thread was asked for.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.count_in_threads = 0
        self._queues: dict[Partition, deque[_Queued]] = {}

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
            base_offset = self._append_in_loop(log, batch)
            if base_offset is not None:
                return base_offset
        done: Future[int] = self._broker.loop.create_future()
        queue = self._queues.setdefault(partition, deque())
        queue.append(_Queued(batch, first, done))
        if len(queue) == 1:
            self._begin(partition, queue[0])
        return done

    def _append_in_loop(self, log: Log, batch: ProducedBatch) -> int | None:
        """Append in microseconds; None when that may take longer."""
        try:
            batch.check(log, UNPACKED_IN_LOOP_BYTES)
            base_offset = batch.append(log, LOCKED_IN_LOOP_MS)
        except (LargeBatchError, LockTimeoutError):
            return None
        self._broker.delayed.appended(log)
        return base_offset

    def _begin(self, partition: Partition, queued: _Queued) -> None:
        """Let a thread append the first of a queue."""
        self.count_in_threads += 1
        try:
            work = self._broker.run_blocking(self._append_in_thread, partition, queued)
        except KafkaException as error:  # the server has ended
            for waiting in self._queues.pop(partition):
                waiting.done.set_exception(error)
        else:
            work.add_done_callback(partial(self._end, partition))

    def _append_in_thread(self, partition: Partition, queued: _Queued) -> int:
        if queued.first is not None:
            queued.first()
        log = self._broker.log_dir.known_log(*partition)
        if log is None:
            log = open_for_appends(self._broker.log_dir, *partition)
        queued.batch.check(log)
        return queued.batch.append(log, LOCKED_IN_THREAD_MS)

    def _end(self, partition: Partition, work: "Future[int]") -> None:
        queue = self._queues[partition]
        done = queue.popleft().done
        log = self._broker.log_dir.known_log(*partition)
        error = work.exception()
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(work.result())
            if log is not None:
                self._broker.delayed.appended(log)
        if log is not None:
            self._go_on_in_loop(log, queue)
        if queue:
            self._begin(partition, queue[0])
        else:
            del self._queues[partition]

    def _go_on_in_loop(self, log: Log, queue: deque[_Queued]) -> None:
        """Append what has waited, up to what needs a thread.

        Were each of them handed to a thread, a client that keeps some requests under way would
        never leave this queue: its next one comes before the last one of these is done.
        """
        while queue and queue[0].first is None:
            done = queue[0].done
            try:
                base_offset = self._append_in_loop(log, queue[0].batch)
            except Exception as error:  # whatever it is, those behind it go on
                done.set_exception(error)
            else:
                if base_offset is None:
                    return
                done.set_result(base_offset)
            queue.popleft()
