"""Cogrouped streams that are aggregated by windows: of time, sliding, or sessions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.materialized import Materialized
from pylog.streams.dsl.store_factories import SessionStoreBuilder, WindowStoreBuilder
from pylog.streams.dsl.windowed import window_aggregate_supplier, windowed_key_serde
from pylog.streams.functions import check_plain_function
from pylog.streams.processors.session_window_aggregate import KStreamSessionWindowAggregateSupplier
from pylog.streams.windowed_serde import SessionWindowedSerde
from pylog.streams.windows import (
    EmitStrategy,
    SessionWindows,
    SlidingWindows,
    TimeWindows,
    UnlimitedWindows,
    Windows,
)

if TYPE_CHECKING:
    from pylog.streams.dsl.cogrouped import CogroupedKStream
    from pylog.streams.dsl.ktable import KTable

AGGREGATE = "COGROUPKSTREAM-AGGREGATE-"


class TimeWindowedCogroupedKStream:
    """Cogrouped streams by key and window of time. Made by `CogroupedKStream.windowed_by`."""

    def __init__(self, cogrouped: "CogroupedKStream", windows: Windows | SlidingWindows):
        if not isinstance(windows, TimeWindows | UnlimitedWindows | SlidingWindows):
            raise TypeError(
                f"windowed_by after {cogrouped.name}: windows are TimeWindows, SlidingWindows, "
                f"SessionWindows or UnlimitedWindows, not {windows!r}"
            )
        self._cogrouped = cogrouped
        self._windows = windows

    def aggregate(
        self,
        initializer: Callable[[], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Aggregate the records of all streams by key and window.

        Args:
            initializer: gives the aggregate of no records.
            name: what the names of the steps begin with.
            materialized: name, serdes, kind and retention of the store.
        """
        cogrouped, windows = self._cogrouped, self._windows
        where = cogrouped.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        cogrouped.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = cogrouped.store_name(chosen, AGGREGATE)
        key_serde = chosen.key_serde or cogrouped.common_key_serde()
        emit_strategy = EmitStrategy.on_window_update()
        return cogrouped.add_aggregation(
            name,
            chosen,
            WindowStoreBuilder(
                chosen, store_name, key_serde, chosen.value_serde, emit_strategy, windows
            ),
            lambda aggregator: window_aggregate_supplier(
                windows, store_name, emit_strategy, initializer, aggregator
            ),
            key_serde=windowed_key_serde(key_serde, windows),
            grace_ms=windows.grace_ms,
        )


class SessionWindowedCogroupedKStream:
    """Cogrouped streams by key and session. Made by `CogroupedKStream.windowed_by`."""

    def __init__(self, cogrouped: "CogroupedKStream", windows: SessionWindows):
        self._cogrouped = cogrouped
        self._windows = windows

    def aggregate(
        self,
        initializer: Callable[[], Any],
        merger: Callable[[Any, Any, Any], Any],
        *,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> "KTable":
        """Aggregate the records of all streams by key and session.

        Args:
            initializer: gives the aggregate of no records.
            merger: of key and two aggregates, gives the aggregate of two sessions together.
            name: what the names of the steps begin with.
            materialized: name, serdes, kind and retention of the store.
        """
        cogrouped, windows = self._cogrouped, self._windows
        where = cogrouped.where("aggregate", name)
        check_plain_function(initializer, (), where, what="initializer")
        check_plain_function(merger, ("key", "left", "right"), where, what="merger")
        cogrouped.check_materialized(materialized, where)
        chosen = materialized or Materialized()
        store_name = cogrouped.store_name(chosen, AGGREGATE)
        key_serde = chosen.key_serde or cogrouped.common_key_serde()
        emit_strategy = EmitStrategy.on_window_update()
        return cogrouped.add_aggregation(
            name,
            chosen,
            SessionStoreBuilder(
                chosen, store_name, key_serde, chosen.value_serde, emit_strategy, windows
            ),
            lambda aggregator: KStreamSessionWindowAggregateSupplier(
                windows, store_name, emit_strategy, initializer, aggregator, merger
            ),
            key_serde=SessionWindowedSerde(key_serde),
            grace_ms=windows.grace_ms + windows.inactivity_gap_ms,
        )
