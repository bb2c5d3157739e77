"""Which topics need equal numbers of partitions: Kafka Streams' answer, and two better ones.

Cases of tests/golden/streams/internal-topics.jsonl.
"""

import json
from typing import Any

import pytest
from tests.streams import topology_scripts
from tests.streams.dsl.shapes import STRINGS, append, both, nothing

from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.subtopologies import copartition_groups
from pylog.streams.suppressed import BufferConfig, Suppressed
from pylog.streams.topology import Topology

LINES = (topology_scripts.GOLDEN / "internal-topics.jsonl").read_text().splitlines()
CASES = [json.loads(line) for line in LINES]
SCRIPTS = topology_scripts.topologies("describe")
# Kafka Streams asks it of the streams before their repartition, and not of the topics after it.
OURS = {
    "cogroup-named": [["app-left-by-repartition", "app-right-by-repartition"]],
    "cogroup-repartitioned": [
        ["app-COGROUPKSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition", "right"]
    ],
}


def groups(topology: Topology) -> list[list[str]]:
    return sorted(sorted(group) for group in copartition_groups(topology, "app"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_topics_that_are_joined_or_cogrouped_need_as_many_partitions(case: dict[str, Any]):
    topology = topology_scripts.build(SCRIPTS[case["name"]])
    expected = OURS.get(case["name"], case["copartition_groups"])
    # A topic alone agrees with itself.
    found = [group for group in groups(topology) if len(group) > 1]
    assert found == sorted(group for group in expected if len(group) > 1)


def test_a_suppressed_table_is_joined_by_the_topics_that_it_comes_from():
    builder = StreamsBuilder()
    held = builder.table("table").suppress(
        Suppressed.until_time_limit("1m", BufferConfig.unbounded())
    )
    builder.table("other").join(held, both)
    assert groups(builder.build()) == [["other", "table"]]


def test_a_cogrouped_table_is_joined_by_the_topics_that_it_comes_from():
    builder = StreamsBuilder()
    first = builder.stream("first", **STRINGS).group_by_key()
    second = builder.stream("second", **STRINGS).group_by(append_key, name="by-value")
    table = first.cogroup(append).cogroup(second, append).aggregate(nothing)
    builder.stream("third").join(table, both)
    assert groups(builder.build()) == [["app-by-value-repartition", "first", "third"]]


def append_key(key: Any, value: Any) -> Any:
    return f"{key}{value}"
