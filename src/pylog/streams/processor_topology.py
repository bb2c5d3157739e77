"""ProcessorTopology: the live nodes and stores of one task."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pylog.streams import subtopologies
from pylog.streams.node import Node, ProcessorNode, TaskContext, WrappedNode
from pylog.streams.sink_node import SinkNode
from pylog.streams.source_node import SourceNode
from pylog.streams.topology_nodes import ProcessorDefinition, SinkDefinition, SourceDefinition

if TYPE_CHECKING:
    from pylog.streams.topology import Topology


@dataclass
class ProcessorTopology:
    """What a task runs. Topics have their real names.

    Attributes:
        nodes: each after its parents.
        sources_by_topic: who takes a topic's records. A pattern that is not resolved stands as
            its text.
        sinks: in order.
        stores: in the order in which processors name them; neither open nor restored.
        changelog_topics: by store, what it is restored from.
        logged_stores: names of those that write to their changelog.
        repartition_topics: that the task reads or writes.
    """

    nodes: list[Node] = field(default_factory=list)
    sources_by_topic: dict[str, SourceNode] = field(default_factory=dict)
    sinks: list[SinkNode] = field(default_factory=list)
    stores: list[Any] = field(default_factory=list)
    changelog_topics: dict[str, str] = field(default_factory=dict)
    logged_stores: set[str] = field(default_factory=set)
    repartition_topics: set[str] = field(default_factory=set)

    @property
    def sink_topics(self) -> set[str]:
        """The topics that are written to, except those named by functions."""
        return {sink.topic for sink in self.sinks if sink.topic is not None}

    @property
    def writers(self) -> dict[str | None, str]:
        """The name of the node that writes to each topic; None for those that functions name."""
        found: dict[str | None, str] = {sink.topic: sink.name for sink in reversed(self.sinks)}
        for node in reversed(self.nodes):
            for store in node.store_names:
                if store in self.logged_stores:
                    found[self.changelog_topics[store]] = node.name
        return found


def build(
    topology: "Topology", names: set[str], context: TaskContext, existing: tuple[str, ...]
) -> ProcessorTopology:
    """Make the nodes of these names, and the stores connected to them."""
    built = ProcessorTopology()
    by_name: dict[str, Node] = {}
    for name, definition in topology.definitions.items():
        if name not in names:
            continue
        node: Node
        if isinstance(definition, SourceDefinition):
            node = _add_source(topology, definition, context, built, existing)
        elif isinstance(definition, SinkDefinition):
            node = _add_sink(topology, definition, context, built)
        else:
            node = _make_processor(definition, context)
            node.attach(name, context, definition.store_names)
            _add_stores(topology, definition, context, built)
        for parent in definition.parents:
            by_name[parent].add_child(node)
        by_name[name] = node
        built.nodes.append(node)
    return built


def _add_source(
    topology: "Topology",
    definition: SourceDefinition,
    context: TaskContext,
    built: ProcessorTopology,
    existing: tuple[str, ...],
) -> SourceNode:
    topics = subtopologies.source_topics(topology, definition, existing)
    if not topics and definition.pattern is not None:
        topics = (definition.pattern.pattern,)
    source = SourceNode(
        definition.key_serde, definition.value_serde, definition.timestamp_extractor, topics
    )
    source.attach(definition.name, context)
    for topic in topics:
        real = topology.topic_name(topic, context.application_id)
        built.sources_by_topic[real] = source
        if topic in topology.internal_topics:
            built.repartition_topics.add(real)
    return source


def _add_sink(
    topology: "Topology", definition: SinkDefinition, context: TaskContext, built: ProcessorTopology
) -> SinkNode:
    topic = definition.topic
    if isinstance(topic, str):
        real = topology.topic_name(topic, context.application_id)
        if topic in topology.internal_topics:
            built.repartition_topics.add(real)
        topic = real
    sink = SinkNode(topic, definition.key_serde, definition.value_serde, definition.partitioner)
    sink.attach(definition.name, context)
    built.sinks.append(sink)
    return sink


def _make_processor(definition: ProcessorDefinition, context: TaskContext) -> Node:
    made = definition.supplier()
    node = made if isinstance(made, Node) else ProcessorNode(made, definition.is_fixed_key)
    wrapper = context.config["processor.wrapper.class"]
    return node if wrapper is None else WrappedNode(node, wrapper)


def _add_stores(
    topology: "Topology",
    definition: ProcessorDefinition,
    context: TaskContext,
    built: ProcessorTopology,
) -> None:
    there = {store.name for store in built.stores}
    for name in definition.store_names:
        if name in there:
            continue
        builder = topology.stores.get(name) or topology.global_stores[name]
        if hasattr(builder, "configure"):
            builder.configure(context.config)
        if not context.config["statestore.cache.max.bytes"]:
            builder.with_caching_disabled()
        built.stores.append(builder.build())
        changelog = topology.changelog_topic(name, context.application_id)
        if changelog is not None:
            built.changelog_topics[name] = changelog
            if builder.logging_enabled:
                built.logged_stores.add(name)
