"""Results of a join of tables that nobody keeps, computed when somebody asks.

They count as not versioned, even where both tables are.

Source: Kafka Streams' value getters inside KTableKTable{Inner,Left,Right,Outer}Join, KIP-914.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from pylog.streams.errors import InvalidStateStoreError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.joiners import Joiner, joiner_with_key
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
    make_value_and_timestamp,
)
from pylog.streams.record import ValueAndTimestamp


class JoinValueGetterSupplier:
    """Of the result of a join, from the values of both tables.

    Args:
        this_view: how to look up the one table.
        other_view: how to look up the other.
        joiner: takes the value of this table, then the other's.
        getter_class: by the kind of join.
    """

    def __init__(
        self,
        this_view: KTableValueGetterSupplier,
        other_view: KTableValueGetterSupplier,
        joiner: Joiner,
        getter_class: "type[_JoinValueGetter]",
    ):
        self._this_view = this_view
        self._other_view = other_view
        self._joiner = joiner_with_key(joiner)
        self._getter_class = getter_class

    @property
    def store_names(self) -> tuple[str, ...]:
        """Those of both tables, each once."""
        return tuple(dict.fromkeys(self._this_view.store_names + self._other_view.store_names))

    def __call__(self) -> KTableValueGetter:
        """Make a getter."""
        return self._getter_class(self._this_view(), self._other_view(), self._joiner)


class _JoinValueGetter:
    is_versioned = False

    def __init__(
        self,
        this_values: KTableValueGetter,
        other_values: KTableValueGetter,
        joiner: Callable[[Any, Any, Any], Any],
    ):
        self._this_values = this_values
        self._other_values = other_values
        self._joiner = joiner

    def init(self, context: ProcessorContext) -> None:
        """Get ready."""
        self._this_values.init(context)
        self._other_values.init(context)

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the result of now, None for none."""
        raise NotImplementedError

    def get_as_of(self, key: Any, as_of_timestamp_ms: int) -> NoReturn:
        """Refuse.

        Raises:
            InvalidStateStoreError: always.
        """
        raise InvalidStateStoreError("the result of a join of tables is not versioned")

    def close(self) -> None:
        """Let go."""
        self._this_values.close()
        self._other_values.close()

    def _joined(
        self, key: Any, this: ValueAndTimestamp | None, other: ValueAndTimestamp | None
    ) -> ValueAndTimestamp | None:
        value = self._joiner(
            key, None if this is None else this.value, None if other is None else other.value
        )
        return make_value_and_timestamp(
            value, max(found.timestamp for found in (this, other) if found is not None)
        )


class InnerJoinValueGetter(_JoinValueGetter):
    """Of an inner join: both values are needed."""

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the result of now, None for none."""
        this = self._this_values.get(key)
        if this is None:
            return None
        other = self._other_values.get(key)
        return None if other is None else self._joined(key, this, other)


class LeftJoinValueGetter(_JoinValueGetter):
    """Of a left join, asked from the left: this value is needed."""

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the result of now, None for none."""
        this = self._this_values.get(key)
        return None if this is None else self._joined(key, this, self._other_values.get(key))


class RightJoinValueGetter(_JoinValueGetter):
    """Of a left join, asked from the right: the other value, the left one, is needed."""

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the result of now, None for none."""
        other = self._other_values.get(key)
        return None if other is None else self._joined(key, self._this_values.get(key), other)


class OuterJoinValueGetter(_JoinValueGetter):
    """Of an outer join: one value is needed."""

    def get(self, key: Any) -> ValueAndTimestamp | None:
        """Return the result of now, None for none."""
        this = self._this_values.get(key)
        other = self._other_values.get(key)
        return None if this is None and other is None else self._joined(key, this, other)
