"""Steps of the graph that are one node of the topology: sources, processors, sinks, stores."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pylog.streams.dsl.graph_node import GraphNode
from pylog.streams.errors import TopologyError
from pylog.streams.serde import Serde
from pylog.streams.topology import Topology

# Takes the topic, key, value and number of partitions; gives a partition, several, or None.
Partitioner = Callable[[str, Any, Any, int], Any]
OF_PARTITIONER = ("topic", "key", "value", "number_of_partitions")


@dataclass(frozen=True, slots=True)
class Consumed:
    """How a source reads: what `stream`, `table` and `global_table` were told.

    Attributes:
        key_serde: of keys, None for `default.key.serde`.
        value_serde: of values, None for `default.value.serde`.
        timestamp_extractor: gives a record its time, None for `default.timestamp.extractor`.
        auto_offset_reset: "earliest", "latest" or "none" for a source without committed offsets,
            or a duration such as "10m" for that long ago; None for the consumer's.
    """

    key_serde: Serde | None = None
    value_serde: Serde | None = None
    timestamp_extractor: Any = None
    auto_offset_reset: str | None = None


class StreamSourceNode(GraphNode):
    """The source of a stream: topics, or a pattern of their names."""

    def __init__(
        self, name: str, topics: Sequence[str], pattern: re.Pattern[str] | None, consumed: Consumed
    ):
        super().__init__(name)
        self.topics = tuple(topics)
        self.pattern = pattern
        self.consumed = consumed

    def merge(self, other: "StreamSourceNode") -> None:
        """Take over the children of a source of the same topics.

        Raises:
            TopologyError: the two begin at different places.
        """
        if self.consumed.auto_offset_reset != other.consumed.auto_offset_reset:
            raise TopologyError(
                f"{self.name} and {other.name} read {self.subject} with different "
                f"auto_offset_reset: {self.consumed.auto_offset_reset!r} and "
                f"{other.consumed.auto_offset_reset!r}"
            )
        for child in other.children:
            other.remove_child(child)
            self.add_child(child)

    @property
    def subject(self) -> str:
        """What is read, for an error."""
        return repr(self.pattern.pattern) if self.pattern else ", ".join(map(repr, self.topics))

    def write_to(self, topology: Topology) -> None:
        """Add the source."""
        add_source(topology, self.name, self.topics, self.pattern, self.consumed)


def add_source(
    topology: Topology,
    name: str,
    topics: Sequence[str],
    pattern: re.Pattern[str] | None,
    consumed: Consumed,
) -> None:
    """Add a source as it was told to read."""
    topology.add_source(
        name,
        *topics,
        pattern=pattern,
        key_serde=consumed.key_serde,
        value_serde=consumed.value_serde,
        timestamp_extractor=consumed.timestamp_extractor,
        auto_offset_reset=consumed.auto_offset_reset,
    )


class ProcessorGraphNode(GraphNode):
    """A processor, the stores that it adds, and those of others that it reads.

    Attributes:
        supplier: makes the processor.
        grace_ms: for how long after their end the windows that it makes take records; None for
            what makes no windows.
        is_suppress: it may not follow a versioned table.
    """

    def __init__(
        self,
        name: str,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[Any] = (),
        store_names: Sequence[str] = (),
        is_fixed_key: bool = False,
    ):
        super().__init__(name)
        self.supplier = supplier
        self.grace_ms: int | None = None
        self.is_suppress = False
        self._stores = list(stores)
        self._store_names = list(store_names)
        self._is_fixed_key = is_fixed_key

    def use_versioned_semantics(self, parent_name: str) -> None:
        """Tell the processors that handle versions in a way of their own."""
        tell = getattr(self.supplier, "set_use_versioned_semantics", None)
        if tell is not None:
            tell(True)

    def write_to(self, topology: Topology) -> None:
        """Add the processor and the stores that come with it."""
        topology.add_processor(
            self.name, self.supplier, *self.parent_names, is_fixed_key=self._is_fixed_key
        )
        for store in self.stores_to_add():
            topology.add_state_store(store, self.name)

    def connect_stores(self, topology: Topology) -> None:
        """Connect the processor to the stores that it was named.

        Raises:
            TopologyError: there is none of such a name.
        """
        for store_name in self._store_names:
            if store_name not in topology.stores:
                known = ", ".join(map(repr, topology.stores)) or "none"
                raise TopologyError(
                    f"{self.name}: there is no store {store_name!r} to connect to; there are: "
                    f"{known}"
                )
            topology.connect_processor_and_state_stores(self.name, store_name)

    def stores_to_add(self) -> Sequence[Any]:
        """Builders of the stores that come with the processor."""
        return self._stores


class TableProcessorNode(ProcessorGraphNode):
    """The processor that puts records into a table; its store is there if somebody needs it."""

    def stores_to_add(self) -> Sequence[Any]:
        """The table's store, if it was named or something downstream asked for it."""
        return self._stores if self.supplier.is_materialized else ()  # type: ignore[attr-defined]


class TableSourceNode(GraphNode):
    """A topic read into a table, of this task's partition or all of them.

    Attributes:
        reuses_source_topic: the store has no changelog topic but the source's own.
    """

    def __init__(
        self,
        name: str,
        source_name: str,
        topic: str,
        consumed: Consumed,
        supplier: Any,
        store: Any,
        *,
        is_global: bool = False,
    ):
        super().__init__(name)
        self.reuses_source_topic = False
        self.is_global = is_global
        self._source_name = source_name
        self._topic = topic
        self._consumed = consumed
        self._supplier = supplier
        self._store = store

    def write_to(self, topology: Topology) -> None:
        """Add the source, the processor and, if it is needed, the store."""
        consumed = self._consumed
        if self.is_global:
            topology.add_global_store(
                self._store,
                self._source_name,
                self._topic,
                self.name,
                self._supplier,
                key_serde=consumed.key_serde,
                value_serde=consumed.value_serde,
                timestamp_extractor=consumed.timestamp_extractor,
                is_restored_by_processor=False,
            )
            return
        add_source(topology, self._source_name, [self._topic], None, consumed)
        topology.add_processor(self.name, self._supplier, self._source_name)
        if self._supplier.is_materialized:
            if self.reuses_source_topic:
                self._store.with_logging_disabled()
            topology.add_state_store(self._store, self.name)
            if self.reuses_source_topic:
                topology.connect_source_store_and_topic(self._store.name, self._topic)


class SinkNode(GraphNode):
    """What writes records to a topic."""

    def __init__(
        self,
        name: str,
        topic: str | Callable[[Any, Any, Any], str],
        *,
        key_serde: Serde | None,
        value_serde: Serde | None,
        partitioner: Partitioner | None,
    ):
        super().__init__(name)
        self._topic = topic
        self._key_serde = key_serde
        self._value_serde = value_serde
        self._partitioner = partitioner

    def write_to(self, topology: Topology) -> None:
        """Add the sink."""
        topology.add_sink(
            self.name,
            self._topic,
            *self.parent_names,
            key_serde=self._key_serde,
            value_serde=self._value_serde,
            partitioner=self._partitioner,
        )


class StateStoreNode(GraphNode):
    """A store that is added by itself, for processors to connect to."""

    def __init__(self, store: Any):
        super().__init__(store.name)
        self._store = store

    def write_to(self, topology: Topology) -> None:
        """Add the store."""
        topology.add_state_store(self._store)


class GlobalStoreNode(GraphNode):
    """A store of all partitions of a topic, kept by a processor of the program."""

    def __init__(
        self,
        store: Any,
        source_name: str,
        topic: str,
        consumed: Consumed,
        processor_name: str,
        supplier: Callable[[], Any],
    ):
        super().__init__(store.name)
        self._store = store
        self._source_name = source_name
        self._topic = topic
        self._consumed = consumed
        self._processor_name = processor_name
        self._supplier = supplier

    def write_to(self, topology: Topology) -> None:
        """Add the store, its source and its processor."""
        consumed = self._consumed
        topology.add_global_store(
            self._store,
            self._source_name,
            self._topic,
            self._processor_name,
            self._supplier,
            key_serde=consumed.key_serde,
            value_serde=consumed.value_serde,
            timestamp_extractor=consumed.timestamp_extractor,
            is_restored_by_processor=True,
        )
