"""Commits: what the tasks of a thread did becomes certain, all of it together.

    at_least_once     the producer is flushed, then the offsets are committed
    exactly_once_v2   the offsets go into the transaction that has the records, which ends

Stores on disk come last: what they have is never ahead of what is certain.

Source: Kafka TaskExecutor.commitOffsetsOrTransaction.
"""

import time
from collections.abc import Mapping, Sequence

from pylog import Consumer, KafkaException, TopicPartition
from pylog.streams.runtime import commit_metadata
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.instance import Instance, log
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.log_offsets import log_bounds
from pylog.streams.runtime.production_errors import STALE, meaning
from pylog.streams.runtime.start_offsets import Committed
from pylog.streams.runtime.store_commits import StoreCommits
from pylog.streams.runtime.task_factory import now_ms
from pylog.streams.runtime.thread_producer import ThreadProducer

# With committed offsets: when an instance asked all of them to end, ms.
SHUTDOWN_NUMBER = "pylog.shutdown.application"
_TIMEOUT_S = 5.0
_RETRY_S = 0.05


class Commits:
    """Commits for the tasks of one thread.

    Args:
        instance: what threads share.
        consumer: of the thread.
        producer: of the thread.
    """

    def __init__(self, instance: Instance, consumer: Consumer, producer: ThreadProducer):
        self._instance = instance
        self._consumer = consumer
        self._producer = producer
        self._stores = StoreCommits(instance, producer)

    def commit(self, tasks: Sequence[LiveTask]) -> int:
        """Commit what tasks did; with exactly once, they are all that the thread has.

        Returns:
            How many had something to commit.

        Raises:
            TaskMigratedError: they are somebody else's by now.
            ProductionError: a record could not be written.
        """
        tasks = [task for task in tasks if task.is_running and task.task.commit_needed]
        if not tasks and not self._producer.has_transaction:
            return 0
        began_s = time.perf_counter()
        offsets: dict[Partition, int] = {}
        positions = []
        for task in tasks:
            with task.lock:
                own = task.task.prepare_commit()
                times = task.task.partition_times
                numbers = task.task.context.processor_metadata
            offsets.update(own)
            positions += [
                TopicPartition(
                    topic, number, offset, commit_metadata.encode(times[topic, number], numbers)
                )
                for (topic, number), offset in own.items()
            ]
        self._write(positions)
        elapsed_ms = (time.perf_counter() - began_s) * 1000
        for task in tasks:
            task.task.committed()
            task.metrics.record_committed(elapsed_ms)
            for place in task.partitions:
                if place in offsets:
                    task.committed_offsets[place] = offsets[place]
        self._stores.commit(tasks, is_last=False)
        return len(tasks)

    def _write(self, positions: list[TopicPartition]) -> None:
        if self._producer.is_exactly_once:
            self._producer.commit_transaction(positions, self._consumer.consumer_group_metadata())
            return
        self._producer.flush()
        if not positions:
            return
        deadline_s = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                committed = self._consumer.commit(offsets=positions, asynchronous=False)
                for position in committed or ():
                    if position.error is not None:  # of this partition alone
                        raise KafkaException(position.error)
                return
            except KafkaException as error:
                # What this member has is nobody else's before it has given it up in a callback:
                # it may commit in whatever generation it is by now.
                if error.args[0].code() not in STALE or time.monotonic() > deadline_s:
                    raise meaning(error.args[0], "commit offsets") from error
            time.sleep(_RETRY_S)

    def commit_stores_at_last(self, task: LiveTask) -> None:
        """The task is about to be closed, and all that it did is committed."""
        self._stores.commit([task], is_last=True)

    def ask_all_to_end(self, places: Mapping[Partition, Committed]) -> None:
        """Leave word for who reads these partitions next, without moving their offsets."""
        if not places:
            return
        starts, _ = log_bounds(self._instance.admin, set(places))
        now = now_ms()
        positions = [
            TopicPartition(
                topic,
                number,
                starts[topic, number] if committed.offset is None else committed.offset,
                commit_metadata.encode(
                    committed.time_ms, {**committed.numbers, SHUTDOWN_NUMBER: now}
                ),
            )
            for (topic, number), committed in places.items()
        ]
        try:
            self._consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            log.warning("the other instances were not asked to end: %s", error.args[0].str())
