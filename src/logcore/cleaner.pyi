from collections.abc import Callable, Mapping
from typing import final

from logcore.cleaned_transactions import CleanedTransactions
from logcore.offset_map import OffsetMap

@final
class SegmentCleaner:
    path: str
    size_bytes: int
    record_count: int
    kept_record_count: int
    is_changed: bool

    def __init__(
        self,
        path: str,
        offsets: OffsetMap,
        transactions: CleanedTransactions,
        live_batches: Mapping[int, tuple[int, int]],
        now_ms: int,
        delete_horizon_ms: int,
    ) -> None: ...
    def clean(
        self, path: str, is_last: bool, on_progress: Callable[[int], None] | None = None
    ) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...
