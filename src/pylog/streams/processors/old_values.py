"""intact, which keeps an old value from being changed in place by a function of the program."""

from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_CONSTANT = frozenset(
    {bool, bytes, complex, date, datetime, Decimal, float, int, str, time, timedelta, type(None)}
    | {UUID}
)


def intact(value: Any) -> Any:
    """The value, or a copy of it if a function that is given the value may change it.

    An aggregator may append to the list that it is given and return it; the old value of the
    update must not have the new element.
    """
    return value if type(value) in _CONSTANT else deepcopy(value)
