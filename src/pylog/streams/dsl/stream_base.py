"""StreamBase, what the groups of a stream's operators share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.graph_repartition import RepartitionNode
    from pylog.streams.dsl.kstream import KStream


class StreamBase(AbstractStream):
    """A stream without its operators.

    Attributes:
        repartition_required: the key was changed since the last source or repartition.
        join_repartition: what joins of the stream share, once there is one.
    """

    repartition_required: bool
    join_repartition: "RepartitionNode | None"

    def add_processor(
        self, supplier: Callable[[], Any], prefix: str, name: str | None
    ) -> ProcessorGraphNode:
        """Add a processor without stores after this stream."""
        node = ProcessorGraphNode(self.graph.names.name_or_new(name, prefix), supplier)
        self.graph.add(node, self.node)
        return node

    def with_same_records(self, node: GraphNode) -> "KStream":
        """The stream after a step that changes neither keys nor values."""
        return self.new_stream(
            node,
            self.key_serde,
            self.value_serde,
            repartition_required=self.repartition_required,
        )

    def with_new_values(self, node: GraphNode, value_serde: Serde | None = None) -> "KStream":
        """The stream after a step that changes values only: their serde is not known."""
        return self.new_stream(
            node, self.key_serde, value_serde, repartition_required=self.repartition_required
        )
