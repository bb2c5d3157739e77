from collections.abc import Callable
from typing import final

from pylog.streams.state.bytes_store import BytesKeyValueStore
from pylog.streams.state.disk import StoreDisk

@final
class TableKeyValueStore(BytesKeyValueStore):
    def __init__(self, name: str, disk: StoreDisk | None = None) -> None: ...

@final
class LruMap(BytesKeyValueStore):
    def __init__(self, name: str, max_entries: int) -> None: ...
    def set_on_eviction(self, on_eviction: Callable[[bytes], None]) -> None: ...
