"""TaskFactory: makes the tasks of one stream thread."""

import time
from typing import Any

from pylog import KafkaException
from pylog.streams.metrics import ThreadMetrics
from pylog.streams.node import TaskContext
from pylog.streams.runtime import internal_topics
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.live_task import LiveTask
from pylog.streams.runtime.production_errors import report_failure, reports_each
from pylog.streams.runtime.record_collector import TaskCollector
from pylog.streams.runtime.task import StreamTask
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.thread_producer import ThreadProducer
from pylog.streams.runtime.topic_keeper import MAY_BE_GONE, UNKNOWN_TOPIC


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
            self._report_failure,
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
        collector.writers.update(topology.writers)
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

    def _report_failure(
        self,
        collector: TaskCollector,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any,
        timestamp_ms: int,
        error: KafkaException,
    ) -> None:
        """A record was not written: make its topic, if that is what was missing, or report it.

        Only a folder says so while it takes a record; on a cluster the topic has to exist.
        """
        topics = self._instance.topics
        if error.args[0].code() in MAY_BE_GONE:
            topics.check_internal()
        if error.args[0].code() in UNKNOWN_TOPIC:
            known = internal_topics.partition_counts(self._instance.admin)
            if not self._instance.config.is_on_cluster and topics.make_outputs({topic}, known):
                collector.send(topic, key, value, headers, timestamp_ms, -1)
                return
        report_failure(collector, topic, key, value, headers, timestamp_ms, error)
