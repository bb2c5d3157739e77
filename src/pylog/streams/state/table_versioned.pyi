from typing import final

from pylog.streams.state.bytes_store import BytesVersionedStore
from pylog.streams.state.disk import StoreDisk
from pylog.streams.state.retention import Retention

@final
class TableVersionedStore(BytesVersionedStore):
    def __init__(self, name: str, retention: Retention, disk: StoreDisk | None = None) -> None: ...
