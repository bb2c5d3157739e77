"""What tests of the DSL look for in a topology."""

import re
from typing import Any

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.topology import Topology

STRINGS: dict[str, Any] = {"key_serde": serdes.string, "value_serde": serdes.string}


class Ignore:
    """A processor that does nothing."""

    def process(self, record: Any) -> None:
        pass


def pair(key: Any, value: Any) -> tuple[Any, Any]:
    return key, value


def always(key: Any, value: Any) -> bool:
    return True


def same(value: Any) -> Any:
    return value


def both(left: Any, right: Any) -> str:
    return f"{left}+{right}"


def nothing() -> str:
    return ""


def append(key: Any, value: Any, aggregate: Any) -> str:
    return f"{aggregate}{value}"


def node_names(topology: Topology) -> list[str]:
    return list(topology.definitions)


def store_names(topology: Topology) -> list[str]:
    return list(topology.stores)


def stores_of(topology: Topology, processor: str) -> set[str]:
    definition: Any = topology.definitions[processor]
    return set(definition.store_names)


def children_of(topology: Topology, name: str) -> set[str]:
    return {
        definition.name
        for definition in topology.definitions.values()
        if name in definition.parents
    }


def repartition_topics(topology: Topology) -> list[str]:
    return re.findall(r"Sink: .* \(topic: (\S*-repartition)\)", str(topology.describe()))


def last_node(builder: StreamsBuilder) -> str:
    return node_names(builder.build())[-1]
