"""Checks of the functions that a program gives to operators, when it gives them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pylog.streams.errors import TopologyError
from pylog.streams.keyed_function import WithKey


def check_function(
    function: Any, arguments: Sequence[str], where: str, *, what: str = "function"
) -> None:
    """Refuse what cannot be called with these arguments.

    A function marked `with_key` is called with the key before them. What has no signature to read,
    such as many builtins, is taken on trust.

    Args:
        function: what the program gave.
        arguments: names of the arguments that it will be called with.
        where: operator and node, for the error.
        what: which of the operator's functions.

    Raises:
        TypeError: it is no function, or one of other arguments.
    """
    hint = ""
    if isinstance(function, WithKey):
        function, arguments = function.function, ("key", *arguments)
    elif arguments[:1] != ("key",) and _accepts(function, len(arguments) + 1):
        hint = "; with_key(function) is given the key before"
    expected = f"{what} is a function of ({', '.join(arguments)})"
    if not callable(function):
        raise TypeError(f"{where}: {expected}, not {function!r}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise TypeError(
            f"{where}: {expected}, but {describe_function(function)} takes {signature}: "
            f"{error}{hint}"
        ) from None


def _accepts(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def check_plain_function(
    function: Any, arguments: Sequence[str], where: str, *, what: str = "function"
) -> None:
    """`check_function` for a place where `with_key` has no meaning: the key is there already.

    Raises:
        TypeError: also when it is marked `with_key`.
    """
    if isinstance(function, WithKey):
        raise TypeError(
            f"{where}: {what} is a function of ({', '.join(arguments)}); "
            "with_key is for mappers and joiners of values"
        )
    check_function(function, arguments, where, what=what)


def check_supplier(supplier: Any, where: str) -> None:
    """Refuse what does not make a new processor each time that it is called.

    Raises:
        TypeError: it cannot be called without arguments.
        TopologyError: it gives the same processor twice, so that tasks would share its state.
    """
    if not callable(supplier):
        raise TypeError(
            f"{where}: a supplier is a class or a function without arguments that makes a "
            f"processor, not {supplier!r}"
        )
    check_plain_function(supplier, (), where, what="a supplier")
    if supplier() is supplier():
        raise TopologyError(
            f"{where}: the supplier {describe_function(supplier)} gives the same processor twice; "
            "each task needs one of its own"
        )


def describe_function(function: Callable[..., Any]) -> str:
    """A function's name, and its file and line where there are some."""
    function = inspect.unwrap(function)
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return str(name)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})"
