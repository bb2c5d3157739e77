"""The steps of a join of two streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pylog.streams.dsl.graph_join_nodes import StreamStreamJoinNode
from pylog.streams.dsl.graph_nodes import ProcessorGraphNode
from pylog.streams.dsl.graph_repartition import RepartitionNode, new_repartition_names
from pylog.streams.dsl.naming import checked_name
from pylog.streams.dsl.store_factories import JoinWindowStoreBuilder, OuterJoinStoreBuilder
from pylog.streams.dsl.stream_base import StreamBase
from pylog.streams.errors import TopologyError
from pylog.streams.processors.joiners import Joiner, reverse_joiner
from pylog.streams.processors.stream_stream_join import (
    KStreamJoinWindowSupplier,
    KStreamKStreamJoinSupplier,
    TimeTrackerSupplier,
)
from pylog.streams.processors.stream_stream_self_join import KStreamKStreamSelfJoinSupplier
from pylog.streams.serde import Serde
from pylog.streams.windows import JoinWindows

_WINDOWED = "KSTREAM-WINDOWED-"
_MERGE = "KSTREAM-MERGE-"


@dataclass(frozen=True, slots=True)
class StreamJoined:
    """What a join of streams was told beside the streams, the joiner and the windows.

    Attributes:
        key_serde: of both stores, and of the result.
        value_serde: of the left stream's store.
        other_value_serde: of the right stream's store.
        name: what the names of the steps begin with.
        store_name: what the names of the stores begin with.
        this_store_supplier: makes the left stream's store.
        other_store_supplier: makes the right stream's store.
        store_type: of stores without a supplier.
        logging_enabled: the stores have changelogs.
        log_config: topic configurations of the changelogs.
    """

    key_serde: Serde | None = None
    value_serde: Serde | None = None
    other_value_serde: Serde | None = None
    name: str | None = None
    store_name: str | None = None
    this_store_supplier: Any = None
    other_store_supplier: Any = None
    store_type: str | None = None
    logging_enabled: bool = True
    log_config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Side:
    """What is called differently on the two sides of a join."""

    stream: StreamBase
    generated_name: str
    suffix: str
    value_serde: Serde | None
    supplier: Any

    def name(self, name: str | None) -> str:
        return self.generated_name if name is None else checked_name(name + self.suffix)


def repartitioned(
    stream: StreamBase,
    name: str,
    key_serde: Serde | None,
    value_serde: Serde | None,
    *,
    is_given: bool,
) -> StreamBase:
    """The stream after a repartition for a join, if its key was changed.

    Args:
        stream: to be joined.
        name: what the topic's name begins with.
        key_serde: of the topic; the stream's if None.
        value_serde: likewise.
        is_given: the program chose the name.
    """
    if not stream.repartition_required:
        return stream
    key_serde = key_serde or stream.key_serde
    value_serde = value_serde or stream.value_serde
    names = new_repartition_names(stream.graph, name, is_given=is_given)
    # Joins of one stream share a repartition, if it is named after the stream.
    if stream.join_repartition is None or stream.name != name:
        stream.join_repartition = RepartitionNode(names, key_serde, value_serde)
        stream.graph.add(stream.join_repartition, stream.node)
    repartition = stream.join_repartition
    return stream.new_stream(
        repartition,
        key_serde,
        value_serde,
        name=names.source,
        source_nodes=frozenset({repartition.name}),
    )


def join_streams(
    this: StreamBase,
    other: StreamBase,
    joiner: Joiner,
    windows: JoinWindows,
    joined: StreamJoined,
    *,
    is_left_outer: bool,
    is_right_outer: bool,
) -> Any:
    """Add a join of two streams and return its result, a stream."""
    name, is_named = joined.name, joined.name is not None
    this = repartitioned(
        this,
        this.name if name is None else f"{name}-left",
        joined.key_serde,
        joined.value_serde,
        is_given=is_named,
    )
    other = repartitioned(
        other,
        other.name if name is None else f"{name}-right",
        joined.key_serde,
        joined.other_value_serde,
        is_given=is_named,
    )
    sources = this.copartition_with(other)
    names = this.graph.names
    this_windowed_name = names.name_or_new(name, _WINDOWED, "-this-windowed")
    other_windowed_name = names.name_or_new(name, _WINDOWED, "-other-windowed")
    this_side = _Side(
        this,
        names.new_processor_name("KSTREAM-OUTERTHIS-" if is_right_outer else "KSTREAM-JOINTHIS-"),
        "-outer-this-join" if is_right_outer else "-this-join",
        joined.value_serde or this.value_serde,
        joined.this_store_supplier,
    )
    other_side = _Side(
        other,
        names.new_processor_name("KSTREAM-OUTEROTHER-" if is_left_outer else "KSTREAM-JOINOTHER-"),
        "-outer-other-join" if is_left_outer else "-other-join",
        joined.other_value_serde or other.value_serde,
        joined.other_store_supplier,
    )
    merge_name = names.name_or_new(name, _MERGE, "-merge")
    key_serde = joined.key_serde or this.key_serde or other.key_serde
    this_store = _window_store(this_side, windows, joined, key_serde, merge_name)
    other_store = _window_store(other_side, windows, joined, key_serde, merge_name)
    if this_store.name == other_store.name:
        raise TopologyError(f"{merge_name}: both store suppliers have the name {this_store.name!r}")
    outer_store = None
    if is_left_outer:
        outer_store = OuterJoinStoreBuilder(
            _outer_store_name(this_side, joined, is_right_outer),
            windows,
            key_serde,
            this_side.value_serde,
            other_side.value_serde,
            window_store_supplier=joined.this_store_supplier,
            store_type=joined.store_type,
            logging_enabled=joined.logging_enabled,
            log_config=joined.log_config,
        )
    outer_store_name = None if outer_store is None else outer_store.name
    this_supplier, other_supplier = joined.this_store_supplier, joined.other_store_supplier
    suppliers = {this_store: this_supplier, other_store: other_supplier, outer_store: this_supplier}
    _note_unnamed(suppliers, this, joined)
    for stream, store, windowed_name in (
        (this, this_store, this_windowed_name),
        (other, other_store, other_windowed_name),
    ):
        keep = ProcessorGraphNode(windowed_name, KStreamJoinWindowSupplier(store.name))
        this.graph.add(keep, stream.node)
    time_trackers = TimeTrackerSupplier()
    node = StreamStreamJoinNode(
        merge_name,
        this_windowed_name=this_windowed_name,
        other_windowed_name=other_windowed_name,
        this_name=this_side.name(name),
        other_name=other_side.name(name),
        this_supplier=KStreamKStreamJoinSupplier(
            True, other_store.name, windows, joiner, is_left_outer, outer_store_name, time_trackers
        ),
        other_supplier=KStreamKStreamJoinSupplier(
            False,
            this_store.name,
            windows,
            reverse_joiner(joiner),
            is_right_outer,
            outer_store_name,
            time_trackers,
        ),
        self_join_supplier=KStreamKStreamSelfJoinSupplier(this_store.name, windows, joiner),
        this_store=this_store,
        other_store=other_store,
        outer_store=outer_store,
    )
    node.relaxes_null_keys = is_left_outer or is_right_outer
    this.graph.add(node, this.node, other.node)
    return this.new_stream(node, key_serde, None, source_nodes=sources)


def _window_store(
    side: _Side,
    windows: JoinWindows,
    joined: StreamJoined,
    key_serde: Serde | None,
    node_name: str,
) -> JoinWindowStoreBuilder:
    supplier = side.supplier
    if supplier is not None:
        _check_supplier(supplier, windows, node_name)
        store_name = supplier.name
    elif joined.store_name is not None:
        store_name = f"{checked_name(joined.store_name)}{side.suffix}-store"
    else:
        store_name = f"{side.generated_name}-store"
    return JoinWindowStoreBuilder(
        store_name,
        windows,
        key_serde,
        side.value_serde,
        supplier=supplier,
        store_type=joined.store_type,
        logging_enabled=joined.logging_enabled,
        log_config=joined.log_config,
    )


def _check_supplier(supplier: Any, windows: JoinWindows, node_name: str) -> None:
    where = f"{node_name}: the store supplier {supplier.name!r}"
    if not supplier.retain_duplicates:
        raise TopologyError(
            f"{where} has to retain duplicates: two records of a key may have the same time"
        )
    retention_ms = windows.size_ms + windows.grace_ms
    if (supplier.retention_ms, supplier.window_size_ms) != (retention_ms, windows.size_ms):
        raise TopologyError(
            f"{where} keeps windows of {supplier.window_size_ms} ms for {supplier.retention_ms} "
            f"ms; {windows} needs {windows.size_ms} ms for {retention_ms} ms"
        )


def _outer_store_name(this_side: _Side, joined: StreamJoined, is_right_outer: bool) -> str:
    suffix = "-outer-shared-join" if is_right_outer else "-left-shared-join"
    if this_side.supplier is not None:
        name = f"{this_side.supplier.name}{suffix}"
    elif joined.store_name is not None:
        name = f"{joined.store_name}{suffix}"
    else:
        number = this_side.generated_name.rpartition("-")[2]
        name = f"KSTREAM-OUTERSHARED-{number}"
    return f"{name}-store"


def _note_unnamed(stores: dict[Any, Any], this: StreamBase, joined: StreamJoined) -> None:
    """Note the stores, each with the supplier that it has its name from, that have none."""
    if joined.store_name is not None:
        return
    for store, supplier in stores.items():
        if store is not None and supplier is None:
            this.graph.unnamed.add_store(store.name, is_logged=joined.logging_enabled)
