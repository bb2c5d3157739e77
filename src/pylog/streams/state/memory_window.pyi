from typing import final

from pylog.streams.state.bytes_store import BytesWindowStore
from pylog.streams.state.cursor import Cursor
from pylog.streams.state.retention import Retention

@final
class InMemoryWindowStore(BytesWindowStore):
    def __init__(self, name: str, retention: Retention, retain_duplicates: bool) -> None: ...

@final
class WindowsCursor(Cursor): ...
