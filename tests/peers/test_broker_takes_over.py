"""A real broker starts on a partition that we wrote, serves it and appends; we read on after it."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import record_batches
from record_batches import CODECS, EVERY_SHAPE, Written

import logcore
from logcore.batch import BatchBuilder
from logcore.codecs import CODEC_IDS
from logcore.config import LogConfig

pytestmark = pytest.mark.peer

PROPERTIES = {"retention.ms": "-1", "segment.ms": "600000", "index.interval.bytes": "100"}


def written_batches() -> list[tuple[str, list[Written]]]:
    """Return (codec, records) of some batches, spread over segments by their times."""
    batches = [(codec, EVERY_SHAPE) for codec in CODECS]
    first = record_batches.FIRST_TIMESTAMP_MS
    for number in range(40):
        records = [Written(first + 60_000 * number, b"%d" % number, b"minute", [])] * 3
        batches.append((CODECS[number % len(CODECS)], records))
    return batches


def plan(topic: str, records: list[Written]) -> str:
    """Return what java/TopicWriter.java reads: one batch of `records`."""
    plain = [
        {name: data for name, data in record.items() if name != "offset"}
        for record in record_batches.expected_records(records)
    ]
    producer = {"compression.type": "zstd", "linger.ms": "60000", "batch.size": "1000000"}
    batches = [{"records": plain}] if records else []
    return json.dumps(
        {"topic": topic, "configs": PROPERTIES, "producer": producer, "batches": batches}
    )


def read_all(kafka: ModuleType, bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Return every record as Kafka's consumer reads it, in the form of expected_records."""
    lines = kafka.run_java("TopicReader", bootstrap, topic).splitlines()[1:]
    fields = ("offset", "timestamp_ms", "key", "value", "headers")
    return [{name: json.loads(line)[name] for name in fields} for line in lines]


@pytest.mark.parametrize("shutdown", ["clean", "unclean"])
def test_a_broker_serves_our_partition_and_we_read_what_it_appends(
    kafka: ModuleType, tmp_path: Path, shutdown: str
) -> None:
    topic = "ours"
    config = LogConfig.from_properties(PROPERTIES)
    with kafka.KafkaBroker(tmp_path / "broker") as broker:
        kafka.run_java("TopicWriter", broker.bootstrap_servers, stdin=plan(topic, []))
        broker.stop()

        path = broker.partition_dir(topic)
        for file in path.iterdir():
            if file.name != "partition.metadata":
                file.unlink()
        written: list[Written] = []
        with logcore.Log(path, config) as log:
            for codec, records in written_batches():
                builder = BatchBuilder(CODEC_IDS[codec])
                for record in records:
                    builder.append(record.timestamp_ms, record.key, record.value, record.headers)
                assert log.append(bytes(builder.build())) == len(written)
                written += records
            log.flush()
        assert len(list(path.glob("*.log"))) > 2
        if shutdown == "unclean":
            # Kafka then checks every CRC and builds every index anew before it serves.
            (broker.log_dir / ".kafka_cleanshutdown").unlink()

        broker.start()
        expected = record_batches.expected_records(written)
        assert read_all(kafka, broker.bootstrap_servers, topic) == expected
        kafka.run_java("TopicWriter", broker.bootstrap_servers, stdin=plan(topic, EVERY_SHAPE))
        expected += record_batches.expected_records(EVERY_SHAPE, base_offset=len(written))
        assert read_all(kafka, broker.bootstrap_servers, topic) == expected
        broker.stop()

        # Without .state, our page for this boot of this machine, which Kafka does not keep up.
        back = shutil.copytree(
            path, tmp_path / f"{topic}-0", ignore=shutil.ignore_patterns(".state")
        )
        with logcore.Log(back, config) as log:
            assert (log.log_start_offset, log.log_end_offset) == (0, len(expected))
            ours = [
                Written(record.timestamp_ms, record.key, record.value, list(record.headers or ()))
                for record in log.reader(0)
            ]
        assert record_batches.expected_records(ours) == expected
