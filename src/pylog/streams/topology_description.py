"""TopologyDescription: what a topology looks like, and Kafka Streams' text of it.

The text is the same to the byte, which takes some of Java's ways: sets of texts come in the order
of a HashMap's buckets, and the neighbours of a node in that of a TreeMap that compares sizes which
still grow while nodes are put in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pylog.streams import subtopologies
from pylog.streams.topology_nodes import (
    Definition,
    ProcessorDefinition,
    SinkDefinition,
    SourceDefinition,
    TopicExtractor,
)
from pylog.streams.tree_order import TreeOrder

if TYPE_CHECKING:
    from pylog.streams.topology import Topology


class DescribedNode:
    """A node of a description.

    Attributes:
        name: of the node.
        size: how many nodes hang on it, itself included, counted once for each way to them.
    """

    def __init__(self, name: str):
        self.name = name
        self.size = 1
        self._predecessors = TreeOrder(_compare)
        self._successors = TreeOrder(_compare)

    @property
    def predecessors(self) -> "list[DescribedNode]":
        """The nodes whose records it takes."""
        return list(self._predecessors)

    @property
    def successors(self) -> "list[DescribedNode]":
        """The nodes that take its records."""
        return list(self._successors)

    def take_from(self, predecessor: "DescribedNode") -> None:
        """Connect it with one whose records it takes."""
        self._predecessors.add(predecessor)
        predecessor._successors.add(self)
        predecessor._grow(self.size)

    def _grow(self, count: int) -> None:
        self.size += count
        for predecessor in self._predecessors:
            predecessor._grow(count)

    def _arrows(self) -> str:
        return f"\n      --> {_names(self._successors)}\n      <-- {_names(self._predecessors)}"


class Source(DescribedNode):
    """A source: `topics`, or None and a `pattern`."""

    def __init__(self, name: str, topics: tuple[str, ...] | None, pattern: str | None):
        super().__init__(name)
        self.topics = None if topics is None else java_set_order(topics, len(topics))
        self.pattern = pattern

    def __str__(self) -> str:
        topics = self.pattern if self.topics is None else _listed(self.topics)
        return f"Source: {self.name} (topics: {topics})\n      --> {_names(self._successors)}"


class Processor(DescribedNode):
    """A processor and the names of its `stores`."""

    def __init__(self, name: str, stores: Iterable[str]):
        super().__init__(name)
        first = java_set_order(stores)
        self.stores = java_set_order(first, len(first))

    def __str__(self) -> str:
        return f"Processor: {self.name} (stores: {_listed(self.stores)}){self._arrows()}"


class Sink(DescribedNode):
    """A sink: its `topic`, or None and the `topic_extractor` that names it."""

    def __init__(self, name: str, topic: str | TopicExtractor):
        super().__init__(name)
        self.topic = topic if isinstance(topic, str) else None
        self.topic_extractor = None if isinstance(topic, str) else topic

    def __str__(self) -> str:
        where = (
            f"topic: {self.topic}"
            if self.topic_extractor is None
            else f"extractor class: {_function_name(self.topic_extractor)}"
        )
        return f"Sink: {self.name} ({where})\n      <-- {_names(self._predecessors)}"


@dataclass
class DescribedSubtopology:
    """A subtopology: its number and its nodes, those with most behind them first."""

    id: int
    nodes: list[DescribedNode]

    def __str__(self) -> str:
        return f"Sub-topology: {self.id}\n" + "".join(f"    {node}\n" for node in self.nodes) + "\n"


@dataclass
class DescribedGlobalStore:
    """A global store: the source that reads its topic, and the processor that fills it."""

    id: int
    source: Source
    processor: Processor

    def __str__(self) -> str:
        return (
            f"Sub-topology: {self.id} for global store (will not generate tasks)\n"
            f"    {self.source}\n    {self.processor}\n"
        )


@dataclass
class TopologyDescription:
    """The parts of a topology, by their numbers. Its str is Kafka Streams' text."""

    subtopologies: list[DescribedSubtopology] = field(default_factory=list)
    global_stores: list[DescribedGlobalStore] = field(default_factory=list)

    def __str__(self) -> str:
        parts: list[DescribedSubtopology | DescribedGlobalStore] = []
        parts += self.subtopologies
        parts += self.global_stores
        parts.sort(key=lambda part: part.id)
        return "Topologies:\n " + "".join(f"  {part}" for part in parts)


def describe(topology: "Topology") -> TopologyDescription:
    """Returns the description of a topology."""
    description = TopologyDescription()
    for number, names in enumerate(subtopologies.node_groups(topology)):
        nodes = _connected_nodes(topology, names)
        if subtopologies.is_global(topology, names):
            source, processor = (nodes[name] for name in names[:2])
            assert isinstance(source, Source) and isinstance(processor, Processor)
            description.global_stores.append(DescribedGlobalStore(number, source, processor))
        else:
            ordered = sorted(nodes.values(), key=lambda node: (-node.size, _utf16(node.name)))
            description.subtopologies.append(DescribedSubtopology(number, ordered))
    return description


def _connected_nodes(topology: "Topology", names: list[str]) -> dict[str, DescribedNode]:
    nodes = {name: _described(topology.definitions[name]) for name in java_set_order(names)}
    for name, node in nodes.items():
        for parent in topology.definitions[name].parents:
            node.take_from(nodes[parent])
    return nodes


def _described(definition: Definition) -> DescribedNode:
    if isinstance(definition, SourceDefinition):
        if definition.pattern is not None:
            return Source(definition.name, None, definition.pattern.pattern)
        return Source(definition.name, definition.topics, None)
    if isinstance(definition, SinkDefinition):
        return Sink(definition.name, definition.topic)
    assert isinstance(definition, ProcessorDefinition)
    return Processor(definition.name, definition.store_names)


def java_set_order(texts: Iterable[str], copied_count: int | None = None) -> list[str]:
    """Returns texts in the order in which Java's HashSet gives them.

    Args:
        texts: in the order in which they are put in; twice is once.
        copied_count: the set is made from a collection of so many, which it has room for; None
            for one that grows.
    """
    ordered = list(dict.fromkeys(texts))
    capacity = 16
    if copied_count is not None:
        while capacity < int(copied_count / 0.75) + 1:
            capacity *= 2
    while len(ordered) > capacity * 3 // 4:
        capacity *= 2
    return sorted(ordered, key=lambda text: _spread_hash(text) & (capacity - 1))


def _spread_hash(text: str) -> int:
    number = 0
    units = _utf16(text)
    for position in range(0, len(units), 2):
        number = (31 * number + int.from_bytes(units[position : position + 2], "big")) & 0xFFFFFFFF
    return number ^ (number >> 16)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _compare(node: DescribedNode, other: DescribedNode) -> int:
    if node is other:
        return 0
    if node.size != other.size:
        return other.size - node.size
    return -1 if _utf16(node.name) < _utf16(other.name) else 1


def _names(nodes: "TreeOrder[DescribedNode]") -> str:
    return ", ".join(node.name for node in nodes) or "none"


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _function_name(function: object) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
