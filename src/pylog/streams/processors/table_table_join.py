"""Joins of two tables with the same key: inner, left, right and outer, and what merges the sides.

Each side has a processor that looks the other table up when its own table changes:

    side of an inner join   nothing without a value on the other side
    left side of a left     the other value may be missing
    right side of a left    "right join": nothing without a value on the left
    side of an outer        either may be missing, a delete of nothing goes no further

A result's time is the later one of the two values'. Where a side is versioned, its records that
are not the latest of their key are left out. The sides' results meet in the merger, which is the
resulting table.

Source: Kafka Streams' KTableKTable{Abstract,Inner,Left,Right,Outer}Join, KTableKTableJoinMerger,
KIP-914.
"""

from collections.abc import Callable
from typing import Any, Protocol

from pylog.streams.node import ProcessorContext
from pylog.streams.processors.derived_table import TableUpdates
from pylog.streams.processors.joiners import Joiner, joiner_with_key, user_function
from pylog.streams.processors.table_join_getters import (
    InnerJoinValueGetter,
    JoinValueGetterSupplier,
    LeftJoinValueGetter,
    OuterJoinValueGetter,
    RightJoinValueGetter,
)
from pylog.streams.processors.table_supplier import ParentTable
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
    MaterializedValueGetterSupplier,
)
from pylog.streams.record import Change, Record


class KTableKTableJoinSupplier:
    """Makes the processors of one side of a join of tables.

    Args:
        this: the table whose changes come.
        other: the table that is looked up.
        joiner: takes the value of this table, then the other's.
    """

    processor_class: type["_JoinProcessor"]
    getter_class: type[Any]

    def __init__(self, this: ParentTable, other: ParentTable, joiner: Joiner):
        self._this = this
        self._other = other
        self._this_view = this.value_getter_supplier()
        self._other_view = other.value_getter_supplier()
        self.joiner = joiner
        self.sends_old_values = False
        self.uses_versioned_semantics = False

    def __call__(self) -> "_JoinProcessor":
        """Make a processor."""
        return self.processor_class(self, self._other_view())

    def set_use_versioned_semantics(self, use_versioned_semantics: bool) -> None:
        """Say whether this side is versioned: its records that are not the latest are left out."""
        self.uses_versioned_semantics = use_versioned_semantics

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values from now on, which takes them from both tables, materialized.

        Returns:
            True.
        """
        self._this.enable_sending_old_values(True)
        self._other.enable_sending_old_values(True)
        self.sends_old_values = True
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Return how to compute results from the values of both tables."""
        return JoinValueGetterSupplier(
            self._this_view, self._other_view, self.joiner, self.getter_class
        )


class _JoinProcessor:
    """One side: what does not depend on the kind of join."""

    def __init__(self, supplier: KTableKTableJoinSupplier, other_values: KTableValueGetter):
        self._user_joiner = supplier.joiner
        self._joiner = joiner_with_key(supplier.joiner)
        self._sends_old_values = supplier.sends_old_values
        self._uses_versioned_semantics = supplier.uses_versioned_semantics
        self._other_values = other_values

    def init(self, context: ProcessorContext) -> None:
        self._context = context
        self._other_values.init(context)

    def process(self, record: Record) -> None:
        key, change = record.key, record.value
        if key is None:
            self._context.drop("null key")
            return
        if self._uses_versioned_semantics and not change.is_latest:
            self._context.drop("out of order")
            return
        other = self._other_values.get(key)
        joined = self._join(key, change, None if other is None else other.value)
        if joined is None:
            return
        result = record.with_value(joined)
        if other is not None and other.timestamp > record.timestamp:
            result = result.with_timestamp(other.timestamp)
        self._context.forward(result)

    def close(self) -> None:
        self._other_values.close()

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner, for errors."""
        return (user_function(self._user_joiner),)

    def _join(self, key: Any, change: Change, other: Any) -> Change | None:
        """Return the change of the result, None if there is none to tell."""
        raise NotImplementedError


class _InnerJoinProcessor(_JoinProcessor):
    def _join(self, key: Any, change: Change, other: Any) -> Change | None:
        if other is None:
            return None
        return self._joined_where_this_is(key, change, other)

    def _joined_where_this_is(self, key: Any, change: Change, other: Any) -> Change:
        new_value = old_value = None
        if change.new_value is not None:
            new_value = self._joiner(key, change.new_value, other)
        if self._sends_old_values and change.old_value is not None:
            old_value = self._joiner(key, change.old_value, other)
        return Change(new_value, old_value, change.is_latest)


class _LeftJoinProcessor(_InnerJoinProcessor):
    def _join(self, key: Any, change: Change, other: Any) -> Change | None:
        if other is None and change.new_value is None and change.old_value is None:
            return None
        return self._joined_where_this_is(key, change, other)


class _RightJoinProcessor(_JoinProcessor):
    def _join(self, key: Any, change: Change, other: Any) -> Change | None:
        if other is None:
            return None
        old_value = None
        new_value = self._joiner(key, change.new_value, other)
        if self._sends_old_values:
            old_value = self._joiner(key, change.old_value, other)
        return Change(new_value, old_value, change.is_latest)


class _OuterJoinProcessor(_JoinProcessor):
    def _join(self, key: Any, change: Change, other: Any) -> Change | None:
        if other is None and change.new_value is None and change.old_value is None:
            return None
        new_value = old_value = None
        if other is not None or change.new_value is not None:
            new_value = self._joiner(key, change.new_value, other)
        if self._sends_old_values and (other is not None or change.old_value is not None):
            old_value = self._joiner(key, change.old_value, other)
        return Change(new_value, old_value, change.is_latest)


class KTableKTableInnerJoinSupplier(KTableKTableJoinSupplier):
    """One side of an inner join."""

    processor_class = _InnerJoinProcessor
    getter_class = InnerJoinValueGetter


class KTableKTableLeftJoinSupplier(KTableKTableJoinSupplier):
    """The left side of a left join."""

    processor_class = _LeftJoinProcessor
    getter_class = LeftJoinValueGetter


class KTableKTableRightJoinSupplier(KTableKTableJoinSupplier):
    """The right side of a left join: `this` is the right table, `other` the left one."""

    processor_class = _RightJoinProcessor
    getter_class = RightJoinValueGetter


class KTableKTableOuterJoinSupplier(KTableKTableJoinSupplier):
    """One side of an outer join."""

    processor_class = _OuterJoinProcessor
    getter_class = OuterJoinValueGetter


class JoinSide(Protocol):
    """What the merger needs of the suppliers of the sides."""

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values."""

    def view(self) -> KTableValueGetterSupplier:
        """Return how to look results up."""


class KTableKTableJoinMergerSupplier:
    """Makes the processors of the table that is the result of a join.

    Args:
        this_join: supplier of the left side.
        other_join: supplier of the right side.
        queryable_name: the store that the result is kept in, None for none.
    """

    def __init__(
        self, this_join: JoinSide, other_join: JoinSide, queryable_name: str | None = None
    ):
        self._this_join = this_join
        self._other_join = other_join
        self.queryable_name = queryable_name
        self.sends_old_values = False

    def __call__(self) -> "_JoinMergerProcessor":
        """Make a processor."""
        return _JoinMergerProcessor(self)

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values from now on; both sides do, from materialized tables.

        Returns:
            True.
        """
        self._this_join.enable_sending_old_values(True)
        self._other_join.enable_sending_old_values(True)
        self.sends_old_values = True
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Return how to look results up: in the store, or from the joined tables."""
        if self.queryable_name is not None:
            return MaterializedValueGetterSupplier(self.queryable_name)
        return _MergedValueGetterSupplier(self._this_join.view(), self._other_join.view())


class _JoinMergerProcessor:
    def __init__(self, supplier: KTableKTableJoinMergerSupplier):
        self._supplier = supplier

    def init(self, context: ProcessorContext) -> None:
        supplier = self._supplier
        self._sends_old_values = supplier.sends_old_values
        self._updates = TableUpdates(context, supplier.queryable_name, supplier.sends_old_values)

    def process(self, record: Record) -> None:
        change = record.value
        old_value = change.old_value if self._sends_old_values else None
        self._updates.forward(record, change.new_value, old_value)


class _MergedValueGetterSupplier:
    """The left side's getter computes the result; both sides' stores are read for it."""

    def __init__(self, this_view: KTableValueGetterSupplier, other_view: KTableValueGetterSupplier):
        self._this_view = this_view
        self._other_view = other_view

    @property
    def store_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._this_view.store_names + self._other_view.store_names))

    def __call__(self) -> KTableValueGetter:
        return self._this_view()
