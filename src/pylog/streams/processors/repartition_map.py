"""KTableRepartitionMap: rows of a table get another key, to be grouped by it.

A change of one row is up to two: the old value leaves its group, the new one enters its own. If
both belong to the same group they travel together, so that the aggregate changes once.

Source: Kafka Streams' KTableRepartitionMap.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.errors import StreamsError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.derived_table import DerivedValueGetter
from pylog.streams.processors.table_supplier import ParentTable
from pylog.streams.processors.upgrade import is_upgrading_from
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Change, Record, ValueAndTimestamp

KeyValueMapper = Callable[[Any, Any], tuple[Any, Any]]

#: The last release whose aggregates do not understand an old and a new value in one record.
LAST_WITHOUT_BOTH_VALUES = (3, 4)


class KTableRepartitionMapSupplier:
    """Makes the processors that give a table's rows another key.

    Args:
        parent: the table that is grouped; it has to send old values.
        mapper: (key, value) -> (the group's key, value). A None in either leaves the row out.
    """

    def __init__(self, parent: ParentTable, mapper: KeyValueMapper):
        self.parent = parent
        self.mapper = mapper
        self.uses_versioned_semantics = False

    def __call__(self) -> "_TableRepartitionMapProcessor":
        """Make a processor."""
        return _TableRepartitionMapProcessor(self.mapper, self.uses_versioned_semantics)

    def set_use_versioned_semantics(self, use_versioned_semantics: bool) -> None:
        """Say whether the table is versioned: its records that are not the latest are left out."""
        self.uses_versioned_semantics = use_versioned_semantics

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Refuse: a grouping sends old values always, and nothing below it asks.

        Raises:
            StreamsError: always.
        """
        raise StreamsError("a table's repartition map sends old values always")

    def view(self) -> KTableValueGetterSupplier:
        """Return how to look mapped rows up, by the table's own key."""
        return _MappedValueGetterSupplier(self.parent.value_getter_supplier(), self.mapper)


class _TableRepartitionMapProcessor:
    def __init__(self, mapper: KeyValueMapper, uses_versioned_semantics: bool):
        self._mapper = mapper
        self._uses_versioned_semantics = uses_versioned_semantics

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._sends_both = not is_upgrading_from(context.config, LAST_WITHOUT_BOTH_VALUES)

    def process(self, record: Record) -> None:
        key, change = record.key, record.value
        if key is None:
            raise StreamsError("the key of a record of a table that is grouped is None")
        is_latest = change.is_latest
        if self._uses_versioned_semantics and not is_latest:
            self._context.drop("out of order")
            return
        new = self._mapped(key, change.new_value)
        old = self._mapped(key, change.old_value)
        forward = self._context.forward
        if old is not None and new is not None and self._sends_both and old[0] == new[0]:
            both = Change(new[1], old[1], is_latest)
            forward(record.with_key(old[0]).with_value(both))
            return
        if old is not None:
            forward(record.with_key(old[0]).with_value(Change(None, old[1], is_latest)))
        if new is not None:
            forward(record.with_key(new[0]).with_value(Change(new[1], None, is_latest)))

    def functions(self) -> tuple[KeyValueMapper, ...]:
        """The mapper, for errors."""
        return (self._mapper,)

    def _mapped(self, key: Any, value: Any) -> tuple[Any, Any] | None:
        if value is None:
            return None
        pair = self._mapper(key, value)
        if pair is None or pair[0] is None or pair[1] is None:
            return None
        return pair


class _MappedValueGetterSupplier:
    def __init__(self, parent_view: KTableValueGetterSupplier, mapper: KeyValueMapper):
        self._parent_view = parent_view
        self._mapper = mapper

    @property
    def store_names(self) -> tuple[str, ...]:
        raise StreamsError("the rows of a grouped table are elsewhere: it is repartitioned")

    def __call__(self) -> KTableValueGetter:
        mapper = self._mapper

        def mapped(key: Any, found: ValueAndTimestamp | None) -> ValueAndTimestamp | None:
            if found is None:
                return None
            return ValueAndTimestamp(mapper(key, found.value), found.timestamp)

        return DerivedValueGetter(self._parent_view(), mapped)
