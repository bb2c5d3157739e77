"""Queues of a task of int keys and values, for tests of the runtime."""

from typing import Any

from pylog import Message
from pylog.streams import serdes
from pylog.streams.config import StreamsConfig
from pylog.streams.metrics import TaskMetrics
from pylog.streams.node import TaskContext
from pylog.streams.runtime.record_queue import RecordQueue
from pylog.streams.runtime.task_errors import TaskErrors
from pylog.streams.source_node import SourceNode
from pylog.streams.timestamp_extractors import FailOnInvalidTimestamp

KEY = serdes.int.serialize("topic", 1)
VALUE = serdes.int.serialize("topic", 10)


def make_context(**config: Any) -> TaskContext:
    context = TaskContext(
        "0_0", "app", StreamsConfig({"application.id": "app", **config}), TaskMetrics()
    )
    context.error_handler = TaskErrors(context, lambda: (None, None))
    return context


def make_queue(
    partition: int = 1, extractor: Any = None, context: TaskContext | None = None
) -> RecordQueue:
    context = context or make_context()
    source = SourceNode(serdes.int, serdes.int)
    source.attach("source", context)
    source.open()
    return RecordQueue("topic", partition, source, context, extractor or FailOnInvalidTimestamp())


def messages(
    *timestamps: int, partition: int = 1, key: bytes | None = KEY, value: bytes | None = VALUE
) -> list[Message]:
    """Messages at these timestamps; each has its own for its offset too, as far as it can."""
    return [
        Message("topic", partition, max(0, time), key, value, timestamp=(1, time))
        for time in timestamps
    ]
