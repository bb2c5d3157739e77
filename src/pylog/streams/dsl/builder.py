"""StreamsBuilder, where a topology of streams and tables begins."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pylog.streams.config import StreamsConfig
from pylog.streams.config_values import SETTINGS
from pylog.streams.dsl.global_ktable import GlobalKTable
from pylog.streams.dsl.graph import Kinds, StreamsGraph
from pylog.streams.dsl.graph_nodes import (
    Consumed,
    GlobalStoreNode,
    StateStoreNode,
    StreamSourceNode,
    TableSourceNode,
)
from pylog.streams.dsl.graph_optimizer import rewrites_for
from pylog.streams.dsl.kstream import KStream
from pylog.streams.dsl.ktable import KTable
from pylog.streams.dsl.materialized import Materialized, check_serde
from pylog.streams.dsl.store_factories import TableStoreBuilder
from pylog.streams.errors import TopologyError
from pylog.streams.functions import check_supplier
from pylog.streams.processors.table_source import KTableSourceSupplier
from pylog.streams.serde import Serde
from pylog.streams.topology import Topology

OPTIMIZATION = "topology.optimization"
EXPLICIT_NAMING = "ensure.explicit.internal.resource.naming"

_STREAM_SOURCE = "KSTREAM-SOURCE-"
_TABLE_SOURCE = "KTABLE-SOURCE-"


class StreamsBuilder:
    """Builds a topology from streams, tables and what is done with them.

    >>> from pylog.streams import serdes
    >>> builder = StreamsBuilder()
    >>> (builder.stream("input-stream", key_serde=serdes.string, value_serde=serdes.string)
    ...         .group_by(lambda key, value: value)
    ...         .count()
    ...         .to_stream()
    ...         .to("counts", value_serde=serdes.long))
    >>> topology = builder.build()
    """

    def __init__(self) -> None:
        self._graph = StreamsGraph(Kinds(KStream, KTable))

    def stream(
        self,
        topics: str | Iterable[str] | re.Pattern[str],
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        timestamp_extractor: Any = None,
        auto_offset_reset: str | None = None,
        name: str | None = None,
    ) -> KStream:
        """Read topics as one stream.

        There is no order between records of different partitions. Several topics need not have
        equal numbers of partitions until the stream is joined. Reading the same topics twice
        shares one source, with the serdes of the first.

        Args:
            topics: a topic's name, several, or a compiled pattern: of topics whose whole name
                matches, those made later too.
            key_serde: of keys, `default.key.serde` if not given.
            value_serde: of values, `default.value.serde` if not given.
            timestamp_extractor: called with the record and the partition's time, gives the
                record's time; `default.timestamp.extractor` if not given.
            auto_offset_reset: where to begin without committed offsets: "earliest", "latest",
                "none", or a duration such as "10m" for that long ago.
            name: of the source.

        Raises:
            TopologyError: there are no topics, or one has no name.
        """
        self._graph.check_open()
        pattern = topics if isinstance(topics, re.Pattern) else None
        names = [] if isinstance(topics, re.Pattern) else _topic_names(topics)
        consumed = _consumed(
            "stream", key_serde, value_serde, timestamp_extractor, auto_offset_reset
        )
        source_name = self._graph.names.name_or_new(name, _STREAM_SOURCE)
        node = StreamSourceNode(source_name, names, pattern, consumed)
        self._graph.add_source(node)
        return KStream(
            source_name, key_serde, value_serde, frozenset({source_name}), node, self._graph
        )

    def table(
        self,
        topic: str,
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        timestamp_extractor: Any = None,
        auto_offset_reset: str | None = None,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> KTable:
        """Read a topic as a table: the last record of each key is its value, None deletes it.

        A record without a key is dropped and counted as "null key". A record that is older than
        the one before it is applied all the same; in a versioned store it takes its place in
        history. The table is kept in a store if it has a name, or if something downstream looks
        it up.

        Args:
            topic: its name; a compacted topic, as a rule.
            key_serde: of keys, in the topic and the store.
            value_serde: of values, likewise.
            timestamp_extractor: see `stream`.
            auto_offset_reset: see `stream`.
            name: of the table's step; that of its source has "-source" behind it.
            materialized: name and kind of the store; serdes if they are not given here.
        """
        return self._table(
            topic,
            materialized,
            _consumed("table", key_serde, value_serde, timestamp_extractor, auto_offset_reset),
            name,
        )

    def global_table(
        self,
        topic: str,
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        timestamp_extractor: Any = None,
        name: str | None = None,
        materialized: Materialized | None = None,
    ) -> GlobalKTable:
        """Read all partitions of a topic into a table that each instance of the application has.

        It is complete, as of then, before the application's first record. It has no changelog but
        its topic.

        Args:
            topic: its name.
            key_serde: of keys, in the topic and the store.
            value_serde: of values, likewise.
            timestamp_extractor: see `stream`.
            name: of the table's step; that of its source has "-source" behind it.
            materialized: name and kind of the store.

        Raises:
            TopologyError: the store is versioned.
        """
        graph = self._graph
        graph.check_open()
        chosen = _checked_materialized("global_table", materialized)
        if chosen.is_versioned:
            raise TopologyError(
                f"global_table of {topic!r}: the store of a global table cannot be versioned"
            )
        _check_topic("global_table", topic)
        consumed = _consumed("global_table", key_serde, value_serde, timestamp_extractor, None)
        consumed, chosen = _shared_serdes(consumed, chosen.with_logging_disabled())
        store_name = self._store_name(topic, chosen)
        source_name = graph.names.name_or_new(name, _STREAM_SOURCE, "-source")
        node_name = graph.names.name_or_new(name, _TABLE_SOURCE)
        store = TableStoreBuilder(chosen, store_name, chosen.key_serde, chosen.value_serde)
        supplier = KTableSourceSupplier(store_name, store_name)
        node = TableSourceNode(
            node_name, source_name, topic, consumed, supplier, store, is_global=True
        )
        graph.add_source(node)
        return GlobalKTable(node_name, store_name, chosen.store_name, graph)

    def add_state_store(self, store_builder: Any) -> "StreamsBuilder":
        """Add a store for processors: those that name it in `stores` share it.

        Args:
            store_builder: made by `pylog.streams.state.stores`.
        """
        self._graph.check_open()
        self._graph.add_source(StateStoreNode(_checked_builder("add_state_store", store_builder)))
        return self

    def add_global_store(
        self,
        store_builder: Any,
        topic: str,
        supplier: Callable[[], Any],
        *,
        key_serde: Serde | None = None,
        value_serde: Serde | None = None,
        timestamp_extractor: Any = None,
        name: str | None = None,
    ) -> "StreamsBuilder":
        """Add a store that a processor fills from all partitions of a topic, in each instance.

        All processors can read it, without naming it in `stores`. It has no changelog but its
        topic: at a start, all records go through the processor again.

        Args:
            store_builder: made by `pylog.streams.state.stores`; its logging is disabled.
            topic: its name.
            supplier: makes the processor that puts records into the store.
            key_serde: of the topic's keys.
            value_serde: of the topic's values.
            timestamp_extractor: see `stream`.
            name: of the processor; that of its source has "-source" behind it.
        """
        graph = self._graph
        graph.check_open()
        store = _checked_builder("add_global_store", store_builder)
        _check_topic("add_global_store", topic)
        check_supplier(supplier, f"add_global_store {store.name!r}")
        consumed = _consumed("add_global_store", key_serde, value_serde, timestamp_extractor, None)
        source_name = graph.names.name_or_new(name, _STREAM_SOURCE, "-source")
        node_name = graph.names.name_or_new(name, _TABLE_SOURCE)
        store.with_logging_disabled()
        graph.add_source(GlobalStoreNode(store, source_name, topic, consumed, node_name, supplier))
        return self

    def build(self, config: Mapping[str, Any] | None = None) -> Topology:
        """Make the topology. Nothing can be added afterwards.

        Args:
            config: the application's: `topology.optimization` and
                `ensure.explicit.internal.resource.naming` count here.

        Raises:
            StreamsConfigError: `topology.optimization` is wrong.
            TopologyError: names or topics clash, a store is not there, or names are missing.
        """
        optimizations = _setting(config, OPTIMIZATION)
        names_are_required = _setting(config, EXPLICIT_NAMING)
        rewrites = rewrites_for(optimizations)
        if names_are_required:
            rewrites.append(_check_names)
        topology = self._graph.build(rewrites)
        if not topology.built_with:
            topology.built_with = {OPTIMIZATION: optimizations, EXPLICIT_NAMING: names_are_required}
        return topology

    def _table(
        self, topic: str, materialized: Materialized | None, consumed: Consumed, name: str | None
    ) -> KTable:
        graph = self._graph
        graph.check_open()
        chosen = _checked_materialized("table", materialized)
        _check_topic("table", topic)
        consumed, chosen = _shared_serdes(consumed, chosen)
        store_name = self._store_name(topic, chosen)
        source_name = graph.names.name_or_new(name, _STREAM_SOURCE, "-source")
        node_name = graph.names.name_or_new(name, _TABLE_SOURCE)
        store = TableStoreBuilder(chosen, store_name, chosen.key_serde, chosen.value_serde)
        supplier = KTableSourceSupplier(store_name, chosen.store_name)
        node = TableSourceNode(node_name, source_name, topic, consumed, supplier, store)
        node.is_output_versioned = chosen.is_versioned
        graph.add_source(node)
        return KTable(
            node_name,
            chosen.key_serde,
            chosen.value_serde,
            frozenset({source_name}),
            node,
            graph,
            supplier=supplier,
            queryable_store_name=chosen.store_name,
        )

    def _store_name(self, topic: str, materialized: Materialized) -> str:
        if materialized.store_name is not None:
            return materialized.store_name
        name = self._graph.names.new_store_name(f"{topic}-")
        self._graph.unnamed.add_store(name, is_logged=materialized.logging_enabled)
        return name


def _setting(config: Mapping[str, Any] | None, name: str) -> Any:
    """One setting, typed, whether or not the whole configuration is complete."""
    if isinstance(config, StreamsConfig):
        return config[name]
    setting = SETTINGS[name]
    return setting.default if config is None or name not in config else setting.parse(config[name])


def _check_names(graph: StreamsGraph) -> None:
    """Refuse names that a change of the program would change.

    Raises:
        TopologyError: lists them.
    """
    missing = graph.unnamed.describe()
    if missing:
        raise TopologyError(f"{EXPLICIT_NAMING} is set, and names are missing:\n{missing}")


def _topic_names(topics: str | Iterable[str]) -> list[str]:
    if not isinstance(topics, Iterable):
        raise TypeError(f"stream: topics are a name or several, not {topics!r}")
    names = [topics] if isinstance(topics, str) else list(topics)
    if not names:
        raise TopologyError("stream: at least one topic is needed")
    for topic in names:
        _check_topic("stream", topic)
    return list(dict.fromkeys(names))


def _check_topic(operator: str, topic: str) -> None:
    if not isinstance(topic, str):
        raise TypeError(f"{operator}: a topic's name is text, not {topic!r}")
    if not topic:
        raise TopologyError(f"{operator}: a topic's name is not empty")


def _consumed(
    operator: str,
    key_serde: Serde | None,
    value_serde: Serde | None,
    timestamp_extractor: Any,
    auto_offset_reset: str | None,
) -> Consumed:
    check_serde(key_serde, f"{operator}: key_serde")
    check_serde(value_serde, f"{operator}: value_serde")
    return Consumed(key_serde, value_serde, timestamp_extractor, auto_offset_reset)


def _shared_serdes(consumed: Consumed, materialized: Materialized) -> tuple[Consumed, Materialized]:
    """A table's topic and store have the same serdes, given here or there."""
    key_serde = consumed.key_serde or materialized.key_serde
    value_serde = consumed.value_serde or materialized.value_serde
    return (
        Consumed(key_serde, value_serde, consumed.timestamp_extractor, consumed.auto_offset_reset),
        materialized.with_key_serde(key_serde).with_value_serde(value_serde),
    )


def _checked_materialized(operator: str, materialized: Materialized | None) -> Materialized:
    if materialized is not None and not isinstance(materialized, Materialized):
        raise TypeError(
            f"{operator}: materialized is Materialized.as_(name) or another Materialized, "
            f"not {materialized!r}"
        )
    return materialized or Materialized()


def _checked_builder(operator: str, store_builder: Any) -> Any:
    if not hasattr(store_builder, "build") or not hasattr(store_builder, "name"):
        raise TypeError(f"{operator}: a StoreBuilder is needed, not {store_builder!r}")
    return store_builder
