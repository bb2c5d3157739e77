"""What the suppliers of table processors have in common.

A table may be asked by what stands below it

- for its values (`view`): read in its store if it has one, else computed from its parent's;
- to send the value before with every change (`enable_sending_old_values`): it can if it has a
  store, or if its parent can, which forces a source above to be materialized.

Source: Kafka Streams' KTableProcessorSupplier.
"""

from typing import Any, Protocol

from pylog.streams.processors.value_getters import (
    KTableValueGetterSupplier,
    MaterializedValueGetterSupplier,
)


class ParentTable(Protocol):
    """What a supplier needs of the KTable that its records come from."""

    def value_getter_supplier(self) -> KTableValueGetterSupplier:
        """Return how to look its values up; materializes a source."""

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Have it send old values, and return whether it will."""


class KTableProcessorSupplier:
    """Makes the processors of a table that is derived from one other, its parent.

    Args:
        parent: the table that the records come from.
        queryable_name: name of the store that the result is kept in, None for none.

    Attributes:
        sends_old_values: whether changes carry the value before.
        uses_versioned_semantics: whether the parent's records may be out of order and say so.
    """

    def __init__(self, parent: ParentTable, queryable_name: str | None):
        self.parent = parent
        self.queryable_name = queryable_name
        self.sends_old_values = False
        self.uses_versioned_semantics = False

    def __call__(self) -> Any:
        """Make a processor."""
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def set_use_versioned_semantics(self, use_versioned_semantics: bool) -> None:
        """Say whether the table that the records come from is versioned."""
        self.uses_versioned_semantics = use_versioned_semantics

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Send old values from now on, if the table or one above it has them.

        Args:
            force_materialization: have a source above materialized, if need be.

        Returns:
            Whether old values are sent.
        """
        if self.queryable_name is not None or self.parent.enable_sending_old_values(
            force_materialization
        ):
            self.sends_old_values = True
        return self.sends_old_values

    def view(self) -> KTableValueGetterSupplier:
        """Return how to look the table's values up."""
        if self.queryable_name is not None:
            return MaterializedValueGetterSupplier(self.queryable_name)
        return self.derived_view(self.parent.value_getter_supplier())

    def derived_view(self, parent_view: KTableValueGetterSupplier) -> KTableValueGetterSupplier:
        """Return how to compute the table's values from its parent's."""
        raise NotImplementedError(f"{type(self).__name__}.derived_view")
