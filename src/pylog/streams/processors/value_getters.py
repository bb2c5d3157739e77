"""Value getters: how a join looks up the current value of a table.

A table that is kept in a store is read there. One that is not (a filter, a mapping, a join of
tables) is computed from its parents' values whenever somebody asks.

    KTableValueGetterSupplier         names the stores that are read, makes a getter for a task
    KTableValueGetter                 get(key), and get_as_of(key, time) where versions are kept
    MaterializedValueGetterSupplier   of a table in a store, of a source or a global table

Source: Kafka Streams' KTableValueGetter, KTableSourceValueGetterSupplier,
KTableMaterializedValueGetterSupplier.
"""

from typing import Any, Protocol

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.table_store import TableStore
from pylog.streams.record import ValueAndTimestamp

#: Time of a value that is not there.
NO_TIMESTAMP = -1


class KTableValueGetter(Protocol):
    """Looks values of one table up, in one task."""

    @property
    def is_versioned(self) -> bool:
        """Whether `get_as_of` may be asked. Known after `init`."""

    def init(self, context: ProcessorContext) -> None:
        """Get ready, with the context of the processor that asks."""

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the current value, None for none."""

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        """Return the value as it was at a time, None for none; only if `is_versioned`."""

    def close(self) -> None:
        """Let go."""


class KTableValueGetterSupplier(Protocol):
    """Makes value getters of one table."""

    @property
    def store_names(self) -> tuple[str, ...]:
        """The stores that the getters read: connect them to the processor that asks."""

    def __call__(self) -> KTableValueGetter:
        """Make a getter."""


class MaterializedValueGetterSupplier:
    """Of a table that a store holds: timestamped or versioned, of this task or global."""

    def __init__(self, store_name: str):
        self.store_name = store_name

    @property
    def store_names(self) -> tuple[str, ...]:
        """The table's store."""
        return (self.store_name,)

    def __call__(self) -> KTableValueGetter:
        """Make a getter."""
        return _StoreValueGetter(self.store_name)


# Kafka Streams' names for it.
KTableMaterializedValueGetterSupplier = MaterializedValueGetterSupplier
KTableSourceValueGetterSupplier = MaterializedValueGetterSupplier


class _StoreValueGetter:
    is_versioned = False

    def __init__(self, store_name: str):
        self.store_name = store_name

    def init(self, context: ProcessorContext) -> None:
        store = TableStore(context.get_state_store(self.store_name))
        self.is_versioned = store.is_versioned
        # A lookup costs no call of ours on top of the store's.
        self.get = store.get
        self.get_as_of = store.get_as_of

    def close(self) -> None:
        pass


def make_value_and_timestamp(value: Any, timestamp_ms: int) -> ValueAndTimestamp | None:
    """Return a value with its time; None for no value, which has none."""
    return None if value is None else ValueAndTimestamp(value, timestamp_ms)
