"""Counting and reducing in windows, told as aggregates."""

from collections.abc import Callable
from functools import wraps
from typing import Any

Aggregator = Callable[[Any, Any, Any], Any]


def zero() -> int:
    """The count of no records."""
    return 0


def nothing() -> None:
    """What a reduction begins with."""


def count_up(key: Any, value: Any, aggregate: int) -> int:
    """The count with one more record."""
    return aggregate + 1


def add_counts(key: Any, left: int, right: int) -> int:
    """The count of two sessions together."""
    return left + right


def reducing(reducer: Callable[[Any, Any], Any]) -> Aggregator:
    """A reducer as an aggregator: the first value is taken as it is."""

    @wraps(reducer)
    def aggregate_one(key: Any, value: Any, aggregate: Any) -> Any:
        return value if aggregate is None else reducer(aggregate, value)

    return aggregate_one


def merging(aggregator: Aggregator) -> Aggregator:
    """A reduction's aggregator as the merger of two sessions."""

    @wraps(aggregator)
    def merge(key: Any, left: Any, right: Any) -> Any:
        return aggregator(key, right, left)

    return merge
