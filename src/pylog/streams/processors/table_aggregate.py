"""Aggregates over a grouped table: the old value is taken out, then the new one is put in.

The records come through a repartition topic, so that each is a Change that carries one of the two
values or both.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.old_values import intact
from pylog.streams.processors.table_store import IS_LATEST, NOT_PUT, TableStore
from pylog.streams.processors.tuple_forwarder import TupleForwarder, value_of
from pylog.streams.processors.value_getters import (
    KTableMaterializedValueGetterSupplier,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Change, Record, ValueAndTimestamp

Aggregator = Callable[[Any, Any, Any], Any]
Reducer = Callable[[Any, Any], Any]


class _TableAggregateSupplier:
    """What aggregating and reducing suppliers share: a store, and old values on request."""

    def __init__(self, store_name: str):
        self.store_name = store_name
        self.sends_old_values = False

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values from now on; an aggregate is always materialized."""
        self.sends_old_values = True
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Reads the aggregates."""
        return KTableMaterializedValueGetterSupplier(self.store_name)


class KTableAggregateSupplier(_TableAggregateSupplier):
    """Makes processors that keep an aggregate per key of a grouped table.

    Args:
        store_name: of the aggregates.
        initializer: () -> the aggregate of no values.
        adder: (key, value, aggregate) -> the aggregate with the value.
        subtractor: (key, value, aggregate) -> the aggregate without it.
    """

    def __init__(
        self,
        store_name: str,
        initializer: Callable[[], Any],
        adder: Aggregator,
        subtractor: Aggregator,
    ):
        super().__init__(store_name)
        self.initializer = initializer
        self.adder = adder
        self.subtractor = subtractor

    def __call__(self) -> "_KTableAggregateProcessor":
        """A new processor."""
        return _KTableAggregateProcessor(self)


class KTableReduceSupplier(_TableAggregateSupplier):
    """Makes processors that reduce the values of each key of a grouped table to one.

    Args:
        store_name: of the results.
        adder: (aggregate, value) -> the aggregate with the value.
        subtractor: (aggregate, value) -> the aggregate without it.
    """

    def __init__(self, store_name: str, adder: Reducer, subtractor: Reducer):
        super().__init__(store_name)
        self.adder = adder
        self.subtractor = subtractor

    def __call__(self) -> "_KTableReduceProcessor":
        """A new processor."""
        return _KTableReduceProcessor(self)


class _TableAggregateProcessor:
    """Finds the aggregate, has it updated by the subclass, stores it and hands it on."""

    def __init__(self, store_name: str, sends_old_values: bool):
        self._store_name = store_name
        self._sends_old_values = sends_old_values

    def init(self, context: ProcessorContext) -> None:
        """Find the store."""
        self._store = TableStore(context.get_state_store(self._store_name))
        self._forwarder = TupleForwarder(context, self._store.store, self._sends_old_values)

    def process(self, record: Record) -> None:
        """Take the old value out of the aggregate and put the new one in.

        Raises:
            StreamsError: the key is None.
        """
        key = record.key
        if key is None:
            raise StreamsError(
                f"the key of a record for the aggregate in store {self._store_name!r} is None"
            )
        found = self._store.get(key)
        old = intact(value_of(found)) if self._sends_old_values else None
        new, timestamp = self._update(record, found)
        put = self._store.put(key, new, timestamp)
        if put != NOT_PUT:
            change = Change(new, old, put == IS_LATEST)
            self._forwarder.forward(record.with_value(change).with_timestamp(timestamp))

    def _update(self, record: Record, found: ValueAndTimestamp | None) -> tuple[Any, int]:
        """The new aggregate and its timestamp."""
        raise NotImplementedError


class _KTableAggregateProcessor(_TableAggregateProcessor):
    def __init__(self, supplier: KTableAggregateSupplier):
        super().__init__(supplier.store_name, supplier.sends_old_values)
        self._initializer = supplier.initializer
        self._adder = supplier.adder
        self._subtractor = supplier.subtractor

    def functions(self) -> tuple[Any, ...]:
        """Initializer, adder and subtractor."""
        return (self._initializer, self._adder, self._subtractor)

    def _update(self, record: Record, found: ValueAndTimestamp | None) -> tuple[Any, int]:
        change: Change = record.value
        aggregate = value_of(found)
        is_later_of_both = False
        if change.old_value is not None and aggregate is not None:
            aggregate = self._subtractor(record.key, change.old_value, aggregate)
            is_later_of_both = True
        if change.new_value is not None:
            if aggregate is None:
                aggregate = self._initializer()
            aggregate = self._adder(record.key, change.new_value, aggregate)
            is_later_of_both = True
        if is_later_of_both and found is not None:
            return aggregate, max(record.timestamp, found.timestamp)
        return aggregate, record.timestamp


class _KTableReduceProcessor(_TableAggregateProcessor):
    def __init__(self, supplier: KTableReduceSupplier):
        super().__init__(supplier.store_name, supplier.sends_old_values)
        self._adder = supplier.adder
        self._subtractor = supplier.subtractor

    def functions(self) -> tuple[Any, ...]:
        """Adder and subtractor."""
        return (self._adder, self._subtractor)

    def _update(self, record: Record, found: ValueAndTimestamp | None) -> tuple[Any, int]:
        change: Change = record.value
        if found is None:
            return change.new_value, record.timestamp
        aggregate = found.value
        is_later_of_both = False
        if change.old_value is not None:
            aggregate = self._subtractor(aggregate, change.old_value)
            is_later_of_both = True
        if change.new_value is not None:
            if aggregate is None:
                aggregate = change.new_value
            else:
                aggregate = self._adder(aggregate, change.new_value)
                is_later_of_both = True
        if is_later_of_both:
            return aggregate, max(record.timestamp, found.timestamp)
        return aggregate, record.timestamp
