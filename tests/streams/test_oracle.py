"""What Kafka Streams did with random inputs, step by step, is what these topologies do.

Inputs are out of order, with null keys, null values and tombstones. cases/streams-oracle.jsonl has
five seeds of 56 operators, tests/golden/streams/more-oracle.jsonl three seeds of 98 more
topologies. Both kinds of stores answer as RocksDB does.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.streams import topology_scripts

from pylog.streams import serdes
from pylog.streams.testing import TopologyTestDriver

CASES = Path(__file__).parent / "cases" / "streams-oracle.jsonl"
SCRIPTS = topology_scripts.topologies("oracle") | topology_scripts.topologies("more")


def read_cases() -> list[Any]:
    cases = []
    for path in (CASES, topology_scripts.GOLDEN / "more-oracle.jsonl"):
        with path.open() as file:
            for line in file:
                case = json.loads(line)
                cases.append(pytest.param(case, id=f"{case['op']}-seed{case['seed']}"))
    return cases


@pytest.mark.parametrize("store", ["in_memory", "rocksDB"])
@pytest.mark.parametrize("case", read_cases())
def test_each_step_emits_what_kafka_streams_did(
    case: dict[str, Any], store: str, tmp_path: Path
) -> None:
    script = SCRIPTS[case["op"]]
    config = topology_scripts.config_of(
        script, **{"default.dsl.store": store, "state.dir": str(tmp_path)}
    )
    topology = topology_scripts.build(script, config)
    with TopologyTestDriver(topology, config, initial_wall_clock_time_ms=0) as driver:
        inputs = {
            name: driver.create_input_topic(name, serdes.string, serdes.string)
            for name in sorted({step["topic"] for step in case["steps"]})
        }
        output = driver.create_output_topic("out", serdes.string, serdes.string)
        for number, step in enumerate(case["steps"]):
            inputs[step["topic"]].pipe_input(step["key"], step["value"], step["ts"])
            emitted = [[r.key, r.value, r.timestamp] for r in output.read_records_to_list()]
            assert emitted == step["out"], f"step {number}: {step}"
