from typing import Any, final

from pylog import Message
from pylog.streams.node import TaskContext
from pylog.streams.record import Headers
from pylog.streams.source_node import SourceNode

@final
class ConsumerRecord:
    key: Any
    value: Any
    timestamp: int
    topic: str | None
    partition: int
    offset: int
    def __init__(
        self,
        key: Any,
        value: Any,
        timestamp: int,
        headers: Headers | None = None,
        topic: str | None = None,
        partition: int = -1,
        offset: int = -1,
    ) -> None: ...
    @property
    def headers(self) -> Headers: ...

@final
class RecordQueue:
    topic: str
    partition: int
    source: SourceNode
    partition_time: int
    next_offset: int
    has_progress: bool
    def __init__(
        self,
        topic: str,
        partition: int,
        source: SourceNode,
        task: TaskContext,
        timestamp_extractor: Any,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def head_timestamp(self) -> int: ...
    def add_messages(self, messages: list[Message]) -> None: ...
    def set_partition_time(self, time: int) -> None: ...
    def clear(self) -> None: ...
