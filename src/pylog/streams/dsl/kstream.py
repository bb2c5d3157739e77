"""KStream, a stream of records in which each stands for itself."""

from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.kstream_grouping import GroupingOperators
from pylog.streams.dsl.kstream_joins import JoinOperators
from pylog.streams.dsl.kstream_outputs import OutputOperators
from pylog.streams.dsl.kstream_processors import ProcessorOperators
from pylog.streams.dsl.kstream_stateless import StatelessOperators
from pylog.streams.serde import Serde


class KStream(
    StatelessOperators, ProcessorOperators, GroupingOperators, JoinOperators, OutputOperators
):
    """A stream of independent records. Made by `StreamsBuilder.stream` and by operators.

    Each operator adds a step and returns what comes after it; the stream itself does not change,
    and several operators on one stream each get all of its records. Functions are plain functions
    or lambdas of (key, value), or of the value alone where the name says "values"; `with_key` gives
    those the key too. An operator that changes the key marks the stream, and the next grouping or
    join sends it through a repartition topic, so that equal keys meet in one task.

    All operators take `name`: of their node in `describe()`, and of the stores and topics that they
    make. Without one the builder numbers them, and a change of the program renames them.
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
        repartition_required: bool = False,
    ):
        super().__init__(name, key_serde, value_serde, source_nodes, node, graph)
        self.repartition_required = repartition_required
        self.join_repartition = None
