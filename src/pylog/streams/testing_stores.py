"""The stores of a TopologyTestDriver by their kinds, and faces without timestamps."""

from collections.abc import Iterable, Iterator
from typing import Any

from pylog.streams.record import ValueAndTimestamp
from pylog.streams.state.key_value_store import KeyValueStore, TimestampedKeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.versioned_store import VersionedKeyValueStore
from pylog.streams.state.window_store import TimestampedWindowStore, WindowStore

# Beside a value that a test puts in without a timestamp. Kafka Streams' driver writes -1, which
# cannot go on downstream from a store with a cache.
NO_TIMESTAMP = 0


class PlainFace:
    """A store with timestamps as if it had none; other names are the store's own."""

    def __init__(self, store: Any):
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class PlainKeyValueFace(PlainFace):
    """A TimestampedKeyValueStore that takes and gives values alone."""

    def get(self, key: Any) -> Any:
        """Return the value of a key, or None."""
        return _value(self._store.get(key))

    def put(self, key: Any, value: Any) -> None:
        """Set the value of a key."""
        self._store.put(key, _stamped(value))

    def put_if_absent(self, key: Any, value: Any) -> Any:
        """Set the value of a key that has none; return the one it has."""
        return _value(self._store.put_if_absent(key, _stamped(value)))

    def put_all(self, entries: Iterable[tuple[Any, Any]]) -> None:
        """Set many."""
        for key, value in entries:
            self.put(key, value)

    def delete(self, key: Any) -> Any:
        """Remove a key; return its value, or None."""
        return _value(self._store.delete(key))

    def range(self, from_key: Any = None, to_key: Any = None) -> Iterator[tuple[Any, Any]]:
        """Return keys and values between two keys, both inclusive."""
        return _values(self._store.range(from_key, to_key))

    def reverse_range(self, from_key: Any = None, to_key: Any = None) -> Iterator[tuple[Any, Any]]:
        """Return keys and values between two keys, the last first."""
        return _values(self._store.reverse_range(from_key, to_key))

    def all(self) -> Iterator[tuple[Any, Any]]:
        """Return all keys and values."""
        return _values(self._store.all())

    def reverse_all(self) -> Iterator[tuple[Any, Any]]:
        """Return all keys and values, the last first."""
        return _values(self._store.reverse_all())

    def prefix_scan(self, prefix: Any, serde: Any = None) -> Iterator[tuple[Any, Any]]:
        """Return keys that begin with a prefix, and their values."""
        return _values(self._store.prefix_scan(prefix, serde))

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Return all keys and values."""
        return self.all()

    def __getitem__(self, key: Any) -> Any:
        return _value(self._store[key])

    def __contains__(self, key: object) -> bool:
        return key in self._store

    def __iter__(self) -> Iterator[Any]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)


class PlainWindowFace(PlainFace):
    """A TimestampedWindowStore that takes and gives values alone."""

    def put(self, key: Any, value: Any, window_start_ms: int) -> None:
        """Set the value of a key in a window."""
        self._store.put(key, _stamped(value), window_start_ms)

    def fetch_at(self, key: Any, time_ms: int) -> Any:
        """Return the value of a key in the window that starts then, or None."""
        return _value(self._store.fetch_at(key, time_ms))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in _WINDOW_SCANS:
            return found
        return lambda *arguments, **named: _values(found(*arguments, **named))


_WINDOW_SCANS = frozenset(
    prefix + name for prefix in ("", "backward_") for name in ("fetch", "fetch_range", "fetch_all")
) | {"all", "backward_all"}


def key_value_store(store: Any) -> Any:
    """Return a key-value store, without its timestamps; None if it is of another kind."""
    if isinstance(store, TimestampedKeyValueStore):
        return PlainKeyValueFace(store)
    return store if isinstance(store, KeyValueStore) else None


def timestamped_key_value_store(store: Any) -> Any:
    """Return a key-value store with timestamps; None if it is of another kind."""
    return store if isinstance(store, TimestampedKeyValueStore) else None


def versioned_key_value_store(store: Any) -> Any:
    """Return a versioned store; None if it is of another kind."""
    return store if isinstance(store, VersionedKeyValueStore) else None


def window_store(store: Any) -> Any:
    """Return a window store, without its timestamps; None if it is of another kind."""
    if isinstance(store, TimestampedWindowStore):
        return PlainWindowFace(store)
    return store if isinstance(store, WindowStore) else None


def timestamped_window_store(store: Any) -> Any:
    """Return a window store with timestamps; None if it is of another kind."""
    return store if isinstance(store, TimestampedWindowStore) else None


def session_store(store: Any) -> Any:
    """Return a session store; None if it is of another kind."""
    return store if isinstance(store, SessionStore) else None


def _value(stamped: Any) -> Any:
    return None if stamped is None else stamped.value


def _stamped(value: Any) -> Any:
    return None if value is None else ValueAndTimestamp(value, NO_TIMESTAMP)


def _values(entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    return ((key, stamped.value) for key, stamped in entries)
