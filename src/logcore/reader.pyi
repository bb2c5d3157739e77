from typing import Self, final

from logcore.batch import Record
from logcore.log import Log

RELIST_ATTEMPTS: int

@final
class LogReader:
    def __init__(
        self,
        log: Log,
        offset: int,
        fetch_bytes: int = ...,
        *,
        read_committed: bool = False,
        allows_gaps: bool | None = None,
    ) -> None: ...
    @property
    def log(self) -> Log: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def allows_gaps(self) -> bool: ...
    @property
    def read_committed(self) -> bool: ...
    def seek(self, offset: int) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Record: ...
    def read_batches(self, max_bytes: int) -> bytes: ...
