"""CogroupedKStream, several grouped streams that are aggregated into one table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.graph_repartition import new_repartition_names
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.dsl.windowed_cogrouped import (
    SessionWindowedCogroupedKStream,
    TimeWindowedCogroupedKStream,
)
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.aggregate import KStreamAggregateSupplier
from pylog.streams.processors.pass_through import KTablePassThroughSupplier
from pylog.streams.serde import Serde
from pylog.streams.windows import SessionWindows, SlidingWindows, Windows

if TYPE_CHECKING:
    from pylog.streams.dsl.grouped import KGroupedStream
    from pylog.streams.dsl.ktable import KTable

AGGREGATE = "COGROUPKSTREAM-AGGREGATE-"
MERGE = "COGROUPKSTREAM-MERGE-"

Aggregator = Callable[[Any, Any, Any], Any]


class CogroupedKStream(AbstractStream):
    """Grouped streams with an aggregator each. Made by `KGroupedStream.cogroup`.

    The streams' keys are of one type, and their topics, or repartition topics, need equal numbers
    of partitions. There is no order between records of different streams.
    """

    def __init__(self, grouped: AbstractStream):
        super().__init__(
            grouped.name, None, None, grouped.source_nodes, grouped.node, grouped.graph
        )
        self._aggregators: dict[KGroupedStream, Aggregator] = {}
        # Of each stream the step that it comes from and the sources that feed it.
        self._parents: dict[KGroupedStream, tuple[GraphNode, frozenset[str]]] = {}

    def cogroup(self, grouped: "KGroupedStream", aggregator: Aggregator) -> "CogroupedKStream":
        """Add a grouped stream.

        Args:
            grouped: made by `group_by` or `group_by_key`.
            aggregator: of key, value and aggregate, for the records of this stream.

        Raises:
            TypeError: the stream is not grouped.
        """
        where = self.where("cogroup")
        if not hasattr(grouped, "aggregation"):
            raise TypeError(f"{where}: group_by or group_by_key is missing before {grouped!r}")
        self.check_same_builder(grouped, where)
        check_plain_function(aggregator, ("key", "value", "aggregate"), where, what="aggregator")
        self._aggregators[grouped] = aggregator
        return self

    def aggregate(
        self,
        initializer: Callable[[], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Aggregate the records of all streams by key.

        Args:
            initializer: gives the aggregate of no records.
            name: what the names of the steps begin with.
            materialized: name, serdes and kind of the store.
        """
        where = self.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, AGGREGATE)
        key_serde = chosen.key_serde or self.common_key_serde()
        return self.add_aggregation(
            name,
            chosen,
            TableStoreBuilder(chosen, store_name, key_serde, chosen.value_serde),
            lambda aggregator: KStreamAggregateSupplier(store_name, initializer, aggregator),
            key_serde=key_serde,
            grace_ms=None,
        )

    @overload
    def windowed_by(self, windows: SessionWindows) -> SessionWindowedCogroupedKStream: ...
    @overload
    def windowed_by(self, windows: Windows | SlidingWindows) -> TimeWindowedCogroupedKStream: ...
    def windowed_by(
        self, windows: Windows | SlidingWindows | SessionWindows
    ) -> TimeWindowedCogroupedKStream | SessionWindowedCogroupedKStream:
        """Aggregate by key and window.

        Args:
            windows: TimeWindows, SlidingWindows, UnlimitedWindows or SessionWindows.

        Raises:
            TypeError: it is something else.
        """
        if isinstance(windows, SessionWindows):
            return SessionWindowedCogroupedKStream(self, windows)
        return TimeWindowedCogroupedKStream(self, windows)

    def common_key_serde(self) -> Serde | None:
        """The serde of keys of the first stream that has one."""
        known = (grouped.key_serde for grouped in self._aggregators)
        return next((key_serde for key_serde in known if key_serde is not None), None)

    def add_aggregation(
        self,
        name: str | None,
        materialized: Materialized,
        store: Any,
        make_supplier: Callable[[Aggregator], Any],
        *,
        key_serde: Serde | None,
        grace_ms: int | None,
    ) -> "KTable":
        """Add an aggregation: one processor a stream, one store, and where they meet.

        Args:
            name: what the names of the steps begin with.
            materialized: what the store was made from.
            store: its builder.
            make_supplier: gives the supplier of a stream's aggregation from its aggregator.
            key_serde: of the table.
            grace_ms: how long windows take records after their end, None without windows.
        """
        self._add_repartitions(store.name, materialized.store_name is not None)
        suppliers, nodes = [], []
        for number, (grouped, aggregator) in enumerate(self._aggregators.items()):
            supplier = make_supplier(aggregator)
            node = ProcessorGraphNode(
                self.graph.names.name_or_new(name, AGGREGATE, f"-cogroup-agg-{number}"),
                supplier,
                stores=[store],
            )
            node.grace_ms = grace_ms
            node.is_output_versioned = materialized.is_versioned
            self.graph.add(node, self._parents[grouped][0])
            suppliers.append(supplier)
            nodes.append(node)
        pass_through = KTablePassThroughSupplier(suppliers, store.name)
        merge = ProcessorGraphNode(
            self.graph.names.name_or_new(name, MERGE, "-cogroup-merge"), pass_through
        )
        self.graph.add(merge, *nodes)
        return self.new_table(
            merge,
            key_serde,
            materialized.value_serde,
            pass_through,
            queryable_store_name=materialized.store_name,
            source_nodes=self._all_sources(),
        )

    def _add_repartitions(self, store_name: str, is_store_named: bool) -> None:
        for grouped in self._aggregators:
            aggregation = grouped.aggregation
            if not aggregation.repartition_required:
                self._parents[grouped] = (grouped.node, grouped.source_nodes)
            elif grouped in self._parents:
                # A second aggregation shares the topic, and spends its numbers.
                new_repartition_names(self.graph, store_name, is_given=True)
            else:
                node, source = aggregation.add_repartition(store_name, is_store_named)
                self._parents[grouped] = (node, frozenset({source}))
        self.graph.copartition(self._all_sources())

    def _all_sources(self) -> frozenset[str]:
        return frozenset().union(*(sources for _, sources in self._parents.values()))
