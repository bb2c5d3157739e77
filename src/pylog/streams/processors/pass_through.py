"""KTablePassThroughSupplier, where the aggregates of cogrouped streams meet: one table again."""

from collections.abc import Iterable
from typing import Any

from pylog.streams.processors.stateless import PassThroughNode
from pylog.streams.processors.value_getters import KTableValueGetterSupplier


class KTablePassThroughSupplier:
    """Makes nodes that hand on the updates of several aggregates of one store.

    Args:
        parents: suppliers of these aggregates.
        store_name: their store.
    """

    def __init__(self, parents: Iterable[Any], store_name: str):
        self.parents = tuple(parents)
        self.store_name = store_name

    def __call__(self) -> PassThroughNode:
        """A new node."""
        return PassThroughNode()

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Have all of the aggregates send old values."""
        for parent in self.parents:
            parent.enable_sending_old_values(force_materialization)
        return True

    def view(self) -> KTableValueGetterSupplier:
        """Reads the store as the aggregates do: all of them are of one kind."""
        supplier: KTableValueGetterSupplier = self.parents[0].view()
        return supplier
