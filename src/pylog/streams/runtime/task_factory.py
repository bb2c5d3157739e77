"""TaskFactory: makes the tasks of one stream thread."""

import time
from typing import Any

from pylog.streams.metrics import ThreadMetrics
from pylog.streams.node import TaskContext
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.production_errors import report_failure, reports_each
from pylog.streams.runtime.record_collector import TaskCollector
from pylog.streams.runtime.task import StreamTask
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.thread_producer import ThreadProducer


def now_ms() -> int:
    """Wall-clock time, ms since 1970."""
    return time.time_ns() // 1_000_000


class TaskFactory:
    """Makes tasks whose output goes to the producer of their thread.

    Args:
        instance: what threads share.
        producer: of the thread.
        metrics: of the thread.
        cache: ThreadCache of the thread, None for no caching.
        lag_of: (topic, partition) -> records that the thread's consumer has yet to read.
    """

    def __init__(
        self,
        instance: Instance,
        producer: ThreadProducer,
        metrics: ThreadMetrics,
        cache: Any,
        lag_of: Any,
    ):
        self._instance = instance
        self._producer = producer
        self._metrics = metrics
        self._cache = cache
        self._lag_of = lag_of

    def make(self, task_id: TaskId, *, is_standby: bool) -> LiveTask:
        """Make a task and open its stores; they are as they are on disk.

        Raises:
            StreamsError: a store cannot be opened.
        """
        instance = self._instance
        config = instance.config
        collector = TaskCollector(
            self._producer.outlet,
            self._producer.partition_count,
            report_failure,
            reports_each(config["production.exception.handler"]),
        )
        context = TaskContext(
            task_id,
            config.application_id,
            config,
            self._metrics.task(task_id),
            state_dir=instance.state_directory.task_path(task_id),
            collector=collector,
        )
        collector.context = context
        context.cache = self._cache
        context.global_stores.update(instance.global_stores)
        layout = instance.layout
        topology = instance.topology.build(task_id.subtopology, context, instance.existing_topics)
        partitions = layout.partitions_of(task_id)
        task = StreamTask(task_id, topology, context, partitions, config, now_ms)
        task.lag_provider = self._lag_of
        try:
            task.open_stores()
        except BaseException:
            task.close(False)
            raise
        self._metrics.tasks_created.add(1)
        return LiveTask(task_id, task, partitions, set(topology.sources_by_topic), is_standby)
