"""Steps of the graph that are joins of two parents: several processors and their stores."""

from typing import Any

from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.errors import TopologyError
from pylog.streams.processors.stateless import PassThroughNode
from pylog.streams.topology import Topology


class StreamStreamJoinNode(GraphNode):
    """The two sides of a join of streams and where their results meet.

    Attributes:
        is_self_join: both sides are one stream, and one store is enough.
    """

    def __init__(
        self,
        name: str,
        *,
        this_windowed_name: str,
        other_windowed_name: str,
        this_name: str,
        other_name: str,
        this_supplier: Any,
        other_supplier: Any,
        self_join_supplier: Any,
        this_store: Any,
        other_store: Any,
        outer_store: Any,
    ):
        super().__init__(name)
        self.this_windowed_name = this_windowed_name
        self.other_windowed_name = other_windowed_name
        self.is_self_join = False
        self._this_name = this_name
        self._other_name = other_name
        self._this_supplier = this_supplier
        self._other_supplier = other_supplier
        self._self_join_supplier = self_join_supplier
        self._this_store = this_store
        self._other_store = other_store
        self._outer_store = outer_store

    def write_to(self, topology: Topology) -> None:
        """Add both sides, the merge and the stores; or the self-join and its one store."""
        this_windowed, other_windowed = self.this_windowed_name, self.other_windowed_name
        if self.is_self_join:
            topology.add_processor(self.name, self._self_join_supplier, this_windowed)
            topology.add_state_store(self._this_store, this_windowed, self.name)
            return
        topology.add_processor(self._this_name, self._this_supplier, this_windowed)
        topology.add_processor(self._other_name, self._other_supplier, other_windowed)
        topology.add_processor(self.name, PassThroughNode, self._this_name, self._other_name)
        topology.add_state_store(self._this_store, this_windowed, self._other_name)
        topology.add_state_store(self._other_store, other_windowed, self._this_name)
        if self._outer_store is not None:
            topology.add_state_store(self._outer_store, self._this_name, self._other_name)


class TableTableJoinNode(GraphNode):
    """The two sides of a join of tables and where their results meet."""

    def __init__(
        self,
        name: str,
        *,
        this_name: str,
        other_name: str,
        this_parent_name: str,
        other_parent_name: str,
        this_supplier: Any,
        other_supplier: Any,
        merge_supplier: Any,
        this_store_names: tuple[str, ...],
        other_store_names: tuple[str, ...],
        store: Any,
    ):
        super().__init__(name)
        self._this_name = this_name
        self._other_name = other_name
        self._this_parent_name = this_parent_name
        self._other_parent_name = other_parent_name
        self._this_supplier = this_supplier
        self._other_supplier = other_supplier
        self._merge_supplier = merge_supplier
        self._this_store_names = this_store_names
        self._other_store_names = other_store_names
        self._store = store

    def use_versioned_semantics(self, parent_name: str) -> None:
        """Tell the side that this parent feeds."""
        if parent_name == self._this_parent_name:
            self._this_supplier.set_use_versioned_semantics(True)
        if parent_name == self._other_parent_name:
            self._other_supplier.set_use_versioned_semantics(True)

    def write_to(self, topology: Topology) -> None:
        """Add both sides, the merge and its store."""
        topology.add_processor(self._this_name, self._this_supplier, self._this_parent_name)
        topology.add_processor(self._other_name, self._other_supplier, self._other_parent_name)
        topology.add_processor(self.name, self._merge_supplier, self._this_name, self._other_name)
        if self._store is not None:
            topology.add_state_store(self._store, self.name)

    def connect_stores(self, topology: Topology) -> None:
        """Connect each side to the stores of the other."""
        topology.connect_processor_and_state_stores(self._this_name, *self._other_store_names)
        topology.connect_processor_and_state_stores(self._other_name, *self._this_store_names)


class StreamTableJoinNode(ProcessorGraphNode):
    """A join of a stream with a table that may hold the stream back for a grace period."""

    def __init__(self, name: str, supplier: Any, *, grace_ms: int | None, **stores: Any):
        super().__init__(name, supplier, **stores)
        self._join_grace_ms = grace_ms

    def connect_stores(self, topology: Topology) -> None:
        """Connect the processor to the table's stores, after a check of what a grace period needs.

        Raises:
            TopologyError: the table is not versioned, or its history is shorter than the grace.
        """
        if self._join_grace_ms is not None:
            for store_name in self._store_names:
                self._check_history(store_name, topology.stores[store_name])
        super().connect_stores(topology)

    def _check_history(self, store_name: str, store: Any) -> None:
        history_retention_ms = getattr(store, "history_retention_ms", None)
        if history_retention_ms is None:
            raise TopologyError(
                f"{self.name}: a grace period needs a versioned table; store {store_name!r} "
                "is not versioned"
            )
        if history_retention_ms < (self._join_grace_ms or 0):
            raise TopologyError(
                f"{self.name}: the history of store {store_name!r}, {history_retention_ms} ms, "
                f"is shorter than the grace period of {self._join_grace_ms} ms"
            )
