"""What a running application measures of itself, under Kafka Streams' names."""

import time
from pathlib import Path
from typing import Any

from pylog import Producer
from pylog.admin import AdminClient, NewTopic
from pylog.streams import Materialized, State, Streams, StreamsBuilder, serdes


def run(folder: Path, state: str, records: int) -> dict[str, Any]:
    """Run until so many records are processed and committed; what was measured then."""
    builder = StreamsBuilder()
    (
        builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
        .group_by_key()
        .count(materialized=Materialized("counts", store_type="in_memory"))
        .to_stream()
        .to("out")
    )
    config = {
        "application.id": "app", "log.dir": folder / "log", "state.dir": folder / state,
        "commit.interval.ms": 20,
    }  # fmt: skip
    deadline_s = time.monotonic() + 60
    with Streams(builder.build(), config) as streams:
        while True:
            metrics = streams.metrics
            seen = {str(name): metrics[name] for name in metrics}
            processed = value_of(seen, "stream-task-metrics", "process-total")
            committed = value_of(seen, "stream-thread-metrics", "commit-total")
            if (
                streams.state is State.RUNNING
                and processed >= records
                and committed >= bool(records)
            ):
                return seen
            assert time.monotonic() < deadline_s, seen
            time.sleep(0.01)


def value_of(seen: dict[str, Any], group: str, name: str, part: str = "") -> float:
    return sum(
        value
        for metric, value in seen.items()
        if metric.startswith(f"{group}:{name}{{") and part in metric
    )


def test_an_application_counts_what_it_does(tmp_path: Path):
    admin = AdminClient({"log.dir": tmp_path / "log"})
    for name in ("in", "out"):
        admin.create_topics([NewTopic(name, num_partitions=2)])[name].result()
    with Producer({"log.dir": tmp_path / "log"}) as producer:
        for number in range(1000):
            producer.produce("in", key=str(number % 10), value="x")
        producer.produce("in", value="without a key")
    seen = run(tmp_path, "one", 1001)
    assert value_of(seen, "stream-thread-metrics", "process-total") == 1001
    assert value_of(seen, "stream-task-metrics", "process-total") == 1001
    assert value_of(seen, "stream-task-metrics", "process-total", "task-id=0_1") > 0
    assert value_of(seen, "stream-task-metrics", "dropped-records-total") == 1
    assert value_of(
        seen, "stream-processor-node-metrics", "dropped-records-total", "reason=null key"
    ) == 1  # fmt: skip
    assert value_of(seen, "stream-task-metrics", "commit-total") >= 1
    assert value_of(seen, "stream-processor-node-metrics", "record-e2e-latency-max") > 0
    assert value_of(seen, "stream-task-metrics", "restore-total") == 0
    names = {metric.partition("{")[0]: value for metric, value in seen.items()}
    assert names["stream-metrics:application-id"] == "app"
    assert names["stream-metrics:state"] == "RUNNING"
    assert names["stream-metrics:alive-stream-threads"] == 1
    assert names["stream-metrics:failed-stream-threads"] == 0
    # In memory, so the counts come of their changelogs the next time.
    again = run(tmp_path, "two", 0)
    assert value_of(again, "stream-task-metrics", "restore-total") == 10
    assert value_of(again, "stream-task-metrics", "restore-remaining-records-total") == 0
