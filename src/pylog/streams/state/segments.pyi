from typing import Any, final

from pylog.streams.state.cursor import Cursor
from pylog.streams.state.retention import Retention
from pylog.streams.state.table import Table

@final
class SegmentedTable:
    def __init__(
        self,
        rows: Table,
        times: Table | None,
        retention: Retention,
        tail_size: int,
        stream_time: int,
    ) -> None: ...
    def close(self) -> None: ...
    @property
    def memory_bytes(self) -> int: ...

@final
class SegmentsCursor(Cursor): ...

@final
class TimesCursor(Cursor): ...

def by_end(entry: tuple[bytes, Any, int, int]) -> tuple[int, int, bytes]: ...
