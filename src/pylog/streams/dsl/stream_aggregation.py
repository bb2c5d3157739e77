"""StreamAggregation, how an aggregation is put after a grouped stream."""

from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.graph_repartition import RepartitionNode, new_repartition_names
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable


class StreamAggregation:
    """Adds a repartition, if the key was changed, and the processor of an aggregation.

    A grouped stream and its windowed forms share one, so that their aggregations share the
    repartition topic that the program has named. Without a name each has its own.

    Args:
        grouped: the stream; its serdes are those of the repartition topic.
        repartition_required: the key was changed.
        repartition_name: the program's name of the topic.
    """

    def __init__(
        self, grouped: AbstractStream, *, repartition_required: bool, repartition_name: str | None
    ):
        self.grouped = grouped
        self.repartition_required = repartition_required
        self.repartition_name = repartition_name
        self._repartition: RepartitionNode | None = None

    def add(
        self,
        name: str,
        supplier: Any,
        store: Any,
        *,
        key_serde: Serde | None,
        value_serde: Serde | None,
        queryable_store_name: str | None,
        grace_ms: int | None = None,
    ) -> "KTable":
        """Add an aggregation.

        Args:
            name: of its node.
            supplier: makes its processors.
            store: builder of its store.
            key_serde: of the table that comes out of it.
            value_serde: likewise.
            queryable_store_name: the store's name if the program gave it.
            grace_ms: how long windows take records after their end, None without windows.
        """
        graph = self.grouped.graph
        parent = self.grouped.node
        source_nodes = self.grouped.source_nodes
        if self.repartition_required:
            parent, source = self.add_repartition(store.name, queryable_store_name is not None)
            source_nodes = frozenset({source})
        node = ProcessorGraphNode(name, supplier, stores=[store])
        node.grace_ms = grace_ms
        node.is_output_versioned = store.history_retention_ms is not None
        graph.add(node, parent)
        return self.grouped.new_table(
            node,
            key_serde,
            value_serde,
            supplier,
            queryable_store_name=queryable_store_name,
            source_nodes=source_nodes,
        )

    def add_repartition(self, store_name: str, is_store_named: bool) -> tuple[RepartitionNode, str]:
        """Put a repartition after the grouped stream, or take the one that has the given name.

        Args:
            store_name: of the aggregation; names the topic if the program does not.
            is_store_named: whether the program named the store.

        Returns:
            The step, and the name of the source that reads the topic.
        """
        grouped = self.grouped
        is_given = self.repartition_name is not None
        names = new_repartition_names(
            grouped.graph,
            store_name if self.repartition_name is None else self.repartition_name,
            is_given=is_given or is_store_named,
        )
        if self._repartition is None or not is_given:
            self._repartition = RepartitionNode(names, grouped.key_serde, grouped.value_serde)
        grouped.graph.add(self._repartition, grouped.node)
        return self._repartition, names.source
