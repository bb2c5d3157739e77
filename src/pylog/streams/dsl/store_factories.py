"""Builders of the stores that the DSL makes: of tables, aggregations and joins.

They are StoreBuilders whose store, in memory or on disk, is up to `default.dsl.store` where the
program says nothing: `configure` tells them, before `build`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from pylog.streams.dsl.materialized import STORE_TYPES, Materialized
from pylog.streams.errors import TopologyError
from pylog.streams.serde import Serde
from pylog.streams.state import stores
from pylog.streams.state.outer_join_store_builder import outer_join_store_builder
from pylog.streams.windows import EmitStrategy, JoinWindows, SessionWindows, SlidingWindows, Windows


class DslStoreBuilder(ABC):
    """What a StoreBuilder has, for a store of the DSL.

    Attributes:
        name: of the store.
        key_serde: None for the default.
        value_serde: None for the default.
        caching_enabled: see Materialized.
        logging_enabled: see Materialized.
        log_config: topic configurations of the changelog.
        changelog_kind: "compact", "compact_delete" for windows, or "versioned".
        retention_ms: for how long windows are kept, None where there are none.
        history_retention_ms: for how long versions are kept, None where there are none.
    """

    changelog_kind = "compact"
    retention_ms: int | None = None
    history_retention_ms: int | None = None

    def __init__(
        self,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        *,
        supplier: Any = None,
        store_type: str | None = None,
        caching_enabled: bool = False,
        logging_enabled: bool = True,
        log_config: Mapping[str, str] | None = None,
    ):
        self.name = name
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.caching_enabled = caching_enabled
        self.logging_enabled = logging_enabled
        self.log_config = dict(log_config or {})
        self._supplier = supplier
        self._store_type = store_type
        self._default_store_type = "persistent"

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take `default.dsl.store` from the application's configuration."""
        self._default_store_type = config["default.dsl.store"]

    @property
    def is_in_memory(self) -> bool:
        """Whether the store that it makes without a supplier is kept in memory only."""
        return not STORE_TYPES[self._store_type or self._default_store_type]

    def with_caching_enabled(self) -> Self:
        """Updates of a key are merged until the next commit."""
        self.caching_enabled = True
        return self

    def with_caching_disabled(self) -> Self:
        """Each update goes on at once."""
        self.caching_enabled = False
        return self

    def with_logging_enabled(self, log_config: Mapping[str, str] | None = None) -> Self:
        """With a changelog topic."""
        self.logging_enabled = True
        self.log_config = dict(log_config or {})
        return self

    def with_logging_disabled(self) -> Self:
        """Without a changelog topic."""
        self.logging_enabled = False
        self.log_config = {}
        return self

    def build(self) -> Any:
        """Make the store of one task."""
        builder = self._builder()
        if self.caching_enabled:
            builder.with_caching_enabled()
        else:
            builder.with_caching_disabled()
        if self.logging_enabled:
            builder.with_logging_enabled(self.log_config)
        else:
            builder.with_logging_disabled()
        return builder.build()

    @abstractmethod
    def _builder(self) -> Any:
        """The builder that does the work, of the store type that was chosen."""


class _MaterializedStoreBuilder(DslStoreBuilder):
    kind = ""
    other_kinds: tuple[str, ...] = ()

    def __init__(
        self,
        materialized: Materialized,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        *,
        caching_enabled: bool,
    ):
        supplier = materialized.supplier
        super().__init__(
            name,
            key_serde,
            value_serde,
            supplier=supplier,
            store_type=materialized.store_type,
            caching_enabled=caching_enabled,
            logging_enabled=materialized.logging_enabled,
            log_config=materialized.log_config,
        )
        kinds = (self.kind, *self.other_kinds)
        if supplier is not None and getattr(supplier, "kind", self.kind) not in kinds:
            raise TopologyError(
                f"store {name!r}: a {self.kind} store is needed here, "
                f"and {supplier!r} makes a {supplier.kind} store"
            )


class TableStoreBuilder(_MaterializedStoreBuilder):
    """Of a table or an aggregate: a value and its time for each key, or its versions."""

    kind = "key-value"
    other_kinds = ("versioned",)

    def __init__(
        self,
        materialized: Materialized,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
    ):
        # Versions cannot be merged: each has its time.
        caching_enabled = materialized.caching_enabled and not materialized.is_versioned
        super().__init__(
            materialized, name, key_serde, value_serde, caching_enabled=caching_enabled
        )
        if materialized.is_versioned:
            self.changelog_kind = "versioned"
            self.history_retention_ms = materialized.supplier.history_retention_ms

    def _builder(self) -> Any:
        if self.history_retention_ms is not None:
            return stores.versioned_key_value_store_builder(
                self._supplier, self.key_serde, self.value_serde
            )
        supplier = self._supplier
        if supplier is None and self.is_in_memory:
            supplier = stores.in_memory_key_value_store(self.name)
        elif supplier is None:
            supplier = stores.persistent_timestamped_key_value_store(self.name)
        return stores.timestamped_key_value_store_builder(
            supplier, self.key_serde, self.value_serde
        )


class SubscriptionStoreBuilder(TableStoreBuilder):
    """Of a join by foreign key: who has subscribed to which row of the right table."""

    def _builder(self) -> Any:
        return super()._builder().with_headers_logged()


class _WindowedStoreBuilder(_MaterializedStoreBuilder):
    changelog_kind = "compact_delete"

    def __init__(
        self,
        materialized: Materialized,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        emit_strategy: EmitStrategy,
        *,
        needed_ms: int,
        needed_for: str,
    ):
        self._emits_on_window_close = emit_strategy.emits_on_window_close
        # What is emitted when a window closes is final; a cache could only delay it.
        caching_enabled = materialized.caching_enabled and not emit_strategy.emits_on_window_close
        super().__init__(
            materialized, name, key_serde, value_serde, caching_enabled=caching_enabled
        )
        given_ms = materialized.retention_ms
        if given_ms is None:
            given_ms = getattr(materialized.supplier, "retention_ms", None)
        retention_ms = needed_ms if given_ms is None else given_ms
        if retention_ms < needed_ms:
            raise TopologyError(
                f"store {name!r}: the retention of {retention_ms} ms is shorter than {needed_for}, "
                f"{needed_ms} ms"
            )
        self.retention_ms: int = retention_ms


class WindowStoreBuilder(_WindowedStoreBuilder):
    """Of aggregates in time windows or sliding windows."""

    kind = "window"

    def __init__(
        self,
        materialized: Materialized,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        emit_strategy: EmitStrategy,
        windows: Windows | SlidingWindows,
    ):
        if isinstance(windows, SlidingWindows):
            # A late record may need windows that begin two differences before it.
            needed_ms = 2 * windows.time_difference_ms + windows.grace_ms
            needed_for = "twice the time difference and the grace period"
            self._window_size_ms = windows.time_difference_ms
        else:
            needed_ms = windows.size_ms + windows.grace_ms
            needed_for = "the windows' size and grace period"
            self._window_size_ms = windows.size_ms
        super().__init__(
            materialized,
            name,
            key_serde,
            value_serde,
            emit_strategy,
            needed_ms=needed_ms,
            needed_for=needed_for,
        )

    def _builder(self) -> Any:
        supplier = self._supplier
        if supplier is None:
            make = (
                stores.in_memory_window_store
                if self.is_in_memory
                else stores.persistent_timestamped_window_store
            )
            supplier = make(
                self.name,
                self.retention_ms,
                self._window_size_ms,
                retain_duplicates=False,
                is_time_ordered=self._emits_on_window_close,
            )
        return stores.timestamped_window_store_builder(supplier, self.key_serde, self.value_serde)


class SessionStoreBuilder(_WindowedStoreBuilder):
    """Of aggregates in sessions."""

    kind = "session"

    def __init__(
        self,
        materialized: Materialized,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        emit_strategy: EmitStrategy,
        windows: SessionWindows,
    ):
        super().__init__(
            materialized,
            name,
            key_serde,
            value_serde,
            emit_strategy,
            needed_ms=windows.inactivity_gap_ms + windows.grace_ms,
            needed_for="the gap of inactivity and the grace period",
        )

    def _builder(self) -> Any:
        supplier = self._supplier
        if supplier is None:
            make = (
                stores.in_memory_session_store
                if self.is_in_memory
                else stores.persistent_session_store
            )
            supplier = make(
                self.name, self.retention_ms, is_time_ordered=self._emits_on_window_close
            )
        return stores.session_store_builder(supplier, self.key_serde, self.value_serde)


class JoinWindowStoreBuilder(DslStoreBuilder):
    """Of one side of a join of streams: all records of the window, equal keys and times too."""

    changelog_kind = "compact_delete"

    def __init__(
        self,
        name: str,
        windows: JoinWindows,
        key_serde: Serde | None,
        value_serde: Serde | None,
        *,
        supplier: Any,
        store_type: str | None,
        logging_enabled: bool,
        log_config: Mapping[str, str],
    ):
        super().__init__(
            name,
            key_serde,
            value_serde,
            supplier=supplier,
            store_type=store_type,
            logging_enabled=logging_enabled,
            # Records of one key and time are all needed, so compaction must not touch them.
            log_config={**log_config, "cleanup.policy": "delete"} if logging_enabled else {},
        )
        self.retention_ms: int = windows.size_ms + windows.grace_ms
        self._window_size_ms = windows.size_ms

    def _builder(self) -> Any:
        supplier = self._supplier
        if supplier is None:
            make = (
                stores.in_memory_window_store
                if self.is_in_memory
                else stores.persistent_window_store
            )
            supplier = make(
                self.name, self.retention_ms, self._window_size_ms, retain_duplicates=True
            )
        return stores.window_store_builder(supplier, self.key_serde, self.value_serde)


class OuterJoinStoreBuilder(DslStoreBuilder):
    """Of a left or outer join of streams: the records that have found no other so far."""

    def __init__(
        self,
        name: str,
        windows: JoinWindows,
        key_serde: Serde | None,
        left_value_serde: Serde | None,
        right_value_serde: Serde | None,
        *,
        window_store_supplier: Any,
        store_type: str | None,
        logging_enabled: bool,
        log_config: Mapping[str, str],
    ):
        super().__init__(
            name,
            key_serde,
            left_value_serde,
            store_type=store_type,
            logging_enabled=logging_enabled,
            log_config=log_config,
        )
        self._right_value_serde = right_value_serde
        if store_type is None and window_store_supplier is not None:
            is_persistent = getattr(window_store_supplier, "is_persistent", True)
            self._store_type = "persistent" if is_persistent else "in_memory"

    def _builder(self) -> Any:
        return outer_join_store_builder(
            self.name,
            not self.is_in_memory,
            self.key_serde,
            self.value_serde,
            self._right_value_serde,
        )
