from collections.abc import Callable
from typing import Any, final

from pylog.streams.state.bytes_store import BytesKeyValueStore
from pylog.streams.state.cursor import Cursor

_FlushListener = Callable[[bytes, bytes | None, bytes | None, int, Any], None]

@final
class CachingKeyValueStore(BytesKeyValueStore):
    def __init__(self, inner: BytesKeyValueStore) -> None: ...
    def set_flush_listener(self, listener: _FlushListener, send_old_values: bool) -> None: ...

@final
class MergedCursor(Cursor): ...
