from collections.abc import Callable
from typing import Any, final

from pylog.streams.collector import RecordCollector

@final
class Outlet:
    needs_begin: bool
    failure: BaseException | None
    @property
    def produce(self) -> Callable[..., None]: ...
    @property
    def sent(self) -> int: ...
    def __init__(
        self,
        produce: Callable[..., None],
        poll: Callable[[float], int],
        begin: Callable[[], None] | None,
    ) -> None: ...
    def redirect(self, produce: Callable[..., None], poll: Callable[[float], int]) -> None: ...
    def raise_failure(self) -> None: ...

@final
class TaskCollector(RecordCollector):
    context: Any
    origin: tuple[str | None, int, int, Any, int] | None
    @property
    def writers(self) -> dict[str | None, str]: ...
    def __init__(
        self,
        outlet: Outlet,
        count_partitions: Callable[[str], int],
        report_failure: Callable[..., None],
        reports_each: bool,
    ) -> None: ...
