from typing import final

@final
class Retention:
    @property
    def retention_ms(self) -> int: ...
    @property
    def segment_interval_ms(self) -> int: ...
    @property
    def is_time_ordered(self) -> bool: ...
    @property
    def shows_one_ms_more(self) -> bool: ...
    def __init__(
        self,
        name: str,
        retention_ms: int,
        segment_interval_ms: int | None = None,
        is_time_ordered: bool = False,
        shows_one_ms_more: bool = False,
    ) -> None: ...
    def layout(self) -> str: ...
