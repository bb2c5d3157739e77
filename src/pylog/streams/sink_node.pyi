from typing import Any, final

from pylog.streams.node import Node
from pylog.streams.record import Headers

@final
class RecordContext:
    @property
    def topic(self) -> str | None: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Headers: ...

@final
class SinkNode(Node):
    @property
    def topic(self) -> str | None: ...
    @property
    def topic_extractor(self) -> Any: ...
    def __init__(
        self, topic: Any, key_serde: Any, value_serde: Any, partitioner: Any = None
    ) -> None: ...
