"""Subtopologies: what of a topology runs together in a task, and the topics that it touches."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pylog.streams.errors import TopologyError
from pylog.streams.topology_nodes import (
    InternalTopic,
    SinkDefinition,
    SourceDefinition,
)

if TYPE_CHECKING:
    from pylog.streams.topology import Topology


@dataclass
class Subtopology:
    """One connected part of a topology. Topics have their real names.

    Attributes:
        id: its number, upstream parts first.
        node_names: in the order in which they were added.
        source_topics: all topics that its tasks read, repartition topics too.
        source_patterns: those of sources that read by a pattern.
        repartition_source_topics: those of `source_topics` that the application makes.
        repartition_sink_topics: topics that it writes and the application makes.
        sink_topics: all topics that it writes, except those named by functions.
        store_names: of the stores connected to its processors.
        changelogs: the StoreBuilder behind each changelog topic; a source topic may be one.
        copartition_groups: source topics that must have as many partitions each.
    """

    id: int
    node_names: list[str]
    source_topics: set[str] = field(default_factory=set)
    source_patterns: list[str] = field(default_factory=list)
    repartition_source_topics: dict[str, InternalTopic] = field(default_factory=dict)
    repartition_sink_topics: set[str] = field(default_factory=set)
    sink_topics: set[str] = field(default_factory=set)
    store_names: list[str] = field(default_factory=list)
    changelogs: dict[str, Any] = field(default_factory=dict)
    copartition_groups: list[frozenset[str]] = field(default_factory=list)


def node_groups(topology: "Topology") -> list[list[str]]:
    """Returns the nodes of each group, groups and nodes in the order in which they were added."""
    groups: dict[str, list[str]] = {}
    for name in topology.definitions:
        groups.setdefault(topology.groups.root(name), []).append(name)
    return list(groups.values())


def is_global(topology: "Topology", names: Iterable[str]) -> bool:
    """Whether a group of nodes keeps a global store."""
    return any(name in topology.global_sources for name in names)


def subtopologies(
    topology: "Topology", application_id: str, existing_topics: Iterable[str] = ()
) -> list[Subtopology]:
    """Returns the subtopologies that have tasks: not those of global stores.

    Args:
        topology: it is complete.
        application_id: what the names of internal topics begin with.
        existing_topics: patterns match these.
    """
    existing = tuple(existing_topics)
    groups = copartition_groups(topology, application_id, existing)
    found = []
    for number, names in enumerate(node_groups(topology)):
        if not is_global(topology, names):
            part = _describe(topology, number, names, application_id, existing)
            part.copartition_groups = [group for group in groups if group & part.source_topics]
            found.append(part)
    return found


def _describe(
    topology: "Topology",
    number: int,
    names: list[str],
    application_id: str,
    existing: tuple[str, ...],
) -> Subtopology:
    part = Subtopology(number, names)
    for name in names:
        definition = topology.definitions[name]
        if isinstance(definition, SourceDefinition):
            _add_source(topology, part, definition, application_id, existing)
        elif isinstance(definition, SinkDefinition):
            if isinstance(definition.topic, str):
                real = topology.topic_name(definition.topic, application_id)
                part.sink_topics.add(real)
                if definition.topic in topology.internal_topics:
                    part.repartition_sink_topics.add(real)
        else:
            part.store_names += [s for s in definition.store_names if s not in part.store_names]
    for store in part.store_names:
        changelog = topology.changelog_topic(store, application_id)
        if changelog is not None:
            part.changelogs[changelog] = topology.stores[store]
    return part


def _add_source(
    topology: "Topology",
    part: Subtopology,
    definition: SourceDefinition,
    application_id: str,
    existing: tuple[str, ...],
) -> None:
    if definition.pattern is not None:
        part.source_patterns.append(definition.pattern.pattern)
    for topic in source_topics(topology, definition, existing):
        real = topology.topic_name(topic, application_id)
        part.source_topics.add(real)
        if topic in topology.internal_topics:
            wanted = topology.internal_topics[topic]
            part.repartition_source_topics[real] = InternalTopic(real, wanted.partition_count)


def source_topics(
    topology: "Topology", definition: SourceDefinition, existing: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns the topics of a source, without the application's prefix.

    Raises:
        TopologyError: a topic fits the patterns of two sources.
    """
    if definition.pattern is None:
        return definition.topics
    topics = definition.matching(existing)
    for other in topology.definitions.values():
        if isinstance(other, SourceDefinition) and other.pattern and other is not definition:
            for topic in topics:
                if other.pattern.fullmatch(topic):
                    raise TopologyError(
                        f"topic {topic!r} fits the patterns of two sources, "
                        f"{definition.name!r} and {other.name!r}"
                    )
    return topics


def copartition_groups(
    topology: "Topology", application_id: str, existing: tuple[str, ...] = ()
) -> list[frozenset[str]]:
    """Returns sets of topics, real names, whose partition counts must be the same."""
    found: list[set[str]] = []
    for sources in topology.copartitioned_sources:
        topics = {
            topology.topic_name(topic, application_id)
            for name in sources
            for topic in source_topics(topology, topology.source(name), existing)
        }
        apart = []
        for group in found:
            if group & topics:
                topics |= group
            else:
                apart.append(group)
        found = [*apart, topics]
    return [frozenset(group) for group in found if group]


def check_copartitioning(topology: "Topology") -> None:
    """Refuse repartition topics that must agree in their counts and were given different ones.

    Raises:
        TopologyError: names the topics and the counts.
    """
    for sources in topology.copartitioned_sources:
        topics = {topic for name in sources for topic in topology.source(name).topics}
        counts = {
            topic: topology.internal_topics[topic].partition_count
            for topic in sorted(topics)
            if topic in topology.internal_topics and topology.internal_topics[topic].is_enforced
        }
        if counts.keys() == topics and len(set(counts.values())) > 1:
            listed = ", ".join(f"{topic}={count}" for topic, count in counts.items())
            raise TopologyError(f"these topics must have as many partitions each: {listed}")
