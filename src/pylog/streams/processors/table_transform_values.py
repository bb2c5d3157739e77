"""KTableTransformValues: a table whose values a transformer computes, which may have stores.

Unlike a mapper, a transformer is asked about deletes too, and, where the result is not kept and
old values are wanted, about old values. It may not forward: a table's rows have one value each.

Source: Kafka Streams' KTableTransformValues, ForwardingDisabledProcessorContext.
"""

from collections.abc import Callable
from typing import Any, Protocol

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.derived_table import TableUpdates
from pylog.streams.processors.table_supplier import KTableProcessorSupplier, ParentTable
from pylog.streams.processors.value_getters import (
    NO_TIMESTAMP,
    KTableValueGetter,
    KTableValueGetterSupplier,
    make_value_and_timestamp,
)
from pylog.streams.record import Record, ValueAndTimestamp


class ValueTransformer(Protocol):
    """What a transformer has to have; `init(context)` and `close()` as well, if it wants them."""

    def transform(self, key: Any, value: Any) -> Any:
        """Return the value of a row, None to delete it."""


TransformerSupplier = Callable[[], ValueTransformer]


class KTableTransformValuesSupplier(KTableProcessorSupplier):
    """Makes the processors of a transformed table.

    Args:
        parent: the table that is transformed.
        transformer_supplier: makes a transformer for every task and for every getter.
        queryable_name: the store that the result is kept in, None for none.
    """

    def __init__(
        self,
        parent: ParentTable,
        transformer_supplier: TransformerSupplier,
        queryable_name: str | None,
    ):
        super().__init__(parent, queryable_name)
        self.transformer_supplier = transformer_supplier

    def __call__(self) -> "_TableTransformValuesProcessor":
        """Make a processor."""
        return _TableTransformValuesProcessor(self)

    def derived_view(self, parent_view: KTableValueGetterSupplier) -> KTableValueGetterSupplier:
        """Return how to compute the values from the parent's."""
        return _TransformedValueGetterSupplier(parent_view, self.transformer_supplier)


class _TableTransformValuesProcessor:
    def __init__(self, supplier: KTableTransformValuesSupplier):
        self._supplier = supplier
        self._transformer = supplier.transformer_supplier()

    def init(self, context: ProcessorContext) -> None:
        supplier = self._supplier
        _init_transformer(self._transformer, context)
        self._sends_old_values = supplier.sends_old_values
        self._updates = TableUpdates(context, supplier.queryable_name, supplier.sends_old_values)

    def process(self, record: Record) -> None:
        key, change = record.key, record.value
        new_value = self._transformer.transform(key, change.new_value)
        old_value = None
        if self._sends_old_values:
            if self._updates.is_stored:
                old_value = self._updates.old_value(key)
            else:
                old_value = self._transformer.transform(key, change.old_value)
        self._updates.forward(record, new_value, old_value)

    def close(self) -> None:
        _close_transformer(self._transformer)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The transformer's method, for errors."""
        return (self._transformer.transform,)


class _TransformedValueGetterSupplier:
    def __init__(
        self, parent_view: KTableValueGetterSupplier, transformer_supplier: TransformerSupplier
    ):
        self._parent_view = parent_view
        self._transformer_supplier = transformer_supplier

    @property
    def store_names(self) -> tuple[str, ...]:
        return self._parent_view.store_names

    def __call__(self) -> KTableValueGetter:
        return _TransformedValueGetter(self._parent_view(), self._transformer_supplier())


class _TransformedValueGetter:
    """Transforms the parent's value, with the task at a record of that time, from nowhere."""

    def __init__(self, parent_getter: KTableValueGetter, transformer: ValueTransformer):
        self._parent_getter = parent_getter
        self._transformer = transformer

    @property
    def is_versioned(self) -> bool:
        return self._parent_getter.is_versioned

    def init(self, context: ProcessorContext) -> None:
        self._task = context.task
        self._parent_getter.init(context)
        _init_transformer(self._transformer, context)

    def get(self, key: Any) -> ValueAndTimestamp | None:
        return self._transformed(key, self._parent_getter.get(key))

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> ValueAndTimestamp | None:
        return self._transformed(key, self._parent_getter.get_as_of(key, as_of_timestamp_ms))

    def close(self) -> None:
        self._parent_getter.close()
        _close_transformer(self._transformer)

    def _transformed(self, key: Any, found: ValueAndTimestamp | None) -> ValueAndTimestamp | None:
        task = self._task
        current = (task.topic, task.partition, task.offset, task.record_timestamp, task.headers)
        timestamp = NO_TIMESTAMP if found is None else found.timestamp
        task.set_record(None, -1, -1, timestamp, [])
        try:
            value = self._transformer.transform(key, None if found is None else found.value)
        finally:
            task.set_record(*current)
        return make_value_and_timestamp(value, timestamp)


class ForwardingDisabledContext:
    """A processor's context for those who may not forward."""

    def __init__(self, context: ProcessorContext):
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def forward(self, record: Record, child: str | None = None) -> None:
        """Refuse.

        Raises:
            StreamsError: always.
        """
        raise StreamsError(
            f"{self._context.node_name}: a transformer of values cannot forward; what it returns "
            "is the row's value"
        )


def _init_transformer(transformer: ValueTransformer, context: ProcessorContext) -> None:
    init = getattr(transformer, "init", None)
    if init is not None:
        init(ForwardingDisabledContext(context))


def _close_transformer(transformer: ValueTransformer) -> None:
    close = getattr(transformer, "close", None)
    if close is not None:
        close()
