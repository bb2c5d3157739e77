"""Topology: sources, processors, sinks and stores, and how they hang together.

    Topology              what the program, or the DSL, adds
    topology_nodes        what it says of each node
    subtopologies         the parts that run as tasks, and their topics
    processor_topology    a part built: live nodes and stores
    topology_description  the text of describe()

A node is added after its parents, so the order of adding is a topological one. Nodes that are
connected, by edges or by a store they share, form a subtopology; topics cut it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from pylog.streams import processor_topology, subtopologies, topology_description
from pylog.streams.errors import StreamsConfigError, TopologyError
from pylog.streams.node import Node, TaskContext
from pylog.streams.topology_nodes import (
    Definition,
    Groups,
    InternalTopic,
    ProcessorDefinition,
    SinkDefinition,
    SourceDefinition,
    TopicExtractor,
)

RESETS = ("earliest", "latest", "none")


class Topology:
    """A graph of processing steps, built by hand with the methods below or by StreamsBuilder.

    Every name, of a node or of a store, is used once. All methods raise TopologyError when what
    they add does not fit what is there.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self.stores: dict[str, Any] = {}
        self.global_stores: dict[str, Any] = {}
        self.groups = Groups()
        self.internal_topics: dict[str, InternalTopic] = {}
        self.copartitioned_sources: list[frozenset[str]] = []
        self.source_changelogs: dict[str, str] = {}
        self.global_sources: dict[str, str] = {}  # by source: its store
        self.stores_restored_by_processor: set[str] = set()
        self.built_with: dict[str, Any] = {}  # settings that StreamsBuilder.build was given
        self._store_users: dict[str, str] = {}

    def add_source(
        self,
        name: str,
        *topics: str,
        pattern: str | re.Pattern[str] | None = None,
        key_serde: Any = None,
        value_serde: Any = None,
        timestamp_extractor: Any = None,
        auto_offset_reset: str | None = None,
    ) -> Self:
        """Add a node that reads topics.

        Args:
            name: of the node.
            *topics: their names; none with `pattern`.
            pattern: read every topic whose whole name it matches, also those made later.
            key_serde: None takes `default.key.serde`.
            value_serde: None takes `default.value.serde`.
            timestamp_extractor: None takes `default.timestamp.extractor`.
            auto_offset_reset: "earliest", "latest", "none" or a duration such as "1h": where to
                start without a committed offset; None takes the consumer's.
        """
        self._check_new(name)
        if (pattern is None) == (not topics):
            raise TopologyError(f"source {name!r} reads either topics or a pattern")
        compiled = re.compile(pattern) if pattern is not None else None
        if compiled is not None:
            self._check_pattern(name, compiled)
        for topic in topics:
            self._check_topic(topic)
        if len(set(topics)) < len(topics):
            raise TopologyError(f"source {name!r} names a topic twice: {', '.join(topics)}")
        self.definitions[name] = SourceDefinition(
            name, topics, compiled, key_serde, value_serde, timestamp_extractor, auto_offset_reset
        )
        self.groups.add(name)
        return self

    def add_processor(
        self,
        name: str,
        supplier: Callable[[], Any],
        *parents: str,
        is_fixed_key: bool = False,
    ) -> Self:
        """Add a node that runs a processor.

        Args:
            name: of the node.
            supplier: makes the processor of each task: an object with `process(record)` and, if
                it likes, `init(context)` and `close()`. A class will do. StoreBuilders in its
                attribute `stores` are added and connected.
            *parents: names of the nodes whose records it takes.
            is_fixed_key: it takes FixedKeyRecord, and cannot change keys.
        """
        self._check_parents(name, parents)
        _check_supplier(name, supplier)
        self.definitions[name] = ProcessorDefinition(name, parents, supplier, is_fixed_key)
        self._join(name, parents)
        stores = getattr(supplier, "stores", None)
        for builder in (stores() if callable(stores) else stores) or ():
            self.add_state_store(builder, name)
        return self

    def add_sink(
        self,
        name: str,
        topic: str | TopicExtractor,
        *parents: str,
        key_serde: Any = None,
        value_serde: Any = None,
        partitioner: Any = None,
    ) -> Self:
        """Add a node that writes to a topic.

        Args:
            name: of the node.
            topic: its name, or a function of key, value and RecordContext that returns it.
            *parents: names of the nodes whose records it takes.
            key_serde: None takes `default.key.serde`.
            value_serde: None takes `default.value.serde`.
            partitioner: called with topic, key, value and the number of partitions; returns a
                partition, several to write to each of them, none to drop the record, or None to
                let the key decide.
        """
        self._check_parents(name, parents)
        self.definitions[name] = SinkDefinition(
            name, parents, topic, key_serde, value_serde, partitioner
        )
        self._join(name, parents)
        return self

    def add_state_store(self, builder: Any, *processor_names: str) -> Self:
        """Add a store, and connect processors to it.

        Args:
            builder: StoreBuilder.
            *processor_names: see connect_processor_and_state_stores.
        """
        name = builder.name
        if self.stores.get(name, builder) is not builder or name in self.global_stores:
            raise TopologyError(f"another store has the name {name!r} already")
        self.stores[name] = builder
        for processor in processor_names:
            self.connect_processor_and_state_stores(processor, name)
        return self

    def connect_processor_and_state_stores(self, processor_name: str, *store_names: str) -> Self:
        """Give a processor access to stores; processors that share one run in the same task."""
        if not store_names:
            raise TopologyError(f"no store was named to connect {processor_name!r} to")
        for store in store_names:
            self._connect(processor_name, store)
        return self

    def add_global_store(
        self,
        builder: Any,
        source_name: str,
        topic: str,
        processor_name: str,
        supplier: Callable[[], Any],
        *,
        key_serde: Any = None,
        value_serde: Any = None,
        timestamp_extractor: Any = None,
        is_restored_by_processor: bool = True,
    ) -> Self:
        """Add a store that every instance keeps whole, and every processor may read.

        Args:
            builder: StoreBuilder, with logging disabled: the topic is its changelog.
            source_name: of the node that reads the topic.
            topic: what the store is filled from, all partitions.
            processor_name: of the node that fills the store.
            supplier: makes that processor.
            key_serde: of the topic.
            value_serde: of the topic.
            timestamp_extractor: None takes `default.timestamp.extractor`.
            is_restored_by_processor: at a start records go through the processor; else straight
                into the store, which is right when key and value are stored as they come.
        """
        store = builder.name
        self._check_new(source_name)
        self._check_new(processor_name)
        if source_name == processor_name:
            raise TopologyError(f"source and processor are two nodes: {source_name!r}")
        if store in self.stores or store in self.global_stores:
            raise TopologyError(f"another store has the name {store!r} already")
        if builder.logging_enabled:
            raise TopologyError(
                f"global store {store!r} has its topic for a changelog: disable its logging"
            )
        _check_supplier(processor_name, supplier)
        self._check_topic(topic)
        self.definitions[source_name] = SourceDefinition(
            source_name, (topic,), None, key_serde, value_serde, timestamp_extractor, "earliest"
        )
        self.definitions[processor_name] = ProcessorDefinition(
            processor_name, (source_name,), supplier, False, {store: None}
        )
        self.groups.add(source_name)
        self._join(processor_name, (source_name,))
        self.global_sources[source_name] = store
        if is_restored_by_processor:
            self.stores_restored_by_processor.add(store)
        self.global_stores[store] = builder
        self.connect_source_store_and_topic(store, topic)
        return self

    def add_read_only_state_store(
        self,
        builder: Any,
        source_name: str,
        topic: str,
        processor_name: str,
        supplier: Callable[[], Any],
        *,
        key_serde: Any = None,
        value_serde: Any = None,
        timestamp_extractor: Any = None,
    ) -> Self:
        """Add a store that is filled from a topic, which is its changelog too.

        Args:
            builder: StoreBuilder; its logging is disabled.
            source_name: of the node that reads the topic.
            topic: a compacted one, best.
            processor_name: of the node that fills the store.
            supplier: makes that processor.
            key_serde: of the topic.
            value_serde: of the topic.
            timestamp_extractor: None takes `default.timestamp.extractor`.
        """
        builder.with_logging_disabled()
        self.add_source(
            source_name,
            topic,
            key_serde=key_serde,
            value_serde=value_serde,
            timestamp_extractor=timestamp_extractor,
            auto_offset_reset="earliest",
        )
        self.add_processor(processor_name, supplier, source_name)
        self.add_state_store(builder, processor_name)
        self.connect_source_store_and_topic(builder.name, topic)
        return self

    def describe(self) -> topology_description.TopologyDescription:
        """Return what the topology looks like; its str is Kafka Streams' text."""
        return topology_description.describe(self)

    # For the DSL.

    def add_internal_topic(self, name: str, partition_count: int | None = None) -> None:
        """A topic that the application makes: its real name begins with the application's id."""
        self.internal_topics[name] = InternalTopic(name, partition_count)

    def copartition_sources(self, source_names: Iterable[str]) -> None:
        """The topics of these sources must have as many partitions each."""
        self.copartitioned_sources.append(frozenset(source_names))
        subtopologies.check_copartitioning(self)

    def connect_source_store_and_topic(self, store_name: str, topic: str) -> None:
        """The store is restored from this topic; it has no changelog of its own."""
        if store_name in self.source_changelogs:
            raise TopologyError(f"store {store_name!r} has a source topic already")
        self.source_changelogs[store_name] = topic

    # For the runtime.

    def check_settings(self, config: Mapping[str, Any]) -> None:
        """Refuse settings that come too late, after StreamsBuilder.build.

        Raises:
            StreamsConfigError: one was set, and the topology was built with another.
        """
        for name, built_with in self.built_with.items():
            if name in config and config[name] != built_with:
                raise StreamsConfigError(
                    f"{name} had to be known when the topology was built: "
                    "give the configuration to StreamsBuilder.build, too"
                )

    def topic_name(self, topic: str, application_id: str) -> str:
        """Return a topic's real name."""
        return f"{application_id}-{topic}" if topic in self.internal_topics else topic

    def changelog_topic(self, store_name: str, application_id: str) -> str | None:
        """Return the real name of the topic that a store is restored from, or None."""
        if store_name in self.source_changelogs:
            return self.topic_name(self.source_changelogs[store_name], application_id)
        builder = self.stores.get(store_name)
        if builder is None or not builder.logging_enabled:
            return None
        return f"{application_id}-{store_name}-changelog"

    def source(self, name: str) -> SourceDefinition:
        """Return the source of this name."""
        definition = self.definitions.get(name)
        if not isinstance(definition, SourceDefinition):
            raise TopologyError(f"there is no source {name!r}")
        return definition

    def auto_offset_reset(self, topic: str, application_id: str) -> str | None:
        """Return where the source of a topic (its real name) starts; None: as the consumer says."""
        for definition in self.definitions.values():
            if isinstance(definition, SourceDefinition):
                names = (self.topic_name(each, application_id) for each in definition.topics)
                if topic in names or (definition.pattern and definition.pattern.fullmatch(topic)):
                    return definition.auto_offset_reset
        return None

    def subtopologies(
        self, application_id: str, existing_topics: Iterable[str] = ()
    ) -> list[subtopologies.Subtopology]:
        """Return the parts that have tasks; see the module subtopologies."""
        return subtopologies.subtopologies(self, application_id, existing_topics)

    @property
    def source_patterns(self) -> dict[str, re.Pattern[str]]:
        """By the name of each source that reads by a pattern: the pattern."""
        return {
            definition.name: definition.pattern
            for definition in self.definitions.values()
            if isinstance(definition, SourceDefinition) and definition.pattern is not None
        }

    @property
    def global_topics(self) -> list[str]:
        """The topics that fill global stores."""
        return [self.source(name).topics[0] for name in self.global_sources]

    def build(
        self, subtopology_id: int | None, context: TaskContext, existing_topics: Iterable[str] = ()
    ) -> processor_topology.ProcessorTopology:
        """Make the nodes and stores of a subtopology for one task; of all of them for None."""
        groups = subtopologies.node_groups(self)
        if subtopology_id is None:
            wanted = [group for group in groups if not subtopologies.is_global(self, group)]
        else:
            wanted = [groups[subtopology_id]]
        return processor_topology.build(
            self, {name for group in wanted for name in group}, context, tuple(existing_topics)
        )

    def build_global(self, context: TaskContext) -> processor_topology.ProcessorTopology:
        """Make the nodes and stores of all global stores."""
        groups = subtopologies.node_groups(self)
        wanted = {
            name for group in groups if subtopologies.is_global(self, group) for name in group
        }
        return processor_topology.build(self, wanted, context, ())

    def _check_new(self, name: str) -> None:
        if not name or not isinstance(name, str):
            raise TopologyError(f"a node's name is a text: {name!r}")
        if name in self.definitions:
            raise TopologyError(f"there is a node {name!r} already")

    def _check_parents(self, name: str, parents: tuple[str, ...]) -> None:
        self._check_new(name)
        if not parents:
            raise TopologyError(f"{name!r} has no parent: name the nodes whose records it takes")
        for parent in parents:
            if parent == name:
                raise TopologyError(f"{name!r} cannot be its own parent")
            if parent not in self.definitions:
                raise TopologyError(f"parent {parent!r} of {name!r} is not there; add it before")
            if isinstance(self.definitions[parent], SinkDefinition):
                raise TopologyError(f"sink {parent!r} cannot be the parent of {name!r}")

    def _check_topic(self, topic: str) -> None:
        for definition in self.definitions.values():
            if isinstance(definition, SourceDefinition):
                if topic in definition.topics:
                    raise TopologyError(f"source {definition.name!r} reads topic {topic!r} already")
                if definition.pattern is not None and definition.pattern.fullmatch(topic):
                    raise TopologyError(
                        f"topic {topic!r} fits the pattern of source {definition.name!r}"
                    )

    def _check_pattern(self, name: str, pattern: re.Pattern[str]) -> None:
        for definition in self.definitions.values():
            if isinstance(definition, SourceDefinition):
                for topic in definition.topics:
                    if pattern.fullmatch(topic):
                        raise TopologyError(
                            f"the pattern of source {name!r} fits topic {topic!r}, which source "
                            f"{definition.name!r} reads"
                        )

    def _join(self, name: str, parents: tuple[str, ...]) -> None:
        self.groups.add(name)
        for parent in parents:
            self.groups.unite(name, parent)

    def _connect(self, processor_name: str, store_name: str) -> None:
        if store_name in self.global_stores:
            raise TopologyError(
                f"global store {store_name!r} is there for every processor; it is not connected"
            )
        if store_name not in self.stores:
            raise TopologyError(f"there is no store {store_name!r}; add it before")
        definition = self.definitions.get(processor_name)
        if definition is None:
            raise TopologyError(f"there is no processor {processor_name!r}; add it before")
        if not isinstance(definition, ProcessorDefinition):
            raise TopologyError(
                f"{processor_name!r} is a source or a sink: no store can be connected to it"
            )
        definition.store_names[store_name] = None
        self.groups.unite(self._store_users.setdefault(store_name, processor_name), processor_name)


def _check_supplier(name: str, supplier: Callable[[], Any]) -> None:
    if not callable(supplier):
        raise TopologyError(f"the supplier of {name!r} is to be called, and cannot: {supplier!r}")
    if not isinstance(supplier, type):
        first = supplier()
        if first is supplier() or not (isinstance(first, Node) or hasattr(first, "process")):
            raise TopologyError(
                f"the supplier of {name!r} must make a new processor at each call, not {first!r}"
            )


def check_topology(topology: object, config: Mapping[str, Any]) -> None:
    """Refuse what cannot be run, and settings that come too late: see check_settings.

    Raises:
        TypeError: it is no topology.
        StreamsConfigError: a setting was to be known when it was built.
        TopologyError: it reads nothing.
    """
    if not isinstance(topology, Topology):
        hint = "; call its build()" if hasattr(topology, "build") else ""
        raise TypeError(f"the topology is a Topology, not of type {type(topology).__name__}{hint}")
    topology.check_settings(config)
    if not topology.definitions and not topology.global_stores:
        raise TopologyError(
            "the topology is empty: it reads no topic, neither by tasks nor in a global store"
        )
