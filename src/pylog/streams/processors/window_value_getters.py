"""Value getters of windowed tables: their keys are Windowed."""

from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.value_getters import KTableValueGetter, make_value_and_timestamp
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.window import Windowed


class WindowStoreValueGetter:
    """Looks up the value of a window by key and start.

    Args:
        store_name: of a timestamped window store.
    """

    is_versioned = False

    def __init__(self, store_name: str):
        self._store_name = store_name

    def init(self, context: ProcessorContext) -> None:
        """Find the store."""
        self._store: Any = context.get_state_store(self._store_name)

    def get(self, key: Windowed) -> ValueAndTimestamp | None:
        """The value of this window of this key."""
        return self._store.fetch_at(key.key, key.window.start_ms)  # type: ignore[no-any-return]

    def get_as_of(self, key: Windowed, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        """Not asked: windows have no versions."""
        raise NotImplementedError("windows have no versions")

    def close(self) -> None:
        """Nothing to let go."""


class SessionStoreValueGetter(WindowStoreValueGetter):
    """Looks up the value of a session, by key, start and end; its timestamp is the end.

    Args:
        store_name: of a session store.
    """

    def get(self, key: Windowed) -> ValueAndTimestamp | None:
        """The value of exactly this session."""
        start_ms, end_ms = key.window.start_ms, key.window.end_ms
        value = self._store.fetch_session(key.key, start_ms, end_ms)
        return make_value_and_timestamp(value, end_ms)


class WindowValueGetterSupplier:
    """Makes value getters of a windowed table.

    Args:
        store_name: of its windows or sessions.
        getter_class: which of the two.
    """

    def __init__(
        self,
        store_name: str,
        getter_class: type[WindowStoreValueGetter] = WindowStoreValueGetter,
    ):
        self._store_name = store_name
        self._getter_class = getter_class

    @property
    def store_names(self) -> tuple[str, ...]:
        """The table's store."""
        return (self._store_name,)

    def __call__(self) -> KTableValueGetter:
        """A new getter."""
        return self._getter_class(self._store_name)
