"""describe() of topologies that were drawn at random is Kafka Streams' text, to the byte."""

import json
from typing import Any

import pytest
from tests.streams import topology_scripts

LINES = (topology_scripts.GOLDEN / "drawn.jsonl").read_text().splitlines()
DRAWN = [json.loads(line) for line in LINES]


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: drawn["name"])
def test_a_drawn_topology_is_described_as_by_kafka_streams(drawn: dict[str, Any]):
    assert str(topology_scripts.build(drawn).describe()) == drawn["text"]
