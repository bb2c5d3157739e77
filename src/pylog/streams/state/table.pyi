from typing import Any, final

from typing_extensions import disjoint_base

from pylog.streams.state.cursor import Cursor
from pylog.streams.state.sorted_keys import SortedKeys

@disjoint_base
class Table:
    def open(self) -> None: ...
    def close(self) -> None: ...
    def approximate_num_entries(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...

@final
class MemoryTable(Table): ...

@final
class MapCursor(Cursor):
    def __init__(
        self,
        entries: dict[bytes, Any],
        sorted_keys: SortedKeys,
        from_key: bytes | None,
        to_key: bytes | None,
        to_inclusive: bool,
        is_reverse: bool,
    ) -> None: ...
