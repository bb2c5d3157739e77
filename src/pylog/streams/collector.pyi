from typing import Any

from pylog.streams.record import Headers

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

class PythonCollector(RecordCollector):
    def __init__(self, target: Any) -> None: ...
