"""GraphNode, a step of the graph that the DSL's calls make, before it becomes a topology."""

from abc import ABC, abstractmethod

from pylog.streams.topology import Topology


class GraphNode(ABC):
    """One step: mostly one processor, sometimes a few with their stores and topics.

    Attributes:
        name: of the step; of its last processor where it has several.
        children: what comes after it, in the order of the calls.
        parents: what comes before it.
        changes_key: what follows may have to repartition.
        changes_value: a repartition may not move above it.
        is_merge: of two streams.
        relaxes_null_keys: a left or outer join that has a result for null keys.
        is_output_versioned: True for a versioned table, False for another one, None for what
            follows its parents.
        build_priority: lower ones are written first.
        is_written: it is in the topology.
    """

    def __init__(self, name: str):
        self.name = name
        # Dicts as ordered sets.
        self._children: dict[GraphNode, None] = {}
        self._parents: dict[GraphNode, None] = {}
        self.changes_key = False
        self.changes_value = False
        self.is_merge = False
        self.relaxes_null_keys = False
        self.is_output_versioned: bool | None = None
        self.build_priority = -1
        self.is_written = False

    @property
    def children(self) -> "list[GraphNode]":
        """A copy: it may be walked while the graph is rewritten."""
        return list(self._children)

    @property
    def parents(self) -> "list[GraphNode]":
        """A copy: it may be walked while the graph is rewritten."""
        return list(self._parents)

    @property
    def parent_names(self) -> list[str]:
        """Names of the parents."""
        return [parent.name for parent in self._parents]

    def add_child(self, child: "GraphNode") -> None:
        """Put a node after this one; once is enough."""
        self._children[child] = None
        child._parents[self] = None

    def remove_child(self, child: "GraphNode") -> None:
        """Cut a node off this one."""
        if child in self._children:
            del self._children[child]
            del child._parents[self]

    def clear_children(self) -> None:
        """Cut all nodes off this one."""
        for child in self.children:
            self.remove_child(child)

    def use_versioned_semantics(self, parent_name: str) -> None:  # noqa: B027
        """The output of this parent is versioned; a step that treats it otherwise is told so."""

    @abstractmethod
    def write_to(self, topology: Topology) -> None:
        """Add what the step is made of to the topology; its parents are there."""

    def connect_stores(self, topology: Topology) -> None:  # noqa: B027
        """Connect the step's processors to stores of other steps; all steps are there."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, parents={self.parent_names})"


class RootNode(GraphNode):
    """What sources and stores hang on."""

    def __init__(self) -> None:
        super().__init__("root")

    def write_to(self, topology: Topology) -> None:
        """Nothing."""
