"""ReadOnlyStore, a global store as the processors of tasks see it."""

from collections.abc import Iterator
from typing import Any

from pylog.streams.errors import InvalidStateStoreError

WRITES = frozenset(
    {"put", "put_all", "put_if_absent", "delete", "remove", "restore_batch", "flush", "close"}
    | {"init", "set_flush_listener"}
)


class ReadOnlyStore:
    """Passes everything on to a store except what would change it.

    Global stores belong to the thread that reads their topics.
    """

    def __init__(self, store: Any):
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            raise InvalidStateStoreError(
                f"store {self._store.name!r} is for reading here: {name} is not allowed"
            )
        return getattr(self._store, name)

    def __getitem__(self, key: Any) -> Any:
        return self._store[key]

    def __contains__(self, key: object) -> bool:
        return key in self._store

    def __iter__(self) -> Iterator[Any]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)
