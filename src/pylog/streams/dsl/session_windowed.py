"""SessionWindowedKStream, a grouped stream cut into sessions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams import serdes
from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import SessionStoreBuilder
from pylog.streams.dsl.stream_aggregation import StreamAggregation
from pylog.streams.dsl.window_aggregators import (
    add_counts,
    count_up,
    merging,
    nothing,
    reducing,
    zero,
)
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.session_window_aggregate import KStreamSessionWindowAggregateSupplier
from pylog.streams.serde import Serde
from pylog.streams.windowed_serde import SessionWindowedSerde
from pylog.streams.windows import EmitStrategy, SessionWindows

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

REDUCE = "KSTREAM-REDUCE-"
AGGREGATE = "KSTREAM-AGGREGATE-"


class SessionWindowedKStream(AbstractStream):
    """The records of a grouped stream by key and session. Made by `windowed_by(SessionWindows)`.

    A session reaches from its first record to its last. A record that makes one longer, or joins
    two, gives a deletion of each old session before the new one's update, since the window is part
    of the key. Records without a key are dropped; values of None go to the aggregator.
    """

    def __init__(
        self,
        grouped: AbstractStream,
        aggregation: StreamAggregation,
        windows: SessionWindows,
        emit_strategy: EmitStrategy | None = None,
    ):
        super().__init__(
            grouped.name,
            grouped.key_serde,
            grouped.value_serde,
            grouped.source_nodes,
            grouped.node,
            grouped.graph,
        )
        self._aggregation = aggregation
        self._windows = windows
        self._emit_strategy = emit_strategy or EmitStrategy.on_window_update()

    def emit_strategy(self, emit_strategy: EmitStrategy) -> "SessionWindowedKStream":
        """Say when aggregations hand on results: at each update, or once when a session closes.

        Raises:
            TypeError: it is no EmitStrategy.
        """
        if not isinstance(emit_strategy, EmitStrategy):
            raise TypeError(f"an EmitStrategy is needed, not {emit_strategy!r}")
        return SessionWindowedKStream(self, self._aggregation, self._windows, emit_strategy)

    def count(
        self, *, name: str | None = None, materialized: Materialized | None = None
    ) -> "KTable":
        """Count the records of each session.

        Args:
            name: of the step.
            materialized: name, serdes, kind and retention of the store; values are longs.
        """
        self.check_materialized(materialized, self.where("count", name))
        if materialized is not None and materialized.store_name is None:
            # Kafka spends a number here, and stores are found by their numbers.
            self.graph.names.new_store_name(AGGREGATE)
        return self._aggregate(
            zero, count_up, add_counts, AGGREGATE, name, materialized, serdes.long
        )

    def reduce(
        self,
        reducer: Callable[[Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each session to one of the same type.

        Args:
            reducer: of the aggregate so far and the next value; also of the aggregates of two
                sessions that become one.
            name: of the step.
            materialized: name, serdes, kind and retention of the store.
        """
        where = self.where("reduce", name)
        check_plain_function(reducer, ("aggregate", "value"), where, what="reducer")
        self.check_materialized(materialized, where)
        aggregator = reducing(reducer)
        return self._aggregate(
            nothing, aggregator, merging(aggregator), REDUCE, name, materialized, self.value_serde
        )

    def aggregate(
        self,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
        merger: Callable[[Any, Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each session to one of any type.

        A record begins with a new session of its own, whose aggregate is the initial one; the
        sessions that it joins are merged into that, and then the record is added.

        Args:
            initializer: gives the aggregate of no records.
            aggregator: of key, value and aggregate, gives the next aggregate.
            merger: of key and two aggregates, gives the aggregate of both sessions.
            name: of the step.
            materialized: name, serdes, kind and retention of the store.
        """
        where = self.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        check_plain_function(aggregator, ("key", "value", "aggregate"), where, what="aggregator")
        check_plain_function(merger, ("key", "left", "right"), where, what="merger")
        self.check_materialized(materialized, where)
        return self._aggregate(initializer, aggregator, merger, AGGREGATE, name, materialized, None)

    def _aggregate(
        self,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
        merger: Callable[[Any, Any, Any], Any],
        prefix: str,
        name: str | None,
        materialized: Materialized | None,
        default_value_serde: Serde | None,
    ) -> "KTable":
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, prefix)
        node_name = self.graph.names.name_or_new(name, prefix)
        key_serde = chosen.key_serde or self.key_serde
        value_serde = chosen.value_serde or default_value_serde
        windows, emit_strategy = self._windows, self._emit_strategy
        return self._aggregation.add(
            node_name,
            KStreamSessionWindowAggregateSupplier(
                windows, store_name, emit_strategy, initializer, aggregator, merger
            ),
            SessionStoreBuilder(chosen, store_name, key_serde, value_serde, emit_strategy, windows),
            key_serde=SessionWindowedSerde(key_serde),
            value_serde=value_serde,
            queryable_store_name=chosen.store_name,
            grace_ms=windows.grace_ms + windows.inactivity_gap_ms,
        )
