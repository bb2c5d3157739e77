"""Operators that join a stream with a stream, a table or a global table."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pylog.streams.dsl.global_ktable import GlobalKTable
from pylog.streams.dsl.materialized import check_serde
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.dsl.stream_stream_join_steps import StreamJoined, join_streams
from pylog.streams.dsl.stream_table_join_steps import (
    join_stream_with_global_table,
    join_stream_with_table,
)
from pylog.streams.dsl.table_base import TableBase
from pylog.streams.durations import Duration, to_ms
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_function, check_plain_function
from pylog.streams.processors.joiners import Joiner
from pylog.streams.serde import Serde
from pylog.streams.windows import JoinWindows

if TYPE_CHECKING:
    from pylog.streams.dsl.kstream import KStream


class JoinOperators(StreamBase):
    """Join, left_join, outer_join."""

    def join(
        self,
        other: "StreamBase | TableBase | GlobalKTable",
        joiner: Joiner,
        windows: JoinWindows | None = None,
        *,
        key_selector: Callable[[Any, Any], Any] | None = None,
        grace: Duration | None = None,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        other_value_serde: Serde | None = None,
        name: str | None = None,
        store_name: str | None = None,
        this_store_supplier: Any = None,
        other_store_supplier: Any = None,
        store_type: str | None = None,
        logging_enabled: bool = True,
        log_config: Mapping[str, str] | None = None,
    ) -> "KStream":
        """Join records with those of a stream, or with the values of a table.

        With a **stream**: each pair of records of one key whose times are within `windows` of each
        other gives a record; its time is the later of the two. Records without a key or a value
        are dropped. Both sides are kept in stores for the windows' size and grace.

        With a **table**: each record of the stream is joined with the table's value of its key; the
        table's changes join nothing. With a versioned table it is the value as of the record's
        time. Records without a key or value, or without a match, give nothing.

        With a **global table**: likewise, with the value of the key that `key_selector` gives.
        Nothing is repartitioned.

        A stream whose key was changed goes through a repartition topic before it is joined with a
        stream or table; both sides then need equal numbers of partitions.

        Args:
            other: a KStream, KTable or GlobalKTable of the same builder.
            joiner: of this value and the other's, gives the result's; `with_key` of a function
                that takes the key before them.
            windows: with a stream, how far apart the records may be.
            key_selector: with a global table, of key and value, gives the table's key.
            grace: with a versioned table, for how long records of the stream wait for changes of
                the table that come late; a duration.
            key_serde: of the keys of stores, repartition topics and the result.
            value_serde: of this stream's values in stores and repartition topics.
            other_value_serde: with a stream, of the other's.
            name: of the step; what several begin with.
            store_name: with a stream, what the names of the stores begin with.
            this_store_supplier: with a stream, makes this side's store.
            other_store_supplier: with a stream, makes the other side's store.
            store_type: with a stream, "in_memory" or "persistent" stores.
            logging_enabled: with a stream, whether the stores have changelogs.
            log_config: with a stream, topic configurations of the changelogs.

        Raises:
            TopologyError: an argument is missing or belongs to another kind of join.
            TypeError: `other` or a function is something else.
        """
        joined = StreamJoined(
            key_serde,
            value_serde,
            other_value_serde,
            name,
            store_name,
            this_store_supplier,
            other_store_supplier,
            store_type,
            logging_enabled,
            dict(log_config or {}),
        )
        return self._join("join", other, joiner, windows, key_selector, grace, joined, False, False)

    def left_join(
        self,
        other: "StreamBase | TableBase | GlobalKTable",
        joiner: Joiner,
        windows: JoinWindows | None = None,
        *,
        key_selector: Callable[[Any, Any], Any] | None = None,
        grace: Duration | None = None,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        other_value_serde: Serde | None = None,
        name: str | None = None,
        store_name: str | None = None,
        this_store_supplier: Any = None,
        other_store_supplier: Any = None,
        store_type: str | None = None,
        logging_enabled: bool = True,
        log_config: Mapping[str, str] | None = None,
    ) -> "KStream":
        """Join as `join` does; records of this stream that find no other are joined with None.

        With a stream, that result comes when the window and grace of the record are over in stream
        time, and some record shows it; at most once a second of wall-clock time it is looked for.
        A record that comes after its window is over gives its result at once, and so does one
        without a key.

        With a table or a global table, it comes at once; a record without a key is joined with
        None too. Records without a value are dropped.

        Arguments and errors are those of `join`.
        """
        joined = StreamJoined(
            key_serde,
            value_serde,
            other_value_serde,
            name,
            store_name,
            this_store_supplier,
            other_store_supplier,
            store_type,
            logging_enabled,
            dict(log_config or {}),
        )
        return self._join(
            "left_join", other, joiner, windows, key_selector, grace, joined, True, False
        )

    def outer_join(
        self,
        other: StreamBase,
        joiner: Joiner,
        windows: JoinWindows,
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        other_value_serde: Serde | None = None,
        name: str | None = None,
        store_name: str | None = None,
        this_store_supplier: Any = None,
        other_store_supplier: Any = None,
        store_type: str | None = None,
        logging_enabled: bool = True,
        log_config: Mapping[str, str] | None = None,
    ) -> "KStream":
        """Join two streams; records of either that find no other are joined with None.

        When these results come is said at `left_join`. Arguments and errors are those of `join`
        with a stream; there is no outer join with a table.
        """
        joined = StreamJoined(
            key_serde,
            value_serde,
            other_value_serde,
            name,
            store_name,
            this_store_supplier,
            other_store_supplier,
            store_type,
            logging_enabled,
            dict(log_config or {}),
        )
        if isinstance(other, TableBase | GlobalKTable):
            raise TopologyError(
                f"{self.where('outer_join', name)}: a table's changes join nothing, so there is no "
                "outer join with a table; use left_join"
            )
        return self._join("outer_join", other, joiner, windows, None, None, joined, True, True)

    def _join(
        self,
        operator: str,
        other: Any,
        joiner: Joiner,
        windows: JoinWindows | None,
        key_selector: Callable[[Any, Any], Any] | None,
        grace: Duration | None,
        joined: StreamJoined,
        is_left_outer: bool,
        is_right_outer: bool,
    ) -> "KStream":
        where = self.where(operator, joined.name)
        if not isinstance(other, StreamBase | TableBase | GlobalKTable):
            raise TypeError(
                f"{where}: a stream is joined with a KStream, KTable or GlobalKTable, not {other!r}"
            )
        if other.graph is not self.graph:
            raise TopologyError(f"{where}: {other.name} comes from another StreamsBuilder")
        check_function(joiner, ("this_value", "other_value"), where, what="joiner")
        for argument in ("key_serde", "value_serde", "other_value_serde"):
            check_serde(getattr(joined, argument), f"{where}: {argument}")
        only_of_others = _only_of_other_joins(other, windows, key_selector, grace, joined)
        if only_of_others:
            raise TopologyError(
                f"{where}: {', '.join(only_of_others)} means nothing in a join of a stream with a "
                f"{_kind(other)}"
            )
        if isinstance(other, GlobalKTable):
            if key_selector is None:
                raise TopologyError(
                    f"{where}: a join with a global table needs key_selector, a function of key "
                    "and value that gives the table's key"
                )
            check_plain_function(key_selector, ("key", "value"), where, what="key_selector")
            result: KStream = join_stream_with_global_table(
                self, other, joiner, key_selector, is_left=is_left_outer, name=joined.name
            )
        elif isinstance(other, TableBase):
            result = join_stream_with_table(
                self,
                other,
                joiner,
                is_left=is_left_outer,
                grace_ms=None if grace is None else _checked_grace(grace, where),
                name=joined.name,
                key_serde=joined.key_serde,
                value_serde=joined.value_serde,
            )
        else:
            if not isinstance(windows, JoinWindows):
                raise TopologyError(
                    f"{where}: a join of streams needs windows, how far apart two records may be: "
                    f"JoinWindows.of_time_difference_with_no_grace('10s'), not {windows!r}"
                )
            result = join_streams(
                self,
                other,
                joiner,
                windows,
                joined,
                is_left_outer=is_left_outer,
                is_right_outer=is_right_outer,
            )
        return result


def _kind(other: Any) -> str:
    if isinstance(other, StreamBase):
        return "stream"
    return "table" if isinstance(other, TableBase) else "global table"


def _only_of_other_joins(
    other: Any,
    windows: JoinWindows | None,
    key_selector: Any,
    grace: Duration | None,
    joined: StreamJoined,
) -> list[str]:
    """Names of the arguments that were given and belong to joins with another kind of thing."""
    of_streams, of_tables, of_both = ("stream",), ("table",), ("stream", "table")
    given = {
        "windows": (of_streams, windows is not None),
        "other_value_serde": (of_streams, joined.other_value_serde is not None),
        "store_name": (of_streams, joined.store_name is not None),
        "this_store_supplier": (of_streams, joined.this_store_supplier is not None),
        "other_store_supplier": (of_streams, joined.other_store_supplier is not None),
        "store_type": (of_streams, joined.store_type is not None),
        "logging_enabled": (of_streams, not joined.logging_enabled),
        "log_config": (of_streams, bool(joined.log_config)),
        "grace": (of_tables, grace is not None),
        "key_serde": (of_both, joined.key_serde is not None),
        "value_serde": (of_both, joined.value_serde is not None),
        "key_selector": (("global table",), key_selector is not None),
    }
    kind = _kind(other)
    return [name for name, (kinds, is_given) in given.items() if is_given and kind not in kinds]


def _checked_grace(grace: Duration, where: str) -> int:
    grace_ms = to_ms(grace, "grace")
    if grace_ms < 0:
        raise ValueError(f"{where}: a grace period is not negative: {grace_ms} ms")
    return grace_ms
