"""TableBase, what the groups of a table's operators share."""

from typing import Any

from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.processors.value_getters import KTableValueGetterSupplier
from pylog.streams.serde import Serde


class TableBase(AbstractStream):
    """A table without its operators.

    Attributes:
        queryable_store_name: name that the table's store can be queried by; None for a table that
            is not kept, or whose store the program has not named.
    """

    def __init__(
        self,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        source_nodes: frozenset[str],
        node: GraphNode,
        graph: StreamsGraph,
        *,
        supplier: Any,
        queryable_store_name: str | None,
    ):
        super().__init__(name, key_serde, value_serde, source_nodes, node, graph)
        self.queryable_store_name = queryable_store_name
        self._supplier = supplier
        self._sends_old_values = False

    def value_getter_supplier(self) -> KTableValueGetterSupplier:
        """How others look the table's values up. A table of a topic is kept from then on."""
        view: KTableValueGetterSupplier = self._supplier.view()
        return view

    def enable_sending_old_values(self, force_materialization: bool) -> bool:
        """Have each change carry the value before it.

        Args:
            force_materialization: keep a table of a topic above that is not kept so far.

        Returns:
            Whether changes carry it from now on.
        """
        if not self._sends_old_values:
            self._sends_old_values = self._supplier.enable_sending_old_values(force_materialization)
        return self._sends_old_values
