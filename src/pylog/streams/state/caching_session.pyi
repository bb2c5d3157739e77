from collections.abc import Callable
from typing import Any, final

from pylog.streams.state.bytes_store import BytesSessionStore
from pylog.streams.state.retention import Retention

_FlushListener = Callable[[bytes, bytes | None, bytes | None, int, Any], None]

@final
class CachingSessionStore(BytesSessionStore):
    def __init__(self, inner: BytesSessionStore, retention: Retention) -> None: ...
    def set_flush_listener(self, listener: _FlushListener, send_old_values: bool) -> None: ...
