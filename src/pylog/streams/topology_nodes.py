"""What a topology says of each of its nodes, before any task builds them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

TopicExtractor: TypeAlias = Callable[[Any, Any, Any], str]


@dataclass
class SourceDefinition:
    """Reads topics: those named, or those that a pattern matches wholly."""

    name: str
    topics: tuple[str, ...]
    pattern: re.Pattern[str] | None
    key_serde: Any
    value_serde: Any
    timestamp_extractor: Any
    auto_offset_reset: str | None
    parents: tuple[str, ...] = ()

    def matching(self, topics: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the topics that the source reads, of those that exist."""
        if self.pattern is None:
            return self.topics
        return tuple(topic for topic in topics if self.pattern.fullmatch(topic))


@dataclass
class ProcessorDefinition:
    """Runs what the supplier makes; `store_names` is in the order in which they were connected."""

    name: str
    parents: tuple[str, ...]
    supplier: Callable[[], Any]
    is_fixed_key: bool
    store_names: dict[str, None] = field(default_factory=dict)


@dataclass
class SinkDefinition:
    """Writes to a topic, or to the one that a function of key, value and context names."""

    name: str
    parents: tuple[str, ...]
    topic: str | TopicExtractor
    key_serde: Any
    value_serde: Any
    partitioner: Any


Definition: TypeAlias = SourceDefinition | ProcessorDefinition | SinkDefinition


@dataclass(frozen=True)
class InternalTopic:
    """A repartition topic, as asked for; `partition_count` None: as many as needed."""

    name: str
    partition_count: int | None = None

    @property
    def is_enforced(self) -> bool:
        """Whether the count was asked for."""
        return self.partition_count is not None


class Groups:
    """Which nodes belong together: a union-find over names."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def add(self, name: str) -> None:
        """A new node, alone."""
        self._parents[name] = name

    def unite(self, name: str, other: str) -> None:
        """The groups of both become one."""
        root, other_root = self.root(name), self.root(other)
        if root != other_root:
            self._parents[root] = other_root

    def root(self, name: str) -> str:
        """Returns the name that stands for the node's group."""
        while (parent := self._parents[name]) != name:
            self._parents[name] = self._parents[parent]
            name = parent
        return name
