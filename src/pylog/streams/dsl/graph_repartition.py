"""Steps of the graph that send records through a repartition topic, so that equal keys meet."""

import re
from dataclasses import dataclass

from pylog.streams.changed_serde import ChangedSerde
from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import Partitioner
from pylog.streams.processors.stateless import NullKeyFilterNode, PassThroughNode
from pylog.streams.serde import Serde
from pylog.streams.timestamp_extractors import FailOnInvalidTimestamp
from pylog.streams.topology import Topology

FILTER = "KSTREAM-FILTER-"
SINK = "KSTREAM-SINK-"
SOURCE = "KSTREAM-SOURCE-"
TOPIC_SUFFIX = "-repartition"

_GENERATED = re.compile(r"KSTREAM.*-[0-9]{10}")


@dataclass(frozen=True, slots=True)
class RepartitionNames:
    """The topic of a repartition and the three nodes around it."""

    topic: str
    sink: str
    filter: str
    source: str


def new_repartition_names(graph: StreamsGraph, prefix: str, *, is_given: bool) -> RepartitionNames:
    """Name a repartition after what it is for; the builder's counter advances by three.

    Args:
        graph: of the builder.
        prefix: of the topic: a name of the program, of a store, or of a node.
        is_given: whether the program chose it.
    """
    topic = prefix if prefix.endswith(TOPIC_SUFFIX) else prefix + TOPIC_SUFFIX
    if not is_given:
        graph.unnamed.repartition_topics.append(topic)
    sink = graph.names.new_processor_name(SINK)
    null_key_filter = graph.names.new_processor_name(FILTER)
    source = graph.names.new_processor_name(SOURCE)
    if _GENERATED.fullmatch(prefix):
        return RepartitionNames(topic, sink, null_key_filter, source)
    return RepartitionNames(topic, f"{topic}-sink", f"{topic}-filter", f"{topic}-source")


class RepartitionNode(GraphNode):
    """A filter and a sink on one side of a repartition topic, a source on the other.

    Attributes:
        topic: the repartition topic, without the application's id.
        is_optimizable: `merge.repartition.topics` may put it together with others.
        drops_null_keys: nothing downstream has a use for them.
    """

    def __init__(
        self,
        names: RepartitionNames,
        key_serde: Serde | None,
        value_serde: Serde | None,
        *,
        partitioner: Partitioner | None = None,
        number_of_partitions: int | None = None,
        is_optimizable: bool = True,
    ):
        super().__init__(names.source)
        self.names = names
        self.topic = names.topic
        self.key_serde = key_serde
        self.value_serde = value_serde
        self.is_optimizable = is_optimizable
        self.drops_null_keys = False
        self._partitioner = partitioner
        self._number_of_partitions = number_of_partitions

    def write_to(self, topology: Topology) -> None:
        """Add the topic, the filter, the sink and the source."""
        names = self.names
        topology.add_internal_topic(names.topic, self._number_of_partitions)
        null_key_filter = NullKeyFilterNode if self.drops_null_keys else PassThroughNode
        topology.add_processor(names.filter, null_key_filter, *self.parent_names)
        topology.add_sink(
            names.sink,
            names.topic,
            names.filter,
            key_serde=self.key_serde,
            value_serde=self.value_serde,
            partitioner=self._partitioner,
        )
        topology.add_source(
            names.source,
            names.topic,
            key_serde=self.key_serde,
            value_serde=self.value_serde,
            timestamp_extractor=FailOnInvalidTimestamp(),
        )


class GroupedTableRepartitionNode(GraphNode):
    """The repartition of a grouped table: the topic's values are an update's new and old value."""

    def __init__(
        self,
        topic: str,
        sink_name: str,
        source_name: str,
        key_serde: Serde | None,
        value_serde: Serde | None,
    ):
        super().__init__(source_name)
        self.topic = topic
        self._sink_name = sink_name
        self._key_serde = key_serde
        self._value_serde = value_serde

    def write_to(self, topology: Topology) -> None:
        """Add the topic, the sink and the source."""
        value_serde = ChangedSerde(self._value_serde)
        topology.add_internal_topic(self.topic, None)
        topology.add_sink(
            self._sink_name,
            self.topic,
            *self.parent_names,
            key_serde=self._key_serde,
            value_serde=value_serde,
        )
        topology.add_source(
            self.name,
            self.topic,
            key_serde=self._key_serde,
            value_serde=value_serde,
            timestamp_extractor=FailOnInvalidTimestamp(),
        )
