"""TimeWindowedKStream, a grouped stream by windows: tumbling, hopping, sliding or unlimited."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams import serdes
from pylog.streams.dsl.abstract_stream import AbstractStream
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import WindowStoreBuilder
from pylog.streams.dsl.stream_aggregation import StreamAggregation
from pylog.streams.dsl.window_aggregators import count_up, nothing, reducing, zero
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.sliding_window_aggregate import KStreamSlidingWindowAggregateSupplier
from pylog.streams.processors.window_aggregate import (
    KStreamWindowAggregateSupplier,
    KStreamWindowCountSupplier,
)
from pylog.streams.serde import Serde
from pylog.streams.windowed_serde import TimeWindowedSerde
from pylog.streams.windows import EmitStrategy, SlidingWindows, TimeWindows, UnlimitedWindows

if TYPE_CHECKING:
    from pylog.streams.dsl.ktable import KTable

REDUCE = "KSTREAM-REDUCE-"
AGGREGATE = "KSTREAM-AGGREGATE-"


class TimeWindowedKStream(AbstractStream):
    """The records of a grouped stream by key and window of time. Made by `windowed_by`.

    An aggregation gives a table whose keys are Windowed: the record's key and the window. Time is
    that of the records, and it is as late as the latest record of the task: a window is closed when
    its end and grace have passed by that clock, and a record is dropped and counted as "late" when
    all of its windows are. A record without a key is dropped; one without a value is passed to the
    aggregator by time windows, and dropped by sliding windows.
    """

    def __init__(
        self,
        grouped: AbstractStream,
        aggregation: StreamAggregation,
        windows: TimeWindows | UnlimitedWindows | SlidingWindows,
        emit_strategy: EmitStrategy | None = None,
    ):
        if not isinstance(windows, TimeWindows | UnlimitedWindows | SlidingWindows):
            raise TypeError(
                f"windowed_by after {grouped.name}: windows are TimeWindows, SlidingWindows, "
                f"SessionWindows or UnlimitedWindows, not {windows!r}"
            )
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

    def emit_strategy(self, emit_strategy: EmitStrategy) -> "TimeWindowedKStream":
        """Say when aggregations hand on results: at each update, or once when a window closes.

        With `EmitStrategy.on_window_close()` a window's result comes when a record moves stream
        time past the window's end and grace, and not more often than once a second of wall-clock
        time. It has no old value, and it is never withdrawn.

        Raises:
            TypeError: it is no EmitStrategy.
            ValueError: on_window_close with windows that never close.
        """
        if not isinstance(emit_strategy, EmitStrategy):
            raise TypeError(f"an EmitStrategy is needed, not {emit_strategy!r}")
        if emit_strategy.emits_on_window_close and isinstance(self._windows, UnlimitedWindows):
            raise ValueError(
                f"emit_strategy after {self.name}: unlimited windows never close, so nothing can "
                "be emitted then"
            )
        return TimeWindowedKStream(self, self._aggregation, self._windows, emit_strategy)

    def count(
        self, *, name: str | None = None, materialized: Materialized | None = None
    ) -> "KTable":
        """Count the records of each key and window.

        Args:
            name: of the step.
            materialized: name, serdes, kind and retention of the store; values are longs.
        """
        self.check_materialized(materialized, self.where("count", name))
        is_sliding = isinstance(self._windows, SlidingWindows)
        if materialized is not None and materialized.store_name is None and not is_sliding:
            # Kafka spends a number here, and stores are found by their numbers.
            self.graph.names.new_store_name(AGGREGATE)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, AGGREGATE)
        node_name = self.graph.names.name_or_new(name, AGGREGATE)
        if isinstance(self._windows, SlidingWindows):
            supplier: Any = self._supplier(store_name, zero, count_up)
        else:
            supplier = KStreamWindowCountSupplier(self._windows, store_name, self._emit_strategy)
        value_serde = chosen.value_serde or serdes.long
        return self._add(supplier, node_name, chosen, store_name, value_serde)

    def reduce(
        self,
        reducer: Callable[[Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each key and window to one of the same type.

        Args:
            reducer: of the aggregate so far and the next value; the first is taken as it is.
            name: of the step.
            materialized: name, serdes, kind and retention of the store.
        """
        where = self.where("reduce", name)
        check_plain_function(reducer, ("aggregate", "value"), where, what="reducer")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, REDUCE)
        node_name = self.graph.names.name_or_new(name, REDUCE)
        supplier = self._supplier(store_name, nothing, reducing(reducer))
        value_serde = chosen.value_serde or self.value_serde
        return self._add(supplier, node_name, chosen, store_name, value_serde)

    def aggregate(
        self,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Combine the values of each key and window to one of any type.

        Args:
            initializer: gives the aggregate of no records.
            aggregator: of key, value and aggregate, gives the next aggregate.
            name: of the step.
            materialized: name, serdes, kind and retention of the store.
        """
        where = self.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        check_plain_function(aggregator, ("key", "value", "aggregate"), where, what="aggregator")
        self.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = self.store_name(chosen, AGGREGATE)
        node_name = self.graph.names.name_or_new(name, AGGREGATE)
        supplier = self._supplier(store_name, initializer, aggregator)
        return self._add(supplier, node_name, chosen, store_name, chosen.value_serde)

    def _supplier(
        self,
        store_name: str,
        initializer: Callable[[], Any],
        aggregator: Callable[[Any, Any, Any], Any],
    ) -> Any:
        return window_aggregate_supplier(
            self._windows, store_name, self._emit_strategy, initializer, aggregator
        )

    def _add(
        self,
        supplier: Any,
        node_name: str,
        materialized: Materialized,
        store_name: str,
        value_serde: Serde | None,
    ) -> "KTable":
        key_serde = materialized.key_serde or self.key_serde
        store = WindowStoreBuilder(
            materialized, store_name, key_serde, value_serde, self._emit_strategy, self._windows
        )
        return self._aggregation.add(
            node_name,
            supplier,
            store,
            key_serde=windowed_key_serde(key_serde, self._windows),
            value_serde=value_serde,
            queryable_store_name=materialized.store_name,
            grace_ms=self._windows.grace_ms,
        )


def window_aggregate_supplier(
    windows: TimeWindows | UnlimitedWindows | SlidingWindows,
    store_name: str,
    emit_strategy: EmitStrategy,
    initializer: Callable[[], Any],
    aggregator: Callable[[Any, Any, Any], Any],
) -> Any:
    """The supplier of an aggregation in windows of this kind."""
    kind: Callable[..., Any] = (
        KStreamSlidingWindowAggregateSupplier
        if isinstance(windows, SlidingWindows)
        else KStreamWindowAggregateSupplier
    )
    return kind(windows, store_name, emit_strategy, initializer, aggregator)


def windowed_key_serde(
    key_serde: Serde | None, windows: TimeWindows | UnlimitedWindows | SlidingWindows
) -> Serde:
    """The serde of the keys of a table by windows."""
    if isinstance(windows, SlidingWindows):
        return TimeWindowedSerde(key_serde, windows.time_difference_ms)
    return TimeWindowedSerde(key_serde, windows.size_ms)
