"""The steps of a join of a stream with a table or a global table."""

from collections.abc import Callable
from typing import Any

from pylog.streams.dsl.global_ktable import GlobalKTable
from pylog.streams.dsl.graph_join_nodes import StreamTableJoinNode
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.dsl.stream_stream_join_steps import repartitioned
from pylog.streams.dsl.table_base import TableBase
from pylog.streams.errors import TopologyError
from pylog.streams.processors.joiners import Joiner
from pylog.streams.processors.stream_global_table_join import KStreamGlobalKTableJoinSupplier
from pylog.streams.processors.stream_table_join import KStreamKTableJoinSupplier
from pylog.streams.serde import Serde
from pylog.streams.state.join_grace_buffer import join_grace_buffer_builder

_JOIN = "KSTREAM-JOIN-"
_LEFT_JOIN = "KSTREAM-LEFTJOIN-"


def join_stream_with_table(
    stream: StreamBase,
    table: TableBase,
    joiner: Joiner,
    *,
    is_left: bool,
    grace_ms: int | None,
    name: str | None,
    key_serde: Serde | None,
    value_serde: Serde | None,
) -> Any:
    """Add a join of a stream with a table and return its result, a stream.

    Args:
        stream: whose records are joined.
        table: that they are joined with.
        joiner: of the stream's value and the table's.
        is_left: records that find nothing are results too.
        grace_ms: how long records wait for the table, None for not at all.
        name: of the step.
        key_serde: of the stream's keys, for a repartition, the buffer, and the result.
        value_serde: of the stream's values, for a repartition and the buffer.
    """
    stream = repartitioned(
        stream,
        stream.name if name is None else name,
        key_serde,
        value_serde,
        is_given=name is not None,
    )
    key_serde = key_serde or stream.key_serde
    value_serde = value_serde or stream.value_serde
    sources = stream.copartition_with(table)
    node_name = stream.graph.names.name_or_new(name, _LEFT_JOIN if is_left else _JOIN)
    stores, buffer_name = [], None
    if grace_ms is not None:
        if table.node.is_output_versioned is False:
            raise TopologyError(
                f"{node_name}: a grace period needs a versioned table, and {table.name} is not"
            )
        buffer_name = f"{node_name}-Buffer"
        stores.append(join_grace_buffer_builder(buffer_name, grace_ms, key_serde, value_serde))
        if name is None:
            stream.graph.unnamed.add_store(buffer_name, is_logged=True)
    view = table.value_getter_supplier()
    node = StreamTableJoinNode(
        node_name,
        KStreamKTableJoinSupplier(view, joiner, is_left, grace_ms, buffer_name),
        grace_ms=grace_ms,
        stores=stores,
        store_names=view.store_names,
    )
    node.relaxes_null_keys = is_left
    stream.graph.add(node, stream.node)
    return stream.new_stream(node, key_serde, None, source_nodes=sources)


def join_stream_with_global_table(
    stream: StreamBase,
    table: GlobalKTable,
    joiner: Joiner,
    key_selector: Callable[[Any, Any], Any],
    *,
    is_left: bool,
    name: str | None,
) -> Any:
    """Add a join of a stream with a global table and return its result, a stream."""
    node = stream.add_processor(
        KStreamGlobalKTableJoinSupplier(
            table.value_getter_supplier(), joiner, key_selector, is_left
        ),
        _LEFT_JOIN,
        name,
    )
    node.relaxes_null_keys = is_left
    return stream.with_new_values(node)
