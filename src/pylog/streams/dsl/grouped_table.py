"""KGroupedTable, the rows of a table by another key, to be aggregated."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams import serdes
from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.graph_repartition import TOPIC_SUFFIX, GroupedTableRepartitionNode
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.table_aggregate import KTableAggregateSupplier, KTableReduceSupplier
from pylog.streams.serde import Serde

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

_AGGREGATE = "KTABLE-AGGREGATE-"
_REDUCE = "KTABLE-REDUCE-"


class KGroupedTable(AbstractStream):
    """A table whose rows are grouped by another key. Made by `KTable.group_by`.

    An aggregation keeps a value for each group. When a row changes, its old value is taken out of
    the aggregate of its old group, then the new one is put in. So an aggregation has two functions,
    and the one has to undo what the other does.
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
        repartition_name: str | None,
    ):
        super().__init__(name, key_serde, value_serde, source_nodes, node, graph)
        self._repartition_name = repartition_name
        self._repartition: GroupedTableRepartitionNode | None = None

    def count(
        self, *, name: str | None = None, materialized: Materialized | None = None
    ) -> "KTable":
        """Count the rows of each group; a group that loses its last row has 0.

        Args:
            name: what the names of the steps begin with.
            materialized: name, serdes and kind of the store; values are longs.
        """
        self.check_materialized(materialized, self.where("count", name))
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, _AGGREGATE)
        supplier = KTableAggregateSupplier(store_name, _zero, _count_up, _count_down)
        value_serde = chosen.value_serde or serdes.long
        return self._add(supplier, _AGGREGATE, name, chosen, store_name, value_serde)

    def reduce(
        self,
        adder: Callable[[Any, Any], Any],
        subtractor: Callable[[Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each group to one of the same type.

        Args:
            adder: of the aggregate and a value that comes; the first is taken as it is.
            subtractor: of the aggregate and a value that goes.
            name: what the names of the steps begin with.
            materialized: name, serdes and kind of the store.
        """
        where = self.where("reduce", name)
        check_plain_function(adder, ("aggregate", "value"), where, what="adder")
        check_plain_function(subtractor, ("aggregate", "value"), where, what="subtractor")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, _AGGREGATE)
        supplier = KTableReduceSupplier(store_name, adder, subtractor)
        value_serde = chosen.value_serde or self.value_serde
        return self._add(supplier, _REDUCE, name, chosen, store_name, value_serde)

    def aggregate(
        self,
        initializer: Callable[[], Any],
        adder: Callable[[Any, Any, Any], Any],
        subtractor: Callable[[Any, Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each group to one of any type.

        Args:
            initializer: gives the aggregate of no rows.
            adder: of key, value and aggregate, for a value that comes.
            subtractor: of key, value and aggregate, for a value that goes.
            name: what the names of the steps begin with.
            materialized: name, serdes and kind of the store.
        """
        where = self.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        check_plain_function(adder, ("key", "value", "aggregate"), where, what="adder")
        check_plain_function(subtractor, ("key", "value", "aggregate"), where, what="subtractor")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, _AGGREGATE)
        supplier = KTableAggregateSupplier(store_name, initializer, adder, subtractor)
        return self._add(supplier, _AGGREGATE, name, chosen, store_name, chosen.value_serde)

    def _add(
        self,
        supplier: Any,
        prefix: str,
        name: str | None,
        materialized: Materialized,
        store_name: str,
        value_serde: Serde | None,
    ) -> "KTable":
        names = self.graph.names
        sink_name = names.name_or_new(name, "KSTREAM-SINK-", "-sink")
        source_name = names.name_or_new(name, "KSTREAM-SOURCE-", "-source")
        node_name = names.name_or_new(name, prefix)
        topic = (self._repartition_name or store_name) + TOPIC_SUFFIX
        if self._repartition is None or self._repartition_name is None:
            self._repartition = GroupedTableRepartitionNode(
                topic, sink_name, source_name, self.key_serde, self.value_serde
            )
            if self._repartition_name is None and materialized.store_name is None:
                self.graph.unnamed.repartition_topics.append(topic)
        repartition = self._repartition
        self.graph.add(repartition, self.node)
        key_serde = materialized.key_serde or self.key_serde
        store = TableStoreBuilder(materialized, store_name, key_serde, value_serde)
        node = ProcessorGraphNode(node_name, supplier, stores=[store])
        node.is_output_versioned = materialized.is_versioned
        self.graph.add(node, repartition)
        return self.new_table(
            node,
            key_serde,
            value_serde,
            supplier,
            queryable_store_name=materialized.store_name,
            source_nodes=frozenset({repartition.name}),
        )


def _zero() -> int:
    return 0


def _count_up(key: Any, value: Any, aggregate: int) -> int:
    return aggregate + 1


def _count_down(key: Any, value: Any, aggregate: int) -> int:
    return aggregate - 1
