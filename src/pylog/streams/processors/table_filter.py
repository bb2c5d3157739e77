"""KTableFilter: a table of those rows that satisfy a predicate; of the others, a delete.

A delete of what was never there is not forwarded, if the old value is known: the parent is asked
for it where it has it. Over a versioned table the old value says nothing of that, so that every
delete goes on.

Source: Kafka Streams' KTableFilter.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.derived_table import DerivedValueGetterSupplier, TableUpdates
from pylog.streams.processors.table_supplier import KTableProcessorSupplier, ParentTable
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.record import Record, ValueAndTimestamp

Predicate = Callable[[Any, Any], Any]


class KTableFilterSupplier(KTableProcessorSupplier):
    """Makes the processors of a filtered table.

    Args:
        parent: the table that is filtered.
        predicate: (key, value) -> whether the row stays; not asked about deletes.
        is_negated: rows that satisfy it go instead.
        queryable_name: the store that the result is kept in, None for none.
    """

    def __init__(
        self,
        parent: ParentTable,
        predicate: Predicate,
        is_negated: bool,
        queryable_name: str | None,
    ):
        super().__init__(parent, queryable_name)
        self.predicate = predicate
        self.is_negated = is_negated
        self.sends_old_values = parent.enable_sending_old_values(False)

    def __call__(self) -> "_TableFilterProcessor":
        """Make a processor."""
        return _TableFilterProcessor(self)

    def derived_view(self, parent_view: KTableValueGetterSupplier) -> KTableValueGetterSupplier:
        """Return how to compute the values from the parent's."""
        return DerivedValueGetterSupplier(parent_view, self._filtered)

    def keeps(self, key: Any, value: Any) -> bool:
        """Whether a row stays in the table."""
        return value is not None and bool(self.predicate(key, value)) != self.is_negated

    def _filtered(self, key: Any, found: ValueAndTimestamp | None) -> ValueAndTimestamp | None:
        return found if found is not None and self.keeps(key, found.value) else None


class _TableFilterProcessor:
    def __init__(self, supplier: KTableFilterSupplier):
        self._supplier = supplier
        self._keeps = supplier.keeps

    def init(self, context: ProcessorContext) -> None:
        supplier = self._supplier
        self._sends_old_values = supplier.sends_old_values
        self._forwards_needless_deletes = supplier.uses_versioned_semantics
        self._updates = TableUpdates(context, supplier.queryable_name, supplier.sends_old_values)

    def process(self, record: Record) -> None:
        key, change = record.key, record.value
        new_value = change.new_value if self._keeps(key, change.new_value) else None
        old_value = None
        if self._sends_old_values:
            if self._updates.is_stored:
                old_value = self._updates.old_value(key)
            elif self._keeps(key, change.old_value):
                old_value = change.old_value
            if new_value is None and old_value is None and not self._forwards_needless_deletes:
                return
        self._updates.forward(record, new_value, old_value)

    def functions(self) -> tuple[Predicate, ...]:
        """The predicate, for errors."""
        return (self._supplier.predicate,)
