"""AbstractStream, what all handles of the DSL have: streams, tables, and what groups them."""

from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import TopologyError
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream
    from pylog.streams.dsl.ktable import KTable


class AbstractStream:
    """A place in the graph that the next call continues from.

    Attributes:
        name: of the node that the handle stands for.
        key_serde: of its keys as far as the program has said it, else None.
        value_serde: of its values, likewise.
        source_nodes: names of the sources that feed it: their topics' partitions make its tasks.
        node: the step of the graph.
        graph: of the builder.
    """

    def __init__(
        self,
        name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
        source_nodes: frozenset[str],
        node: GraphNode,
        graph: StreamsGraph,
    ):
        self.name = name
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.source_nodes = source_nodes
        self.node = node
        self.graph = graph

    def copartition_with(self, *others: "AbstractStream") -> frozenset[str]:
        """The sources of all of them need equal numbers of partitions.

        Returns:
            Names of all of these sources.
        """
        sources = self.source_nodes.union(*(other.source_nodes for other in others))
        self.graph.copartition(sources)
        return sources

    def check_same_builder(self, other: "AbstractStream", where: str) -> None:
        """Refuse a handle of another builder.

        Raises:
            TopologyError: it is one.
        """
        if other.graph is not self.graph:
            raise TopologyError(f"{where}: {other.name} comes from another StreamsBuilder")

    def where(self, operator: str, name: str | None = None) -> str:
        """An operator and its place, for an error."""
        own = f" {name!r}" if name else ""
        return f"{operator}{own} after {self.name}"

    def check_materialized(self, materialized: Any, where: str) -> None:
        """Refuse what is no Materialized.

        Raises:
            TypeError: it is not.
        """
        if materialized is not None and not isinstance(materialized, Materialized):
            raise TypeError(
                f"{where}: materialized is Materialized.as_(name) or another Materialized, "
                f"not {materialized!r}"
            )

    def store_name(self, materialized: Materialized, prefix: str) -> str:
        """The store's name, made by the builder if the program gives none."""
        if materialized.store_name is not None:
            return materialized.store_name
        name = self.graph.names.new_store_name(prefix)
        self.graph.unnamed.add_store(name, is_logged=materialized.logging_enabled)
        return name

    def new_stream(
        self,
        node: GraphNode,
        key_serde: Serde | None,
        value_serde: Serde | None,
        *,
        name: str | None = None,
        source_nodes: frozenset[str] | None = None,
        repartition_required: bool = False,
    ) -> "KStream":
        """A stream of what a node gives."""
        stream: KStream = self.graph.kinds.stream(
            node.name if name is None else name,
            key_serde,
            value_serde,
            self.source_nodes if source_nodes is None else source_nodes,
            node,
            self.graph,
            repartition_required=repartition_required,
        )
        return stream

    def new_table(
        self,
        node: GraphNode,
        key_serde: Serde | None,
        value_serde: Serde | None,
        supplier: Any,
        *,
        queryable_store_name: str | None,
        source_nodes: frozenset[str] | None = None,
    ) -> "KTable":
        """A table of what a node gives; `supplier` can look its values up."""
        table: KTable = self.graph.kinds.table(
            node.name,
            key_serde,
            value_serde,
            self.source_nodes if source_nodes is None else source_nodes,
            node,
            self.graph,
            supplier=supplier,
            queryable_store_name=queryable_store_name,
        )
        return table

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
