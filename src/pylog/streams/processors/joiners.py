"""Joiners: the user's function that makes one value of two, whichever side asks.

Source: Kafka Streams' AbstractStream.reverseJoiner, toValueJoinerWithKey.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from pylog.streams.keyed_function import WithKey, unwrapped, with_key

#: (left, right) -> value, or with_key of a function of (key, left, right).
Joiner: TypeAlias = Callable[[Any, Any], Any] | WithKey


def joiner_with_key(joiner: Joiner) -> Callable[[Any, Any, Any], Any]:
    """Return a joiner as a function of (key, this value, other value)."""
    function, wants_key = unwrapped(joiner)
    if wants_key:
        return function
    return wraps(function)(lambda key, this, other: function(this, other))


def reverse_joiner(joiner: Joiner) -> Joiner:
    """Return the joiner for the other side: it takes that side's value first."""
    function, wants_key = unwrapped(joiner)
    if wants_key:
        return with_key(wraps(function)(lambda key, other, this: function(key, this, other)))
    return wraps(function)(lambda other, this: function(this, other))


def user_function(joiner: Joiner) -> Callable[..., Any]:
    """Return the function as the user wrote it, for errors."""
    function, _ = unwrapped(joiner)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
