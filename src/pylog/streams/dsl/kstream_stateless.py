"""Operators of a stream that look at one record at a time."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.branched import BranchedKStream
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.functions import check_function, check_plain_function
from pylog.streams.keyed_function import WithKey
from pylog.streams.processors.stateless import (
    FilterNode,
    FlatMapNode,
    FlatMapValuesNode,
    MapNode,
    MapValuesNode,
    PassThroughNode,
    PeekNode,
    SelectKeyNode,
)

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream

_OF_RECORD = ("key", "value")
_OF_VALUE = ("value",)

OfRecord = Callable[[Any, Any], Any]
OfValue = Callable[[Any], Any] | WithKey


class StatelessOperators(StreamBase):
    """Filter, map, branch, merge, peek."""

    def filter(self, predicate: OfRecord, *, name: str | None = None) -> "KStream":
        """Keep the records for which `predicate(key, value)` is true.

        Args:
            predicate: of key and value; either may be None.
            name: of the step.

        Raises:
            TypeError: the predicate cannot be called with two arguments.
        """
        check_plain_function(predicate, _OF_RECORD, self.where("filter", name), what="predicate")
        node = self.add_processor(partial(FilterNode, predicate, False), "KSTREAM-FILTER-", name)
        return self.with_same_records(node)

    def filter_not(self, predicate: OfRecord, *, name: str | None = None) -> "KStream":
        """Keep the records for which `predicate(key, value)` is false."""
        where = self.where("filter_not", name)
        check_plain_function(predicate, _OF_RECORD, where, what="predicate")
        node = self.add_processor(partial(FilterNode, predicate, True), "KSTREAM-FILTER-", name)
        return self.with_same_records(node)

    def map(self, mapper: OfRecord, *, name: str | None = None) -> "KStream":
        """Make another record of each: `mapper(key, value)` gives a pair of key and value.

        Neither serde is known afterwards, and the key counts as changed: the next grouping or join
        repartitions. `map_values` does neither to the key.

        Args:
            mapper: of key and value, gives (key, value).
            name: of the step.
        """
        check_plain_function(mapper, _OF_RECORD, self.where("map", name), what="mapper")
        node = self.add_processor(partial(MapNode, mapper), "KSTREAM-MAP-", name)
        return self._with_new_keys_and_values(node)

    def flat_map(
        self, mapper: Callable[[Any, Any], Iterable[tuple[Any, Any]]], *, name: str | None = None
    ) -> "KStream":
        """Make any number of records of each: `mapper(key, value)` gives pairs.

        As with `map`, the key counts as changed.

        Args:
            mapper: of key and value, gives an iterable of (key, value); empty for none.
            name: of the step.
        """
        check_plain_function(mapper, _OF_RECORD, self.where("flat_map", name), what="mapper")
        node = self.add_processor(partial(FlatMapNode, mapper), "KSTREAM-FLATMAP-", name)
        return self._with_new_keys_and_values(node)

    def map_values(self, mapper: OfValue, *, name: str | None = None) -> "KStream":
        """Replace each value by `mapper(value)`; the key and its partitioning stay.

        Args:
            mapper: of the value, or `with_key` of a function of key and value. The value may be
                None.
            name: of the step.
        """
        check_function(mapper, _OF_VALUE, self.where("map_values", name), what="mapper")
        node = self.add_processor(partial(MapValuesNode, mapper), "KSTREAM-MAPVALUES-", name)
        node.changes_value = True
        return self.with_new_values(node)

    def flat_map_values(
        self, mapper: Callable[[Any], Iterable[Any]] | WithKey, *, name: str | None = None
    ) -> "KStream":
        """Replace each record by one for each value that `mapper(value)` gives.

        Args:
            mapper: of the value, or `with_key` of a function of key and value; gives an iterable.
            name: of the step.
        """
        check_function(mapper, _OF_VALUE, self.where("flat_map_values", name), what="mapper")
        node = self.add_processor(
            partial(FlatMapValuesNode, mapper), "KSTREAM-FLATMAPVALUES-", name
        )
        node.changes_value = True
        return self.with_new_values(node)

    def select_key(self, mapper: OfRecord, *, name: str | None = None) -> "KStream":
        """Give each record the key `mapper(key, value)`.

        The key's serde is not known afterwards, and the next grouping or join repartitions.

        Args:
            mapper: of key and value, gives the key.
            name: of the step.
        """
        check_plain_function(mapper, _OF_RECORD, self.where("select_key", name), what="mapper")
        node = self.add_processor(partial(SelectKeyNode, mapper), "KSTREAM-KEY-SELECT-", name)
        node.changes_key = True
        return self.new_stream(node, None, self.value_serde, repartition_required=True)

    def peek(self, action: OfRecord, *, name: str | None = None) -> "KStream":
        """Call `action(key, value)` for each record and pass it on as it is.

        Under exactly-once too, an action may happen twice for a record after a failure: effects
        outside of Kafka's topics are not undone.
        """
        check_plain_function(action, _OF_RECORD, self.where("peek", name), what="action")
        node = self.add_processor(partial(PeekNode, action), "KSTREAM-PEEK-", name)
        return self.with_same_records(node)

    def merge(self, other: "KStream", *, name: str | None = None) -> "KStream":
        """Put two streams into one.

        There is no order between records of the two. Serdes are not known afterwards, since the
        two may differ.

        Args:
            other: a stream of the same builder.
            name: of the step.
        """
        where = self.where("merge", name)
        if not isinstance(other, StreamBase):
            raise TypeError(f"{where}: a stream merges with a stream, not with {other!r}")
        self.check_same_builder(other, where)
        node = ProcessorGraphNode(
            self.graph.names.name_or_new(name, "KSTREAM-MERGE-"), PassThroughNode
        )
        node.is_merge = True
        self.graph.add(node, self.node, other.node)
        return self.new_stream(
            node,
            None,
            None,
            source_nodes=self.source_nodes | other.source_nodes,
            repartition_required=self.repartition_required or other.repartition_required,
        )

    def split(self, *, name: str | None = None) -> BranchedKStream:
        """Begin to cut the stream into branches: see BranchedKStream.

        Args:
            name: of the step, and what the names of its branches begin with.
        """
        node = self.add_processor(PassThroughNode, "KSTREAM-BRANCH-", name)
        return BranchedKStream(self, node)

    def _with_new_keys_and_values(self, node: ProcessorGraphNode) -> "KStream":
        node.changes_key = True
        return self.new_stream(node, None, None, repartition_required=True)
