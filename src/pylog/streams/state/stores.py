"""Suppliers and builders of stores by the names that Kafka Streams' `Stores` has for them.

    in_memory_key_value_store, lru_map, persistent_key_value_store,
    persistent_timestamped_key_value_store       -> key_value_store_builder,
                                                    timestamped_key_value_store_builder
    in_memory_versioned_key_value_store, persistent_versioned_key_value_store
                                                 -> versioned_key_value_store_builder
    in_memory_window_store, persistent_window_store, persistent_timestamped_window_store
                                                 -> window_store_builder,
                                                    timestamped_window_store_builder
    in_memory_session_store, persistent_session_store -> session_store_builder

Durations are int ms, a timedelta, or text like "10s".
"""

from pylog.streams.durations import Duration, to_ms
from pylog.streams.serde import Serde
from pylog.streams.state.store_builders import (
    KeyValueStoreBuilder,
    SessionStoreBuilder,
    TimestampedKeyValueStoreBuilder,
    TimestampedWindowStoreBuilder,
    VersionedKeyValueStoreBuilder,
    WindowStoreBuilder,
)
from pylog.streams.state.suppliers import (
    KeyValueSupplier,
    SessionSupplier,
    VersionedSupplier,
    WindowSupplier,
)


def in_memory_key_value_store(name: str) -> KeyValueSupplier:
    """A map in memory."""
    return KeyValueSupplier(name)


def lru_map(name: str, max_entries: int) -> KeyValueSupplier:
    """A map in memory of the entries that were used last; it has no ranges."""
    return KeyValueSupplier(name, max_entries=max_entries)


def persistent_key_value_store(name: str) -> KeyValueSupplier:
    """A map on disk."""
    return KeyValueSupplier(name, is_persistent=True)


def persistent_timestamped_key_value_store(name: str) -> KeyValueSupplier:
    """A map on disk, for values with timestamps; the same as persistent_key_value_store."""
    return KeyValueSupplier(name, is_persistent=True)


def in_memory_versioned_key_value_store(
    name: str, history_retention: Duration, *, segment_interval: Duration | None = None
) -> VersionedSupplier:
    """A map in memory that remembers what its values were."""
    return _versioned(name, history_retention, segment_interval, is_persistent=False)


def persistent_versioned_key_value_store(
    name: str, history_retention: Duration, *, segment_interval: Duration | None = None
) -> VersionedSupplier:
    """A map on disk that remembers what its values were.

    Args:
        name: of the store.
        history_retention: for how long.
        segment_interval: old versions are taken out together with others of such a time.
    """
    return _versioned(name, history_retention, segment_interval, is_persistent=True)


def in_memory_window_store(
    name: str,
    retention: Duration,
    window_size: Duration,
    retain_duplicates: bool = False,
    *,
    segment_interval: Duration | None = None,
    is_time_ordered: bool = False,
) -> WindowSupplier:
    """Windows in memory; see persistent_window_store."""
    return WindowSupplier(
        name,
        to_ms(retention, "retention"),
        to_ms(window_size, "window_size"),
        retain_duplicates,
        False,
        _optional_ms(segment_interval, "segment_interval"),
        is_time_ordered,
    )


def persistent_window_store(
    name: str,
    retention: Duration,
    window_size: Duration,
    retain_duplicates: bool = False,
    *,
    segment_interval: Duration | None = None,
    is_time_ordered: bool = False,
) -> WindowSupplier:
    """Windows on disk.

    Args:
        name: of the store.
        retention: for how long windows are kept, at least as long as one lasts.
        window_size: of all windows.
        retain_duplicates: whether each put adds a value instead of replacing it.
        segment_interval: old windows are taken out together with others of such a time.
        is_time_ordered: for results that are emitted when windows close: going through all is in
            the order of time.
    """
    return WindowSupplier(
        name,
        to_ms(retention, "retention"),
        to_ms(window_size, "window_size"),
        retain_duplicates,
        True,
        _optional_ms(segment_interval, "segment_interval"),
        is_time_ordered,
    )


# In Kafka a value's timestamp is part of the store's format; here any store takes such values.
persistent_timestamped_window_store = persistent_window_store


def in_memory_session_store(
    name: str,
    retention: Duration,
    *,
    segment_interval: Duration | None = None,
    is_time_ordered: bool = False,
) -> SessionSupplier:
    """Sessions in memory; see persistent_session_store."""
    return SessionSupplier(
        name,
        to_ms(retention, "retention"),
        False,
        _optional_ms(segment_interval, "segment_interval"),
        is_time_ordered,
    )


def persistent_session_store(
    name: str,
    retention: Duration,
    *,
    segment_interval: Duration | None = None,
    is_time_ordered: bool = False,
) -> SessionSupplier:
    """Sessions on disk.

    Args:
        name: of the store.
        retention: for how long sessions are kept after their end.
        segment_interval: old sessions are taken out together with others of such a time.
        is_time_ordered: for results that are emitted when sessions close.
    """
    return SessionSupplier(
        name,
        to_ms(retention, "retention"),
        True,
        _optional_ms(segment_interval, "segment_interval"),
        is_time_ordered,
    )


def key_value_store_builder(
    supplier: KeyValueSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> KeyValueStoreBuilder:
    """Build a KeyValueStore; a serde that is None is the default of the configuration."""
    return KeyValueStoreBuilder(supplier, key_serde, value_serde)


def timestamped_key_value_store_builder(
    supplier: KeyValueSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> TimestampedKeyValueStoreBuilder:
    """Build a TimestampedKeyValueStore, whose values are ValueAndTimestamp."""
    return TimestampedKeyValueStoreBuilder(supplier, key_serde, value_serde)


def versioned_key_value_store_builder(
    supplier: VersionedSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> VersionedKeyValueStoreBuilder:
    """Build a VersionedKeyValueStore."""
    return VersionedKeyValueStoreBuilder(supplier, key_serde, value_serde)


def window_store_builder(
    supplier: WindowSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> WindowStoreBuilder:
    """Build a WindowStore."""
    return WindowStoreBuilder(supplier, key_serde, value_serde)


def timestamped_window_store_builder(
    supplier: WindowSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> TimestampedWindowStoreBuilder:
    """Build a TimestampedWindowStore, whose values are ValueAndTimestamp."""
    return TimestampedWindowStoreBuilder(supplier, key_serde, value_serde)


def session_store_builder(
    supplier: SessionSupplier, key_serde: Serde | None = None, value_serde: Serde | None = None
) -> SessionStoreBuilder:
    """Build a SessionStore."""
    return SessionStoreBuilder(supplier, key_serde, value_serde)


def _versioned(
    name: str, retention: Duration, interval: Duration | None, *, is_persistent: bool
) -> VersionedSupplier:
    return VersionedSupplier(
        name,
        to_ms(retention, "history_retention"),
        is_persistent,
        _optional_ms(interval, "segment_interval"),
    )


def _optional_ms(duration: Duration | None, name: str) -> int | None:
    return None if duration is None else to_ms(duration, name)
