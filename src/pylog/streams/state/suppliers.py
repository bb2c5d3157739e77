"""Suppliers: what makes the innermost layer of a store, in memory or on disk."""

from dataclasses import dataclass
from typing import ClassVar

from pylog.streams.state.bytes_store import (
    BytesKeyValueStore,
    BytesSessionStore,
    BytesVersionedStore,
    BytesWindowStore,
)
from pylog.streams.state.disk import StoreDisk
from pylog.streams.state.memory_window import InMemoryWindowStore
from pylog.streams.state.retention import Retention
from pylog.streams.state.table_key_value import LruMap, TableKeyValueStore
from pylog.streams.state.table_session import TableSessionStore
from pylog.streams.state.table_versioned import TableVersionedStore
from pylog.streams.state.table_window import TableWindowStore

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True)
class KeyValueSupplier:
    """Makes key-value stores.

    Attributes:
        name: of the store.
        is_persistent: whether it is on disk.
        max_entries: of an LRU map; None for a store that keeps all.
    """

    name: str
    is_persistent: bool = False
    max_entries: int | None = None

    kind: ClassVar[str] = "key-value"

    def __call__(self) -> BytesKeyValueStore:
        """Make a store."""
        if self.max_entries is not None:
            return LruMap(self.name, self.max_entries)
        return TableKeyValueStore(self.name, StoreDisk(self.name) if self.is_persistent else None)


@dataclass(frozen=True)
class WindowSupplier:
    """Makes window stores.

    Attributes:
        name: of the store.
        retention_ms: for how long windows are kept, behind stream time.
        window_size_ms: of all windows.
        retain_duplicates: whether each put adds a value, instead of replacing it.
        is_persistent: whether it is on disk.
        segment_interval_ms: see Retention.
        is_time_ordered: see Retention.
    """

    name: str
    retention_ms: int
    window_size_ms: int
    retain_duplicates: bool
    is_persistent: bool = False
    segment_interval_ms: int | None = None
    is_time_ordered: bool = False

    kind: ClassVar[str] = "window"

    def __post_init__(self) -> None:
        if self.window_size_ms < 0:
            raise ValueError(f"store {self.name!r}: the window size is negative")
        if self.window_size_ms > self.retention_ms:
            raise ValueError(
                f"store {self.name!r}: the retention of {self.retention_ms} ms is shorter than a "
                f"window, {self.window_size_ms} ms"
            )
        self.retention()

    def __call__(self) -> BytesWindowStore:
        """Make a store."""
        if self.is_persistent:
            return TableWindowStore(
                self.name, self.retention(), self.retain_duplicates, StoreDisk(self.name)
            )
        return InMemoryWindowStore(self.name, self.retention(), self.retain_duplicates)

    def retention(self) -> Retention:
        """For how long, and in which segments, windows are kept."""
        return Retention(
            self.name,
            self.retention_ms,
            self.segment_interval_ms,
            is_time_ordered=self.is_time_ordered,
            shows_one_ms_more=self.is_time_ordered,
        )


@dataclass(frozen=True)
class SessionSupplier:
    """Makes session stores.

    Attributes:
        name: of the store.
        retention_ms: for how long sessions are kept, behind stream time.
        is_persistent: whether it is on disk.
        segment_interval_ms: see Retention.
        is_time_ordered: see Retention.
    """

    name: str
    retention_ms: int
    is_persistent: bool = False
    segment_interval_ms: int | None = None
    is_time_ordered: bool = False

    kind: ClassVar[str] = "session"

    def __post_init__(self) -> None:
        self.retention()

    def __call__(self) -> BytesSessionStore:
        """Make a store."""
        return TableSessionStore(
            self.name, self.retention(), StoreDisk(self.name) if self.is_persistent else None
        )

    def retention(self) -> Retention:
        """For how long, and in which segments, sessions are kept."""
        return Retention(
            self.name,
            self.retention_ms,
            self.segment_interval_ms,
            is_time_ordered=self.is_time_ordered,
        )


@dataclass(frozen=True)
class VersionedSupplier:
    """Makes versioned stores.

    Attributes:
        name: of the store.
        history_retention_ms: for how long versions are kept, behind stream time.
        is_persistent: whether it is on disk.
        segment_interval_ms: see Retention; Kafka's default for versions when None.
    """

    name: str
    history_retention_ms: int
    is_persistent: bool = False
    segment_interval_ms: int | None = None

    kind: ClassVar[str] = "versioned"

    def __post_init__(self) -> None:
        self.retention()

    def __call__(self) -> BytesVersionedStore:
        """Make a store."""
        return TableVersionedStore(
            self.name, self.retention(), StoreDisk(self.name) if self.is_persistent else None
        )

    def retention(self) -> Retention:
        """For how long, and in which segments, versions are kept."""
        history_ms = self.history_retention_ms
        interval_ms = self.segment_interval_ms
        if interval_ms is None:
            if history_ms <= MINUTE_MS:
                interval_ms = max(history_ms // 3, 2_000)
            elif history_ms <= 5 * MINUTE_MS:
                interval_ms = max(history_ms // 5, 20_000)
            elif history_ms <= HOUR_MS:
                interval_ms = max(history_ms // 12, MINUTE_MS)
            else:
                interval_ms = max(history_ms // 24, 5 * MINUTE_MS)
        return Retention(self.name, history_ms, interval_ms)
