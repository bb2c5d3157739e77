from typing import final

from pylog.streams.state.bytes_store import BytesWindowStore
from pylog.streams.state.disk import StoreDisk
from pylog.streams.state.retention import Retention

@final
class TableWindowStore(BytesWindowStore):
    def __init__(
        self, name: str, retention: Retention, retain_duplicates: bool, disk: StoreDisk
    ) -> None: ...
