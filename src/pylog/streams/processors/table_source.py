"""KTableSource: a topic's records become changes of a table.

A table that nobody needs the values of is not kept: its records go on as changes without an old
value. An update that is older than the stored one is applied, unless the store keeps versions; one
that is older than these go back is refused and counted by the store.

Source: Kafka Streams' KTableSource.
"""

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.table_store import IS_LATEST, NOT_PUT, TableStore
from pylog.streams.processors.tuple_forwarder import TupleForwarder
from pylog.streams.processors.value_getters import (
    KTableValueGetterSupplier,
    MaterializedValueGetterSupplier,
)
from pylog.streams.record import Change, Record


class KTableSourceSupplier:
    """Makes the processors that keep a table of a topic.

    Args:
        store_name: what its store is called if there is to be one.
        queryable_name: the same if the table is to be kept, None if that is up to what follows.
    """

    def __init__(self, store_name: str | None, queryable_name: str | None):
        self.store_name = store_name
        self.queryable_name = queryable_name
        self.sends_old_values = False

    def __call__(self) -> "_TableSourceProcessor":
        """Make a processor."""
        return _TableSourceProcessor(self.queryable_name, self.sends_old_values)

    @property
    def is_materialized(self) -> bool:
        """Whether the table is kept in a store."""
        return self.queryable_name is not None

    def materialize(self) -> None:
        """Have the table kept in its store."""
        self.queryable_name = self.store_name

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values from now on, which takes a store.

        Args:
            force_materialization: have the table kept, if it is not.

        Returns:
            Whether old values are sent.
        """
        if not force_materialization and not self.is_materialized:
            return False
        self.sends_old_values = True
        self.materialize()
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Return how to look values up; who asks for it has the table kept."""
        self.materialize()
        assert self.queryable_name is not None, "a table that is looked up has a store"
        return MaterializedValueGetterSupplier(self.queryable_name)


class _TableSourceProcessor:
    def __init__(self, queryable_name: str | None, sends_old_values: bool):
        self._queryable_name = queryable_name
        self._sends_old_values = sends_old_values
        self._store: TableStore | None = None

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        if self._queryable_name is not None:
            self._store = TableStore(context.get_state_store(self._queryable_name))
            self._forwarder = TupleForwarder(context, self._store.store, self._sends_old_values)

    def process(self, record: Record) -> None:
        key = record.key
        if key is None:
            self._context.drop("null key")
            return
        value = record.value
        if self._store is None:
            self._context.forward(record.with_value(Change(value, None)))
            return
        old_value = None
        # Nobody looks at the old value of a table that does not send it.
        if self._sends_old_values:
            old = self._store.get(key)
            if old is not None:
                old_value = old.value
        put = self._store.put(key, value, record.timestamp)
        if put != NOT_PUT:
            change = Change(value, old_value, put == IS_LATEST)
            self._forwarder.forward(record.with_value(change))
