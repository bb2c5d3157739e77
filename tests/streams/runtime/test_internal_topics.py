"""Internal topics: names, configs and partition counts as Kafka Streams gives them."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.streams import topology_scripts

import pylog
from pylog.streams.errors import InvalidTopologyChangeError
from pylog.streams.runtime import internal_topics
from pylog.streams.runtime.internal_topics import WantedTopic, changelog_topic, make_ready

GOLDEN = Path(__file__).parents[2] / "golden" / "streams"
CASES = [json.loads(line) for line in (GOLDEN / "internal-topics.jsonl").read_text().splitlines()]
SCRIPTS = topology_scripts.topologies("describe")
DAY_MS = 86_400_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_topics_are_those_of_kafka_streams(case: dict[str, Any]) -> None:
    script = SCRIPTS[case["name"]]
    topology = topology_scripts.build(script)
    internal = {topic for part in case["subtopologies"] for topic in part["repartition"]}
    sources = {topic for part in case["subtopologies"] for topic in part["sources"]} - internal
    parts = {part.id: part for part in topology.subtopologies("app", sources)}
    for expected in case["subtopologies"]:
        part = parts[expected["id"]]
        wanted = internal_topics.wanted_topics(
            [part], dict.fromkeys(part.repartition_source_topics, 1), {part.id: 1}, {}, DAY_MS
        )
        found = {topic.name: dict(topic.configs) for topic in wanted}
        golden = {**expected["repartition"], **expected["changelogs"]}
        assert found == {
            name: topic["configs"] for name, topic in golden.items() if name not in sources
        }


class Builder:
    changelog_kind = "compact_delete"
    retention_ms = 1000
    log_config: dict[str, str]

    def __init__(self, **log_config: str):
        self.log_config = {name.replace("_", "."): value for name, value in log_config.items()}


def test_what_the_program_says_goes_before() -> None:
    given = {"retention.ms": "5", "segment.bytes": "7", "cleanup.policy": "delete"}
    topic = changelog_topic("c", 1, Builder(segment_bytes="8"), given, DAY_MS)
    # As in Kafka Streams, only a store's own configuration replaces the retention.
    assert topic.configs["retention.ms"] == str(1000 + DAY_MS)
    assert topic.configs["segment.bytes"] == "8"
    assert topic.configs["cleanup.policy"] == "delete"
    own = changelog_topic("c", 1, Builder(retention_ms="9"), given, DAY_MS)
    assert own.configs["retention.ms"] == "9"


def test_topics_that_are_there_are_left_as_they_are(tmp_path: Path) -> None:
    with pylog.AdminClient({"log.dir": str(tmp_path)}) as admin:
        make_ready(admin, [WantedTopic("a", 2, {"retention.ms": "-1"})])
        make_ready(admin, [WantedTopic("a", 2, {"retention.ms": "5"}), WantedTopic("b", 3)])
        assert internal_topics.partition_counts(admin) == {"a": 2, "b": 3}
        with pytest.raises(InvalidTopologyChangeError, match="a has 2 partitions .* needs 4"):
            make_ready(admin, [WantedTopic("a", 4)])


def test_instances_that_start_together_make_each_topic_once(tmp_path: Path) -> None:
    wanted = [WantedTopic(f"t{number}", 2) for number in range(8)]
    failures: list[BaseException] = []

    def make() -> None:
        try:
            with pylog.AdminClient({"log.dir": str(tmp_path)}) as admin:
                make_ready(admin, wanted)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with pylog.AdminClient({"log.dir": str(tmp_path)}) as admin:
        assert internal_topics.partition_counts(admin) == {topic.name: 2 for topic in wanted}
