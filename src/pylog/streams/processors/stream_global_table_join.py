"""Joins of a stream with a global table, by a key that a mapper makes of each record.

Source: Kafka Streams' KStreamGlobalKTableJoin.
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.processors.joiners import Joiner
from pylog.streams.processors.stream_table_join import StreamTableJoinProcessor
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Record

KeyMapper = Callable[[Any, Any], Any]


class KStreamGlobalKTableJoinSupplier:
    """Makes the processors of a join of a stream with a global table.

    Args:
        value_getter_supplier: how to look the table up.
        joiner: takes the stream's value, then the table's.
        key_mapper: (key, value) of a record -> the table's key.
        is_left: join records for which the table has nothing, too.
    """

    def __init__(
        self,
        value_getter_supplier: KTableValueGetterSupplier,
        joiner: Joiner,
        key_mapper: KeyMapper,
        is_left: bool,
    ):
        self._view = value_getter_supplier
        self._joiner = joiner
        self._key_mapper = key_mapper
        self._is_left = is_left

    def __call__(self) -> "StreamGlobalTableJoinProcessor":
        """Make a processor."""
        return StreamGlobalTableJoinProcessor(
            self._view(), self._joiner, self._is_left, self._key_mapper
        )


class StreamGlobalTableJoinProcessor(StreamTableJoinProcessor):
    """Joins each record with what the global table has for its mapped key.

    Args:
        table_values: looks the table up.
        joiner: takes the stream's value, then the table's.
        is_left: join records for which the table has nothing, too.
        key_mapper: (key, value) of a record -> the table's key.
    """

    def __init__(
        self,
        table_values: KTableValueGetter,
        joiner: Joiner,
        is_left: bool,
        key_mapper: KeyMapper,
    ):
        super().__init__(table_values, joiner, is_left)
        self._key_mapper = key_mapper

    def process(self, record: Record) -> None:
        """Join a record with the table's value of its mapped key."""
        key, value = record.key, record.value
        if value is None:
            self._context.drop("null value")
            return
        table_key = self._key_mapper(key, value)
        if table_key is None and not self._is_left:
            self._context.drop("null join key")
        else:
            self._join_with(record, table_key)

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner and the mapper, for errors."""
        return (*super().functions(), self._key_mapper)
