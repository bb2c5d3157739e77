"""Store builders: a supplier, serdes, and which layers a store has.

A builder is what a topology holds; `build` makes the store of one task.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pylog.streams.errors import TopologyError
from pylog.streams.serde import Serde
from pylog.streams.state.caching_key_value import CachingKeyValueStore
from pylog.streams.state.caching_session import CachingSessionStore
from pylog.streams.state.caching_window import CachingWindowStore
from pylog.streams.state.change_logging import (
    ChangeLoggingKeyValueStore,
    ChangeLoggingSessionStore,
    ChangeLoggingVersionedStore,
    ChangeLoggingWindowStore,
)
from pylog.streams.state.key_value_store import KeyValueStore, TimestampedKeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.suppliers import (
    KeyValueSupplier,
    SessionSupplier,
    VersionedSupplier,
    WindowSupplier,
)
from pylog.streams.state.versioned_store import VersionedKeyValueStore
from pylog.streams.state.window_store import TimestampedWindowStore, WindowStore


class StoreBuilder:
    """What all builders have.

    Attributes:
        name: of the store.
        supplier: of its innermost layer.
        key_serde: None for the default.
        value_serde: None for the default.
        caching_enabled: whether updates of a key are merged until the next commit.
        logging_enabled: whether changes are logged to a changelog topic.
        log_config: topic configurations of the changelog.
        changelog_kind: "compact", "compact_delete" for windows, or "versioned".
        retention_ms: for how long windows are kept, None where there are none.
        history_retention_ms: for how long versions are kept, None where there are none.
    """

    kind: ClassVar[str] = ""
    changelog_kind = "compact"
    retention_ms: int | None = None
    history_retention_ms: int | None = None

    def __init__(self, supplier: Any, key_serde: Serde | None, value_serde: Serde | None):
        found = getattr(supplier, "kind", self.kind)
        if found != self.kind:
            raise TopologyError(
                f"store {supplier.name!r}: a {self.kind} store is wanted, the supplier makes a "
                f"{found} store"
            )
        self.name: str = supplier.name
        self.supplier = supplier
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.caching_enabled = False
        self.logging_enabled = True
        self.log_config: dict[str, str] = {}

    def with_caching_enabled(self) -> Self:
        """Merge updates of a key until the next commit."""
        self.caching_enabled = True
        return self

    def with_caching_disabled(self) -> Self:
        """Pass each update on at once."""
        self.caching_enabled = False
        return self

    def with_logging_enabled(self, log_config: Mapping[str, str] | None = None) -> Self:
        """Log changes to a changelog topic; it has these configurations."""
        self.logging_enabled = True
        self.log_config.update(log_config or {})
        return self

    def with_logging_disabled(self) -> Self:
        """Have no changelog topic."""
        self.logging_enabled = False
        self.log_config.clear()
        return self

    def build(self) -> Any:
        """Make a store."""
        raise NotImplementedError(f"{type(self).__name__}.build")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.supplier!r})"


class KeyValueStoreBuilder(StoreBuilder):
    """Builds a KeyValueStore."""

    kind = "key-value"
    is_timestamped = False

    def __init__(
        self, supplier: KeyValueSupplier, key_serde: Serde | None, value_serde: Serde | None
    ):
        super().__init__(supplier, key_serde, value_serde)
        self._logs_headers = False

    def with_headers_logged(self) -> Self:
        """Log changes with the headers of the record that leads to them."""
        self._logs_headers = True
        return self

    def build(self) -> KeyValueStore:
        """Make a store."""
        layers = self.supplier()
        if self.logging_enabled:
            layers = ChangeLoggingKeyValueStore(layers, self.is_timestamped, self._logs_headers)
        if self.caching_enabled:
            layers = CachingKeyValueStore(layers)
        return self._face(layers)

    def _face(self, layers: Any) -> KeyValueStore:
        return KeyValueStore(layers, self.key_serde, self.value_serde)


class TimestampedKeyValueStoreBuilder(KeyValueStoreBuilder):
    """Builds a TimestampedKeyValueStore."""

    is_timestamped = True

    def _face(self, layers: Any) -> TimestampedKeyValueStore:
        return TimestampedKeyValueStore(layers, self.key_serde, self.value_serde)


class WindowStoreBuilder(StoreBuilder):
    """Builds a WindowStore."""

    kind = "window"
    changelog_kind = "compact_delete"
    is_timestamped = False

    def __init__(
        self, supplier: WindowSupplier, key_serde: Serde | None, value_serde: Serde | None
    ):
        super().__init__(supplier, key_serde, value_serde)
        self.retention_ms = supplier.retention_ms
        if supplier.retain_duplicates and not self.is_timestamped:
            # Each record of the changelog has a key of its own: compaction would be in vain.
            self.log_config["cleanup.policy"] = "delete"

    def build(self) -> WindowStore:
        """Make a store."""
        supplier = self.supplier
        layers = supplier()
        if self.logging_enabled:
            layers = ChangeLoggingWindowStore(
                layers, self.is_timestamped, supplier.retain_duplicates
            )
        # Duplicates of a key cannot be merged.
        if self.caching_enabled and not supplier.retain_duplicates:
            layers = CachingWindowStore(layers, supplier.retention())
        return self._face(layers)

    def _face(self, layers: Any) -> WindowStore:
        supplier = self.supplier
        return WindowStore(
            layers,
            supplier.window_size_ms,
            supplier.retention_ms,
            self.key_serde,
            self.value_serde,
        )


class TimestampedWindowStoreBuilder(WindowStoreBuilder):
    """Builds a TimestampedWindowStore."""

    is_timestamped = True

    def _face(self, layers: Any) -> TimestampedWindowStore:
        supplier = self.supplier
        return TimestampedWindowStore(
            layers,
            supplier.window_size_ms,
            supplier.retention_ms,
            self.key_serde,
            self.value_serde,
        )


class SessionStoreBuilder(StoreBuilder):
    """Builds a SessionStore."""

    kind = "session"
    changelog_kind = "compact_delete"

    def __init__(
        self, supplier: SessionSupplier, key_serde: Serde | None, value_serde: Serde | None
    ):
        super().__init__(supplier, key_serde, value_serde)
        self.retention_ms = supplier.retention_ms

    def build(self) -> SessionStore:
        """Make a store."""
        layers = self.supplier()
        if self.logging_enabled:
            layers = ChangeLoggingSessionStore(layers)
        if self.caching_enabled:
            layers = CachingSessionStore(layers, self.supplier.retention())
        return SessionStore(layers, self.supplier.retention_ms, self.key_serde, self.value_serde)


class VersionedKeyValueStoreBuilder(StoreBuilder):
    """Builds a VersionedKeyValueStore."""

    kind = "versioned"
    changelog_kind = "versioned"

    def __init__(
        self, supplier: VersionedSupplier, key_serde: Serde | None, value_serde: Serde | None
    ):
        super().__init__(supplier, key_serde, value_serde)
        self.history_retention_ms = supplier.history_retention_ms

    def with_caching_enabled(self) -> Self:
        """Refused.

        Raises:
            TopologyError: always.
        """
        raise TopologyError(
            f"store {self.name!r}: versions are not cached, since each has its own time"
        )

    def build(self) -> VersionedKeyValueStore:
        """Make a store."""
        layers = self.supplier()
        if self.logging_enabled:
            layers = ChangeLoggingVersionedStore(layers)
        return VersionedKeyValueStore(
            layers, self.supplier.history_retention_ms, self.key_serde, self.value_serde
        )
