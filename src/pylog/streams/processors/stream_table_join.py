"""Joins of a stream with a table: each record of the stream meets the table's value of then.

Records of the table join nothing, they only change what is found. A versioned table is asked for
the value as of the record's time; with a grace period, records wait in a buffer until stream time
has passed them by that much, and so meet what the table learned late.

A record without a value is dropped. So is one without a key, unless the join is left, which joins
it with nothing; in a join with a global table what counts is the key that the mapper makes.

Source: Kafka Streams' KStreamKTableJoin, KStreamKTableJoinProcessor, KStreamGlobalKTableJoin;
KIP-923 (grace), KIP-962 (null keys).
"""

from collections.abc import Callable
from typing import Any

from pylog.streams.errors import TopologyError
from pylog.streams.node import ProcessorContext
from pylog.streams.processors.joiners import Joiner, joiner_with_key, user_function
from pylog.streams.processors.value_getters import (
    KTableValueGetter,
    KTableValueGetterSupplier,
)
from pylog.streams.record import Record
from pylog.streams.state.join_grace_buffer import JoinGraceBuffer


class KStreamKTableJoinSupplier:
    """Makes the processors of a join of a stream with a table of the same key.

    Args:
        value_getter_supplier: how to look the table up.
        joiner: takes the stream's value, then the table's.
        is_left: join records for which the table has nothing, too.
        grace_ms: how long records wait for the table, in stream time; None for not at all.
        buffer_store_name: where they wait.
    """

    def __init__(
        self,
        value_getter_supplier: KTableValueGetterSupplier,
        joiner: Joiner,
        is_left: bool,
        grace_ms: int | None = None,
        buffer_store_name: str | None = None,
    ):
        self._view = value_getter_supplier
        self._joiner = joiner
        self._is_left = is_left
        self._grace_ms = grace_ms
        self._buffer_store_name = buffer_store_name

    def __call__(self) -> "StreamTableJoinProcessor":
        """Make a processor."""
        values = self._view()
        if self._grace_ms is None:
            return StreamTableJoinProcessor(values, self._joiner, self._is_left)
        assert self._buffer_store_name is not None, "a join with grace has a buffer"
        return BufferedStreamTableJoinProcessor(
            values, self._joiner, self._is_left, self._buffer_store_name
        )


class StreamTableJoinProcessor:
    """Joins each record at once.

    Args:
        table_values: looks the table up.
        joiner: takes the stream's value, then the table's.
        is_left: join records for which the table has nothing, too.
    """

    def __init__(self, table_values: KTableValueGetter, joiner: Joiner, is_left: bool):
        self._table_values = table_values
        self._user_joiner = joiner
        self._joiner = joiner_with_key(joiner)
        self._is_left = is_left

    def init(self, context: ProcessorContext) -> None:
        """Get ready."""
        self._context = context
        self._table_values.init(context)
        self._get = self._table_values.get
        self._get_as_of = self._table_values.get_as_of
        self._is_versioned = self._table_values.is_versioned

    def process(self, record: Record) -> None:
        """Join a record with the table's value."""
        if self._is_joinable(record):
            self._join(record)

    def close(self) -> None:
        """Let go."""
        self._table_values.close()

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The joiner, for errors."""
        return (user_function(self._user_joiner),)

    def _is_joinable(self, record: Record) -> bool:
        if record.value is None:
            self._context.drop("null value")
            return False
        if record.key is None and not self._is_left:
            self._context.drop("null key")
            return False
        return True

    def _join(self, record: Record) -> None:
        self._join_with(record, record.key)

    def _join_with(self, record: Record, table_key: Any) -> None:
        found = None
        if table_key is not None:
            if self._is_versioned:
                found = self._get_as_of(table_key, record.timestamp)
            else:
                found = self._get(table_key)
        table_value = None if found is None else found.value
        if table_value is not None or self._is_left:
            joined = self._joiner(record.key, record.value, table_value)
            self._context.forward(record.with_value(joined))


class BufferedStreamTableJoinProcessor(StreamTableJoinProcessor):
    """Joins each record when stream time has passed it by the grace period.

    A record that comes later than that is joined at once. So is one without a key, which a left
    join joins with nothing however long it waits.

    Args:
        table_values: looks the table up, which must be versioned.
        joiner: takes the stream's value, then the table's.
        is_left: join records for which the table has nothing, too.
        buffer_store_name: where records wait.
    """

    def __init__(
        self,
        table_values: KTableValueGetter,
        joiner: Joiner,
        is_left: bool,
        buffer_store_name: str,
    ):
        super().__init__(table_values, joiner, is_left)
        self._buffer_store_name = buffer_store_name

    def init(self, context: ProcessorContext) -> None:
        """Get ready.

        Raises:
            TopologyError: the table is not versioned.
        """
        super().init(context)
        if not self._is_versioned:
            raise TopologyError(
                f"{context.node_name}: a table must be versioned to be joined with a grace period"
            )
        self._task = context.task
        self._buffer: JoinGraceBuffer = context.get_state_store(self._buffer_store_name)

    def _join(self, record: Record) -> None:
        if record.key is None or not self._buffer.put(record):
            self._join_with(record, record.key)
        else:
            self._buffer.evict(self._join_evicted)

    def _join_evicted(self, record: Record, topic: str | None, partition: int, offset: int) -> None:
        task = self._task
        current = (task.topic, task.partition, task.offset, task.record_timestamp, task.headers)
        task.set_record(topic, partition, offset, record.timestamp, record.headers)
        try:
            self._join_with(record, record.key)
        finally:
            task.set_record(*current)
