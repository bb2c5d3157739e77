"""TableStore, one face for the stores of tables: timestamped and versioned ones."""

from collections.abc import Callable
from typing import Any

from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.state.versioned_store import NOT_PUT, VALID_TO_UNDEFINED

# What a put returns: the time until which the new version is valid, or this, or NOT_PUT.
IS_LATEST = VALID_TO_UNDEFINED

__all__ = ["IS_LATEST", "NOT_PUT", "TableStore"]


class TableStore:
    """Reads and writes the values of a table with their timestamps, whatever its store.

    Args:
        store: a timestamped key-value store or a versioned one.

    Attributes:
        store: the same.
        is_versioned: whether it keeps older versions.
        get: key -> the newest ValueAndTimestamp, None for none.

    Raises:
        InvalidStateStoreError: it is a store of another kind.
    """

    def __init__(self, store: Any):
        self.store = store
        self.is_versioned = hasattr(store, "get_as_of")
        if not self.is_versioned and not hasattr(store, "prefix_scan"):
            raise InvalidStateStoreError(
                f"the store {store.name!r} of a table is a timestamped or a versioned key-value "
                f"store, not {type(store).__name__}"
            )
        self.get: Callable[[Any], ValueAndTimestamp | None] = store.get
        if self.is_versioned:
            self.get = self._newest

    def _newest(self, key: Any) -> ValueAndTimestamp | None:
        found = self.store.get(key)
        return None if found is None else ValueAndTimestamp(found.value, found.timestamp)

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        """The value that a key had at a time.

        Raises:
            InvalidStateStoreError: the store keeps no versions.
        """
        if not self.is_versioned:
            raise InvalidStateStoreError(f"the store {self.store.name!r} keeps no versions")
        found = self.store.get_as_of(key, as_of_timestamp_ms)
        return None if found is None else ValueAndTimestamp(found.value, found.timestamp)

    def put(self, key: Any, value: Any, timestamp: int) -> int:
        """Store a value, None to delete.

        Returns:
            IS_LATEST; NOT_PUT when it was too old for a versioned store; else until when it is
            valid, ms.
        """
        if self.is_versioned:
            return self.store.put(key, value, timestamp)  # type: ignore[no-any-return]
        self.store.put(key, None if value is None else ValueAndTimestamp(value, timestamp))
        return IS_LATEST
