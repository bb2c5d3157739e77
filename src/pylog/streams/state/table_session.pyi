from typing import final

from pylog.streams.state.bytes_store import BytesSessionStore
from pylog.streams.state.disk import StoreDisk
from pylog.streams.state.retention import Retention

@final
class TableSessionStore(BytesSessionStore):
    def __init__(self, name: str, retention: Retention, disk: StoreDisk | None = None) -> None: ...
