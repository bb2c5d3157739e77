from typing import Any, final

from typing_extensions import disjoint_base

from pylog.streams.record import Headers

@disjoint_base
class RecordCollector:
    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        partition: int,
    ) -> None: ...
    def partition_count(self, topic: str) -> int: ...

@final
class PythonCollector(RecordCollector):
    def __init__(self, target: Any) -> None: ...
