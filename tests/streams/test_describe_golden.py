"""describe() gives Kafka Streams' text, to the byte."""

from typing import Any

import pytest
from tests.streams import topology_scripts

SCRIPTS = topology_scripts.topologies("describe")


@pytest.mark.parametrize("name", SCRIPTS)
def test_description_is_that_of_kafka_streams(name: str) -> None:
    script: dict[str, Any] = SCRIPTS[name]
    expected = (topology_scripts.GOLDEN / "describe" / f"{name}.txt").read_text()
    assert str(topology_scripts.build(script).describe()) == expected
