from collections.abc import Callable

from logcore.cleaned_transactions import CleanedTransactions
from logcore.offset_map import OffsetMap

def index_segment(
    path: str,
    start_offset: int,
    offsets: OffsetMap,
    transactions: CleanedTransactions,
    on_progress: Callable[[int], None] | None = None,
) -> bool: ...
