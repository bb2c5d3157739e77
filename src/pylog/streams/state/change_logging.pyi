from typing import final

from pylog.streams.state.bytes_store import (
    BytesKeyValueStore,
    BytesSessionStore,
    BytesVersionedStore,
    BytesWindowStore,
)

@final
class ChangeLoggingKeyValueStore(BytesKeyValueStore):
    def __init__(
        self, inner: BytesKeyValueStore, is_timestamped: bool, logs_headers: bool = False
    ) -> None: ...
    def log_eviction(self, key: bytes) -> None: ...

@final
class ChangeLoggingWindowStore(BytesWindowStore):
    def __init__(
        self, inner: BytesWindowStore, is_timestamped: bool, retain_duplicates: bool
    ) -> None: ...

@final
class ChangeLoggingSessionStore(BytesSessionStore):
    def __init__(self, inner: BytesSessionStore) -> None: ...

@final
class ChangeLoggingVersionedStore(BytesVersionedStore):
    def __init__(self, inner: BytesVersionedStore) -> None: ...
