"""What the processors and getters of tables derived from one other have in common."""

from collections.abc import Callable
from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.table_store import IS_LATEST, NOT_PUT, TableStore
from pylog.streams.processors.tuple_forwarder import TupleForwarder
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Change, Record, ValueAndTimestamp

Compute = Callable[[Any, ValueAndTimestamp | None], ValueAndTimestamp | None]


class TableUpdates:
    """Where a table's changes go: into its store, if it has one, and to its children.

    A store that keeps versions refuses, and counts, what is older than its history; that goes no
    further.

    Args:
        context: of the table's processor.
        store_name: None for a table without a store.
        sends_old_values: whether changes carry the value before.
    """

    def __init__(self, context: ProcessorContext, store_name: str | None, sends_old_values: bool):
        self._context = context
        self._store: TableStore | None = None
        if store_name is not None:
            self._store = TableStore(context.get_state_store(store_name))
            self._forwarder = TupleForwarder(context, self._store.store, sends_old_values)

    @property
    def is_stored(self) -> bool:
        """Whether the table has a store."""
        return self._store is not None

    def old_value(self, key: Any) -> Any:
        """Return the value in the store, None for none."""
        assert self._store is not None, "a table without a store has no old values of its own"
        found = self._store.get(key)
        return None if found is None else found.value

    def forward(self, record: Record, new_value: Any, old_value: Any) -> None:
        """Store the new value, forward the change.

        Args:
            record: its key, time and headers are those of the change. Its value is a Change.
            new_value: None deletes.
            old_value: None if there was none, or if nobody wants it.
        """
        if self._store is None:
            is_latest = record.value.is_latest
            self._context.forward(record.with_value(Change(new_value, old_value, is_latest)))
            return
        put = self._store.put(record.key, new_value, record.timestamp)
        if put != NOT_PUT:
            change = Change(new_value, old_value, put == IS_LATEST)
            self._forwarder.forward(record.with_value(change))


class DerivedValueGetterSupplier:
    """Of a table whose values are computed from its parent's.

    Args:
        parent_view: how to look up the parent's values.
        compute: (key, the parent's value with its time or None) -> the table's.
    """

    def __init__(self, parent_view: KTableValueGetterSupplier, compute: Compute):
        self._parent_view = parent_view
        self._compute = compute

    @property
    def store_names(self) -> tuple[str, ...]:
        """Those of the parent."""
        return self._parent_view.store_names

    def __call__(self) -> KTableValueGetter:
        """Make a getter."""
        return DerivedValueGetter(self._parent_view(), self._compute)


class DerivedValueGetter:
    """Computes a table's values from its parent's."""

    def __init__(self, parent_getter: KTableValueGetter, compute: Compute):
        self._parent_getter = parent_getter
        self._compute = compute

    @property
    def is_versioned(self) -> bool:
        """As the parent is."""
        return self._parent_getter.is_versioned

    def init(self, context: ProcessorContext) -> None:
        """Get ready."""
        self._parent_getter.init(context)

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the value of now."""
        return self._compute(key, self._parent_getter.get(key))

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        """Return the value of then."""
        return self._compute(key, self._parent_getter.get_as_of(key, as_of_timestamp_ms))

    def close(self) -> None:
        """Let go."""
        self._parent_getter.close()
