"""StreamsGraph, what the calls on a builder add up to, and how it becomes a topology."""

import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pylog.streams.dsl.graph_node import GraphNode, RootNode
from pylog.streams.dsl.naming import NameGenerator
from pylog.streams.errors import TopologyError
from pylog.streams.topology import Topology


@dataclass(frozen=True, slots=True)
class Kinds:
    """The classes of handles, so that a stream can make a table and a table a stream."""

    stream: Callable[..., Any]
    table: Callable[..., Any]


@dataclass(slots=True)
class UnnamedResources:
    """Names that the builder made for what outlives the program: a change of it renames them."""

    changelog_topics: list[str] = field(default_factory=list)
    state_stores: list[str] = field(default_factory=list)
    repartition_topics: list[str] = field(default_factory=list)

    def add_store(self, name: str, *, is_logged: bool) -> None:
        """A store, and its changelog topic if it has one."""
        if is_logged:
            self.changelog_topics.append(f"{name}-changelog")
        self.state_stores.append(name)

    def describe(self) -> str:
        """One line for each kind, "" when everything has a name."""
        kinds = {
            "changelog topics": self.changelog_topics,
            "state stores": self.state_stores,
            "repartition topics": self.repartition_topics,
        }
        return "\n".join(
            f"{kind} without a name: {', '.join(names)}" for kind, names in kinds.items() if names
        )


class StreamsGraph:
    """Nodes and what belongs to several of them.

    Attributes:
        names: the counter of made names.
        unnamed: what would be renamed by a change of the program.
        kinds: classes of streams and tables.
        root: parent of the sources.
    """

    def __init__(self, kinds: Kinds) -> None:
        self.names = NameGenerator()
        self.unnamed = UnnamedResources()
        self.kinds = kinds
        self.root = RootNode()
        self._priorities = count()
        self._nodes: dict[GraphNode, None] = {}
        self._copartition_groups: list[set[str]] = []
        self._internal_topics: list[str] = []
        self._topology: Topology | None = None

    def check_open(self) -> None:
        """Refuse additions to a graph that has become a topology.

        Raises:
            TopologyError: build() was called.
        """
        if self._topology is not None:
            raise TopologyError("the topology has been built; a new one needs a new StreamsBuilder")

    @property
    def nodes(self) -> list[GraphNode]:
        """All nodes in the order of the calls, without the root."""
        return list(self._nodes)

    def add(self, child: GraphNode, *parents: GraphNode) -> None:
        """Add a node after its parents."""
        self.check_open()
        for parent in parents:
            parent.add_child(child)
            # As in Kafka, the last parent decides, and each one takes a number.
            child.build_priority = next(self._priorities)
        self._nodes[child] = None

    def add_source(self, child: GraphNode) -> None:
        """Add a node that begins something."""
        self.add(child, self.root)

    def copartition(self, source_names: Collection[str]) -> None:
        """The topics of these sources need equal numbers of partitions."""
        self._copartition_groups.append(set(source_names))

    def replace_in_copartition_groups(self, replaced: str, replacement: str) -> None:
        """A source has another name from now on."""
        for group in self._copartition_groups:
            if replaced in group:
                group.remove(replaced)
                group.add(replacement)

    def add_internal_topic(self, topic: str) -> None:
        """A topic of the application that no repartition node adds."""
        self._internal_topics.append(topic)

    def build(self, rewrites: Sequence[Callable[["StreamsGraph"], None]]) -> Topology:
        """Rewrite the graph, then write it out. A second call gives the same topology.

        Args:
            rewrites: optimisations and checks, in their order.
        """
        if self._topology is not None:
            return self._topology
        for rewrite in rewrites:
            rewrite(self)
        topology = Topology()
        for topic in self._internal_topics:
            topology.add_internal_topic(topic, None)
        self._write_nodes(topology)
        for group in self._copartition_groups:
            topology.copartition_sources(group)
        self._topology = topology
        return topology

    def _write_nodes(self, topology: Topology) -> None:
        written: list[GraphNode] = []
        order = count()
        queue: list[tuple[int, int, GraphNode]] = [(-1, next(order), self.root)]
        while queue:
            node = heapq.heappop(queue)[2]
            if not node.is_written and all(parent.is_written for parent in node.parents):
                node.write_to(topology)
                node.is_written = True
                written.append(node)
            for child in node.children:
                heapq.heappush(queue, (child.build_priority, next(order), child))
        # A step may use the store of another that is no parent of it and was written later.
        for node in written:
            node.connect_stores(topology)
