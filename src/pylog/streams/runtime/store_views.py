"""Stores of an application as a program sees them: for reading, over the tasks of this instance.

A key is looked for in the stores of all tasks: it is in one of them. Ranges are put together in the
order of the keys' bytes for each task, one task after the other, as in Kafka Streams.

Source: Kafka CompositeReadOnlyKeyValueStore, CompositeReadOnlyWindowStore and so on.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.runtime.query_execution import plain
from pylog.streams.state.key_value_store import KeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.versioned_store import VersionedKeyValueStore
from pylog.streams.state.window_store import WindowStore

# () -> the open stores of this name, of all tasks that are here.
FindStores = Callable[[], list[Any]]


class StoreView:
    """A store of several tasks, for reading.

    Args:
        name: of the store.
        find: raises InvalidStateStoreError where the store is not, or not yet.
        keeps_timestamps: values are ValueAndTimestamp, where the store has them.
    """

    def __init__(self, name: str, find: FindStores, keeps_timestamps: bool):
        self.name = name
        self._find = find
        self._keeps_timestamps = keeps_timestamps

    def _value(self, value: Any) -> Any:
        return value if self._keeps_timestamps else plain(value)

    def _first(self, method: str, *args: Any) -> Any:
        """The answer of the first store that has one."""
        for store in self._find():
            found = getattr(store, method)(*args)
            if found is not None:
                return self._value(found)
        return None

    def _entries(self, method: str, *args: Any) -> Iterator[tuple[Any, Any]]:
        """The entries of all stores, one store after the other."""
        stores = self._find()
        return self._iterate(stores, method, args)

    def _iterate(
        self, stores: list[Any], method: str, args: tuple[Any, ...]
    ) -> Iterator[tuple[Any, Any]]:
        for store in stores:
            for key, value in getattr(store, method)(*args):
                yield key, self._value(value)

    def _first_entries(self, method: str, *args: Any) -> Iterator[tuple[Any, Any]]:
        """The entries of the first store that has any: those of one key."""
        for store in self._find():
            found = [(key, self._value(value)) for key, value in getattr(store, method)(*args)]
            if found:
                return iter(found)
        return iter(())

    @property
    def position(self) -> dict[str, dict[int, int]]:
        """How far the stores have come, by input topic and partition."""
        merged: dict[str, dict[int, int]] = {}
        for store in self._find():
            for topic, partitions in store.position.items():
                merged.setdefault(topic, {}).update(partitions)
        return merged

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class KeyValueView(StoreView):
    """A key-value store, readable like a dict."""

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key."""
        found = self._first("get", key)
        return default if found is None else found

    def range(self, from_key: Any = None, to_key: Any = None) -> Iterator[tuple[Any, Any]]:
        """Entries from a key to another, both included."""
        return self._entries("range", from_key, to_key)

    def reverse_range(self, from_key: Any = None, to_key: Any = None) -> Iterator[tuple[Any, Any]]:
        """The same, backwards."""
        return self._entries("reverse_range", from_key, to_key)

    def all(self) -> Iterator[tuple[Any, Any]]:
        """All entries."""
        return self._entries("all")

    def reverse_all(self) -> Iterator[tuple[Any, Any]]:
        """All entries, backwards."""
        return self._entries("reverse_all")

    def prefix_scan(self, prefix: Any, serde: Any = None) -> Iterator[tuple[Any, Any]]:
        """Entries whose key, in bytes, begins like this."""
        return self._entries("prefix_scan", prefix, serde)

    def approximate_num_entries(self) -> int:
        """How many entries there are, about."""
        return sum(store.approximate_num_entries() for store in self._find())

    def __getitem__(self, key: Any) -> Any:
        found = self._first("get", key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return self._first("get", key) is not None

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self.all())

    def __len__(self) -> int:
        return sum(1 for _ in self.all())

    def keys(self) -> Iterator[Any]:
        """All keys."""
        return iter(self)

    def values(self) -> Iterator[Any]:
        """All values."""
        return (value for _, value in self.all())

    def items(self) -> Iterator[tuple[Any, Any]]:
        """All entries."""
        return self.all()


class WindowView(StoreView):
    """A window store."""

    def fetch_at(self, key: Any, time_ms: int) -> Any:
        """The value of the window of a key that starts at a time."""
        return self._first("fetch_at", key, time_ms)

    def fetch(self, key: Any, time_from: int, time_to: int) -> Iterator[tuple[int, Any]]:
        """(start, value) of the windows of a key that start in a time."""
        return self._first_entries("fetch", key, time_from, time_to)

    def backward_fetch(self, key: Any, time_from: int, time_to: int) -> Iterator[tuple[int, Any]]:
        """The same, backwards."""
        return self._first_entries("backward_fetch", key, time_from, time_to)

    def fetch_range(
        self, key_from: Any, key_to: Any, time_from: int, time_to: int
    ) -> Iterator[tuple[Any, Any]]:
        """(Windowed, value) of the windows of a range of keys that start in a time."""
        return self._entries("fetch_range", key_from, key_to, time_from, time_to)

    def backward_fetch_range(
        self, key_from: Any, key_to: Any, time_from: int, time_to: int
    ) -> Iterator[tuple[Any, Any]]:
        """The same, backwards."""
        return self._entries("backward_fetch_range", key_from, key_to, time_from, time_to)

    def fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Any, Any]]:
        """(Windowed, value) of all windows that start in a time."""
        return self._entries("fetch_all", time_from, time_to)

    def backward_fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Any, Any]]:
        """The same, backwards."""
        return self._entries("backward_fetch_all", time_from, time_to)

    def all(self) -> Iterator[tuple[Any, Any]]:
        """All windows."""
        return self._entries("all")

    def backward_all(self) -> Iterator[tuple[Any, Any]]:
        """All windows, backwards."""
        return self._entries("backward_all")

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self.all()


class SessionView(StoreView):
    """A session store."""

    def fetch_session(self, key: Any, start_ms: int, end_ms: int) -> Any:
        """The aggregate of one session."""
        return self._first("fetch_session", key, start_ms, end_ms)

    def fetch(self, key: Any) -> Iterator[tuple[Any, Any]]:
        """All sessions of a key, as (Windowed, aggregate)."""
        return self._first_entries("fetch", key)

    def backward_fetch(self, key: Any) -> Iterator[tuple[Any, Any]]:
        """The same, backwards."""
        return self._first_entries("backward_fetch", key)

    def fetch_range(self, key_from: Any, key_to: Any) -> Iterator[tuple[Any, Any]]:
        """All sessions of a range of keys."""
        return self._entries("fetch_range", key_from, key_to)

    def find_sessions(
        self, key: Any, earliest_session_end_time: int, latest_session_start_time: int
    ) -> Iterator[tuple[Any, Any]]:
        """Sessions of a key that touch a time."""
        return self._first_entries(
            "find_sessions", key, earliest_session_end_time, latest_session_start_time
        )

    def all(self) -> Iterator[tuple[Any, Any]]:
        """All sessions."""
        return self._entries("all")

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self.all()


class VersionedView(StoreView):
    """A versioned store: values come as VersionedRecord."""

    def get(self, key: Any) -> Any:
        """The latest version of a key."""
        return self._first("get", key)

    def get_as_of(self, key: Any, timestamp_ms: int) -> Any:
        """The version of a key that was valid at a time."""
        return self._first("get_as_of", key, timestamp_ms)

    def get_range(self, key: Any, time_from: int, time_to: int) -> Iterator[Any]:
        """The versions of a key that were valid at some time between two."""
        for store in self._find():
            found = list(store.get_range(key, time_from, time_to))
            if found:
                return iter(found)
        return iter(())

    def __getitem__(self, key: Any) -> Any:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None


_VIEWS: tuple[tuple[type, type[StoreView]], ...] = (
    (KeyValueStore, KeyValueView),
    (WindowStore, WindowView),
    (SessionStore, SessionView),
    (VersionedKeyValueStore, VersionedView),
)


def view_of(store: Any, find: FindStores, *, keeps_timestamps: bool) -> Any:
    """A view of the stores that `find` finds, of the kind of this one.

    Raises:
        InvalidStateStoreError: a store of the program's own kind has no view.
    """
    name: str = store.name
    for kind, view in _VIEWS:
        if isinstance(store, kind):
            return view(name, find, keeps_timestamps)
    raise InvalidStateStoreError(
        f"store {name!r} is a {type(store).__name__}, which has no view for reading"
    )
