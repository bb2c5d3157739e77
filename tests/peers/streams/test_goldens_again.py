"""tests/golden/streams is what Kafka Streams answers: its cases fed again, its texts made again."""

import json
import subprocess
import sys

import pytest
from java_app import GOLDEN_DIR, SCRIPT

pytestmark = pytest.mark.peer

MAKE = SCRIPT.with_name("make_streams_golden.py")


@pytest.mark.parametrize(
    ("cases", "topologies"),
    [("oracle.jsonl", "oracle.json"), ("more-oracle.jsonl", "more.json")],
)
def test_kafka_streams_answers_as_the_oracle_says(_streams_jars: None, cases: str, topologies: str):
    paths = [GOLDEN_DIR / cases, GOLDEN_DIR / "topologies" / topologies]
    done = subprocess.run(
        [sys.executable, MAKE, "--check", *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_kafka_streams_describes_its_topologies_as_the_golden_texts(_streams_jars: None):
    path = GOLDEN_DIR / "topologies" / "describe.json"
    done = subprocess.run(
        [sys.executable, SCRIPT, "describe", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {line["name"]: line["text"] for line in map(json.loads, done.stdout.splitlines())}
    folder = GOLDEN_DIR / "describe"
    assert found == {file.stem: file.read_text() for file in folder.glob("*.txt")}
