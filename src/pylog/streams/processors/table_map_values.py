"""KTableMapValues: a table whose values are computed from those of another; deletes stay deletes.

Source: Kafka Streams' KTableMapValues.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.keyed_function import WithKey, unwrapped
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.derived_table import DerivedValueGetterSupplier, TableUpdates
from pylog.streams.processors.table_supplier import KTableProcessorSupplier, ParentTable
from pylog.streams.processors.value_getters import (
    KTableValueGetterSupplier,
    make_value_and_timestamp,
)
from pylog.streams.record import Record, ValueAndTimestamp


class KTableMapValuesSupplier(KTableProcessorSupplier):
    """Makes the processors of a mapped table.

    Args:
        parent: the table that is mapped.
        mapper: (value) -> value, or with_key of a function of (key, value); a result of None
            deletes. Not asked about deletes.
        queryable_name: the store that the result is kept in, None for none.
    """

    def __init__(
        self,
        parent: ParentTable,
        mapper: Callable[[Any], Any] | WithKey,
        queryable_name: str | None,
    ):
        super().__init__(parent, queryable_name)
        self.mapper, self._wants_key = unwrapped(mapper)

    def __call__(self) -> "_TableMapValuesProcessor":
        """Make a processor."""
        return _TableMapValuesProcessor(self)

    def derived_view(self, parent_view: KTableValueGetterSupplier) -> KTableValueGetterSupplier:
        """Return how to compute the values from the parent's."""
        return DerivedValueGetterSupplier(parent_view, self._mapped)

    def value_of(self, key: Any, value: Any) -> Any:
        """The table's value for one of the parent."""
        if value is None:
            return None
        return self.mapper(key, value) if self._wants_key else self.mapper(value)

    def _mapped(self, key: Any, found: ValueAndTimestamp | None) -> ValueAndTimestamp | None:
        if found is None:
            return None
        return make_value_and_timestamp(self.value_of(key, found.value), found.timestamp)


class _TableMapValuesProcessor:
    def __init__(self, supplier: KTableMapValuesSupplier):
        self._supplier = supplier
        self._value_of = supplier.value_of

    def init(self, context: ProcessorContext) -> None:
        supplier = self._supplier
        self._sends_old_values = supplier.sends_old_values
        self._updates = TableUpdates(context, supplier.queryable_name, supplier.sends_old_values)

    def process(self, record: Record) -> None:
        key, change = record.key, record.value
        new_value = self._value_of(key, change.new_value)
        old_value = None
        if self._sends_old_values:
            if self._updates.is_stored:
                old_value = self._updates.old_value(key)
            else:
                old_value = self._value_of(key, change.old_value)
        self._updates.forward(record, new_value, old_value)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The mapper, for errors."""
        return (self._supplier.mapper,)
