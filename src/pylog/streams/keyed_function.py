"""with_key, the mark of a function that wants the record's key before its values."""

from collections.abc import Callable
from typing import Any


class WithKey:
    """A function and the wish that it is given the key first."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]):
        self.function = function

    def __repr__(self) -> str:
        return f"with_key({self.function!r})"


def with_key(function: Callable[..., Any]) -> WithKey:
    """Mark a mapper or joiner of values, so that it is called with the key in front.

    >>> mapper = with_key(lambda key, value: f"{key}:{value}")
    >>> mapper.function("a", 1)
    'a:1'

    The key is for reading: what is made of a changed key is undefined.

    Args:
        function: takes (key, value) where a mapper of values is asked for, (key, left, right)
            where a joiner is.

    Raises:
        TypeError: it cannot be called.
    """
    if not callable(function):
        raise TypeError(f"with_key takes a function, not {function!r}")
    return WithKey(function)


def unwrapped(function: Any) -> tuple[Callable[..., Any], bool]:
    """The function itself, and whether it wants the key."""
    if isinstance(function, WithKey):
        return function.function, True
    return function, False
