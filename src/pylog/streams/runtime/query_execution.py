"""Executes queries of pylog.streams.query on one store.

Source: Kafka StoreQueryUtils.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pylog.streams import query as queries
from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.query import FailureReason, QueryResult
from pylog.streams.record import ValueAndTimestamp
from pylog.streams.state.key_value_store import KeyValueStore, TimestampedKeyValueStore
from pylog.streams.state.session_store import SessionStore
from pylog.streams.state.versioned_store import VersionedKeyValueStore
from pylog.streams.state.window_store import WindowStore


class _NotForThisStoreError(Exception):
    """The store is of another kind."""


def execute(
    store: Any,
    query: Any,
    bound: queries.PositionBound,
    at_least: Mapping[tuple[str, int], int] | None = None,
) -> QueryResult:
    """Ask a store.

    Args:
        store: open, of an active task or of a standby.
        query: one of pylog.streams.query.
        bound: what it must have come to, as far as it concerns this store.
        at_least: where its task began: next offsets of its input, which the store has restored.
    """
    answer = _ANSWERS.get(type(query))
    position: dict[str, dict[int, int]] = {}
    for (topic, partition), offset in (at_least or {}).items():
        if offset > 0:
            position.setdefault(topic, {})[partition] = offset - 1
    for topic, partitions in store.position.items():
        position.setdefault(topic, {}).update(partitions)
    if not bound.is_met_by(position):
        return QueryResult(
            position=position,
            failure_reason=FailureReason.NOT_UP_TO_BOUND,
            failure_message=f"the store is at {position}, the query asks for {bound.offsets}",
        )
    if answer is None:
        return _unknown(store, query, position)
    try:
        return QueryResult(answer(store, query), position)
    except _NotForThisStoreError:
        return _unknown(store, query, position)
    except Exception as error:
        return QueryResult(
            position=position,
            failure_reason=FailureReason.STORE_EXCEPTION,
            failure_message=f"{type(error).__name__}: {error}",
        )


def _unknown(store: Any, query: Any, position: queries.Positions) -> QueryResult:
    return QueryResult(
        position=position,
        failure_reason=FailureReason.UNKNOWN_QUERY_TYPE,
        failure_message=f"{type(store).__name__} does not answer {type(query).__name__}",
    )


def _require(store: Any, *kinds: type) -> None:
    if not isinstance(store, kinds):
        raise _NotForThisStoreError


def plain(value: Any) -> Any:
    """A value without its timestamp."""
    return value.value if isinstance(value, ValueAndTimestamp) else value


def _plain_entries(entries: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    return ((key, plain(value)) for key, value in entries)


def _key(store: Any, query: queries.KeyQuery) -> Any:
    _require(store, KeyValueStore)
    return plain(store.get(query.key))


def _timestamped_key(store: Any, query: queries.TimestampedKeyQuery) -> Any:
    _require(store, TimestampedKeyValueStore)
    return store.get(query.key)


def _range(store: Any, query: queries.RangeQuery) -> Any:
    _require(store, KeyValueStore)
    return _plain_entries(_in_order(store, query))


def _timestamped_range(store: Any, query: queries.TimestampedRangeQuery) -> Any:
    _require(store, TimestampedKeyValueStore)
    return _in_order(store, query)


def _in_order(store: Any, query: Any) -> Any:
    scan = store.reverse_range if query.is_descending else store.range
    return scan(query.from_key, query.to_key)


def _window_key(store: Any, query: queries.WindowKeyQuery) -> Any:
    _require(store, WindowStore)
    return _plain_entries(store.fetch(query.key, query.time_from_ms, query.time_to_ms))


def _window_range(store: Any, query: queries.WindowRangeQuery) -> Any:
    if query.key is not None:
        _require(store, SessionStore)
        return _plain_entries(store.fetch(query.key))
    _require(store, WindowStore)
    if query.time_from_ms is None or query.time_to_ms is None:
        raise InvalidStateStoreError("a WindowRangeQuery of a window store needs both times")
    return _plain_entries(store.fetch_all(query.time_from_ms, query.time_to_ms))


def _versioned_key(store: Any, query: queries.VersionedKeyQuery) -> Any:
    _require(store, VersionedKeyValueStore)
    if query.as_of_ms is None:
        return store.get(query.key)
    return store.get_as_of(query.key, query.as_of_ms)


def _versions(store: Any, query: queries.MultiVersionedKeyQuery) -> Any:
    _require(store, VersionedKeyValueStore)
    return store.get_range(
        query.key, query.from_ms, query.to_ms, is_descending=not query.is_ascending
    )


_ANSWERS: dict[type, Callable[[Any, Any], Any]] = {
    queries.KeyQuery: _key,
    queries.TimestampedKeyQuery: _timestamped_key,
    queries.RangeQuery: _range,
    queries.TimestampedRangeQuery: _timestamped_range,
    queries.WindowKeyQuery: _window_key,
    queries.WindowRangeQuery: _window_range,
    queries.VersionedKeyQuery: _versioned_key,
    queries.MultiVersionedKeyQuery: _versions,
}
