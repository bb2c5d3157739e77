"""KGroupedStream, the records of a stream by key, to be aggregated."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from pylog.streams import serdes
from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.cogrouped import CogroupedKStream
from pylog.streams.dsl.graph import StreamsGraph
from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.session_windowed import SessionWindowedKStream
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.dsl.stream_aggregation import StreamAggregation
from pylog.streams.dsl.windowed import TimeWindowedKStream
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.aggregate import (
    KStreamAggregateSupplier,
    KStreamCountSupplier,
    KStreamReduceSupplier,
)
from pylog.streams.serde import Serde
from pylog.streams.windows import SessionWindows, SlidingWindows, Windows

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

REDUCE = "KSTREAM-REDUCE-"
AGGREGATE = "KSTREAM-AGGREGATE-"


class KGroupedStream(AbstractStream):
    """A stream whose records are grouped by key. Made by `group_by` and `group_by_key`.

    An aggregation keeps a value for each key in a store and gives a table of them. Records without
    a key or a value are dropped and counted. The time of a result is the latest of its records'.
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
        repartition_required: bool,
        repartition_name: str | None,
    ):
        super().__init__(name, key_serde, value_serde, source_nodes, node, graph)
        self.aggregation = StreamAggregation(
            self, repartition_required=repartition_required, repartition_name=repartition_name
        )

    def count(
        self, *, name: str | None = None, materialized: Materialized | None = None
    ) -> "KTable":
        """Count the records of each key.

        Args:
            name: of the step.
            materialized: name, serdes and kind of the store; values are longs.
        """
        self.check_materialized(materialized, self.where("count", name))
        if materialized is not None and materialized.store_name is None:
            # Kafka spends a number here, and stores are found by their numbers.
            self.graph.names.new_store_name(AGGREGATE)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, AGGREGATE)
        return self._add(
            KStreamCountSupplier(store_name),
            self.graph.names.name_or_new(name, AGGREGATE),
            chosen,
            store_name,
            chosen.value_serde or serdes.long,
        )

    def reduce(
        self,
        reducer: Callable[[Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each key to one of the same type.

        The first value of a key is taken as it is. A reducer that gives None deletes the key.

        Args:
            reducer: of the aggregate so far and the next value.
            name: of the step.
            materialized: name, serdes and kind of the store.
        """
        where = self.where("reduce", name)
        check_plain_function(reducer, ("aggregate", "value"), where, what="reducer")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, REDUCE)
        return self._add(
            KStreamReduceSupplier(store_name, reducer),
            self.graph.names.name_or_new(name, REDUCE),
            chosen,
            store_name,
            chosen.value_serde or self.value_serde,
        )

    def aggregate(
        self,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each key to one of any type.

        Args:
            initializer: gives the aggregate of no records.
            aggregator: of key, value and aggregate, gives the next aggregate; None deletes the key.
            name: of the step.
            materialized: name, serdes and kind of the store; `default.value.serde` is used if it
                gives no serde of values.
        """
        where = self.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        check_plain_function(aggregator, ("key", "value", "aggregate"), where, what="aggregator")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, AGGREGATE)
        return self._add(
            KStreamAggregateSupplier(store_name, initializer, aggregator),
            self.graph.names.name_or_new(name, AGGREGATE),
            chosen,
            store_name,
            chosen.value_serde,
        )

    @overload
    def windowed_by(self, windows: SessionWindows) -> SessionWindowedKStream: ...
    @overload
    def windowed_by(self, windows: Windows | SlidingWindows) -> TimeWindowedKStream: ...
    def windowed_by(
        self, windows: Windows | SlidingWindows | SessionWindows
    ) -> TimeWindowedKStream | SessionWindowedKStream:
        """Aggregate the records of each key by windows of time.

        Args:
            windows: TimeWindows, SlidingWindows, UnlimitedWindows or SessionWindows.

        Raises:
            TypeError: it is something else; JoinWindows are for joins.
        """
        if isinstance(windows, SessionWindows):
            return SessionWindowedKStream(self, self.aggregation, windows)
        return TimeWindowedKStream(self, self.aggregation, windows)

    def cogroup(self, aggregator: Callable[[Any, Any, Any], Any]) -> CogroupedKStream:
        """Begin an aggregation of several grouped streams into one table.

        Args:
            aggregator: of key, value and aggregate, for the records of this stream.
        """
        return CogroupedKStream(self).cogroup(self, aggregator)

    def _add(
        self,
        supplier: Any,
        node_name: str,
        materialized: Materialized,
        store_name: str,
        value_serde: Serde | None,
    ) -> "KTable":
        key_serde = materialized.key_serde or self.key_serde
        return self.aggregation.add(
            node_name,
            supplier,
            TableStoreBuilder(materialized, store_name, key_serde, value_serde),
            key_serde=key_serde,
            value_serde=value_serde,
            queryable_store_name=materialized.store_name,
        )
