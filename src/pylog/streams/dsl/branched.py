"""BranchedKStream, a stream that is being split."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.stateless import BranchNode, PassThroughNode

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream

Predicate = Callable[[Any, Any], Any]


class BranchedKStream:
    """The branches of a stream: a record goes to the first whose predicate it satisfies.

    Made by `KStream.split`. A record that satisfies none goes to the default branch, or nowhere if
    there is none.

    >>> branches = (
    ...     stream.split(name="orders-")
    ...     .branch(lambda key, value: value > 100, name="large")
    ...     .default_branch(name="small")
    ... )  # doctest: +SKIP
    >>> sorted(branches)  # doctest: +SKIP
    ['orders-large', 'orders-small']
    """

    def __init__(self, source: StreamBase, node: ProcessorGraphNode):
        self._source = source
        self._node = node
        self._predicates: list[Predicate] = []
        self._child_names: list[str] = []
        self._branches: dict[str, KStream] = {}
        self._is_complete = False
        node.supplier = partial(BranchNode, self._predicates, self._child_names)

    def branch(
        self,
        predicate: Predicate,
        *,
        name: str | None = None,
        chain: "Callable[[KStream], KStream | None] | None" = None,
    ) -> "BranchedKStream":
        """Add a branch of the records that satisfy `predicate(key, value)` and none before it.

        Args:
            predicate: of key and value.
            name: of the branch, behind the name of the split; its number if not given.
            chain: is called with the branch at once; the stream that it returns stands in the
                result for the branch, and None leaves it out.
        """
        where = self._source.where("branch", name)
        check_plain_function(predicate, ("key", "value"), where, what="predicate")
        self._predicates.append(predicate)
        self._add(str(len(self._predicates)) if name is None else name, chain, where)
        return self

    def default_branch(
        self,
        *,
        name: str | None = None,
        chain: "Callable[[KStream], KStream | None] | None" = None,
    ) -> "dict[str, KStream]":
        """Add the branch of all other records and return the branches by their names.

        Args:
            name: of the branch, behind the name of the split; 0 if not given.
            chain: see `branch`.
        """
        self._add("0" if name is None else name, chain, self._source.where("default_branch", name))
        self._is_complete = True
        return self._branches

    def no_default_branch(self) -> "dict[str, KStream]":
        """Return the branches by their names; what satisfies no predicate goes nowhere."""
        self._is_complete = True
        return self._branches

    def _add(
        self, suffix: str, chain: "Callable[[KStream], KStream | None] | None", where: str
    ) -> None:
        if self._is_complete:
            raise TopologyError(f"{where}: the split has its default branch already")
        source = self._source
        name = f"{self._node.name}{suffix}"
        if name in self._child_names:
            raise TopologyError(f"{where}: the split has a branch {name!r} already")
        if chain is not None:
            check_plain_function(chain, ("stream",), where, what="chain")
        self._child_names.append(name)
        source.graph.names.new_processor_name(name)
        node = ProcessorGraphNode(name, PassThroughNode)
        source.graph.add(node, self._node)
        branch = source.with_same_records(node)
        result = branch if chain is None else chain(branch)
        if result is not None:
            self._branches[name] = result
