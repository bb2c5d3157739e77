"""Write tests/golden: small partitions as a real Kafka broker leaves them on disk.

Each folder holds one partition (`<name>/<name>-0/`, Kafka's files untouched, taken after a clean
shutdown) and `<name>/expected.json`: what Kafka's own consumer, record classes and DumpLogSegments
read in it. Nothing of pylog takes part, so the tests that read these files are a comparison and
not an echo.

    python scripts/peers/kafka.py fetch
    python scripts/peers/make_golden.py            # all of them, or the names given

What a producer decides (timestamps, keys, values, headers, batch bounds) is fixed below, so a new
run differs only where the broker decides: CRCs of LogAppendTime batches, topic ids, producer ids.
"""

import argparse
import hashlib
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kafka

GOLDEN_DIR = Path(__file__).resolve().parents[2] / "tests" / "golden"
FIRST_TIMESTAMP_MS = 1_700_000_000_000
LONGEST_VALUE_BYTES = 300
# The timestamps lie in the past, where retention would take them.
KEEP_ALL = {"retention.ms": "-1"}
ONE_BATCH_A_FLUSH = {"linger.ms": "60000", "batch.size": "1000000", "acks": "all"}


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _record(
    timestamp_ms: int | None,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> dict[str, Any]:
    pairs = [[name, _hex(data)] for name, data in headers]
    return {"timestamp_ms": timestamp_ms, "key": _hex(key), "value": _hex(value), "headers": pairs}


def _batch(records: list[dict[str, Any]], **fields: str) -> dict[str, Any]:
    return {"records": records, **fields}


def _every_shape(big_size_bytes: int) -> list[dict[str, Any]]:
    """Return batches that hold every shape a record may have."""
    time_ms = FIRST_TIMESTAMP_MS
    text = b"".join(b"departure %05d to LAX, delayed; " % number for number in range(4000))
    shapes = [
        _record(time_ms, b"key", b"value"),
        _record(time_ms + 1, None, b"no key"),
        _record(time_ms + 2, b"no value", None),
        _record(time_ms + 3, None, None),
        _record(time_ms + 4, b"", b""),
        _record(time_ms + 5, b"\x00\xff\x80", bytes(range(256))),
    ]
    headers = [
        _record(time_ms + 1000, b"k", b"one header", [("trace", b"\x01\x02")]),
        _record(time_ms + 1001, b"k", b"null header value", [("empty", b""), ("null", None)]),
        _record(time_ms + 1002, b"k", b"a name twice", [("n", b"1"), ("n", b"2"), ("", b"")]),
        _record(time_ms + 1003, None, None, [("Zeichen-ÄÖÜ-日本-🦆", "ß".encode())]),
    ]
    # Timestamps need not rise, and deltas may be negative.
    back_in_time = [
        _record(time_ms - shift, b"%d" % shift, b"back") for shift in (0, 5, 86_400_000, 7)
    ]
    # Over the block size of every codec's framing (snappy's 32 KiB, lz4's 64 KiB) when compressed.
    big = [
        _record(time_ms + 2000, b"big", text[:big_size_bytes]),
        _record(time_ms + 2001, b"zeros", bytes(big_size_bytes // 2)),
    ]
    noise = [_record(time_ms + 2500, b"noise", random.Random(3).randbytes(1000))]
    many = [
        _record(time_ms + 3000 + number, b"tail-%d" % (number % 7), b"value %04d" % number)
        for number in range(100)
    ]
    single = [_record(time_ms + 4000, b"last", b"the last record")]
    return [_batch(each) for each in (shapes, headers, back_in_time, big, noise, many, single)]


def _minutes(count: int, *, step_ms: int) -> list[dict[str, Any]]:
    """Return small batches of three records whose times rise by `step_ms` a batch."""
    batches = []
    for number in range(count):
        time_ms = FIRST_TIMESTAMP_MS + number * step_ms
        batches.append(
            _batch(
                [
                    _record(time_ms + part, b"key-%d" % part, b"batch %d part %d" % (number, part))
                    for part in range(3)
                ]
            )
        )
    return batches


def _transactions() -> list[dict[str, Any]]:
    time_ms = FIRST_TIMESTAMP_MS
    ends = ["commit", "abort", "commit", "abort", "abort"]
    return [
        _batch(
            [
                _record(time_ms + 10 * number + part, b"k%d" % part, end.encode())
                for part in range(2)
            ],
            transaction=end,
        )
        for number, end in enumerate(ends)
    ]


def _rewrites() -> list[dict[str, Any]]:
    """Return batches that write few keys again and again, with tombstones, for the cleaner."""
    time_ms = FIRST_TIMESTAMP_MS
    batches = []
    for number in range(40):
        records = []
        for part in range(3):
            key = b"key-%d" % ((number * (part + 1)) % 11)
            value = None if number % 13 == 5 else b"value %d.%d" % (number, part)
            records.append(_record(time_ms + number * 1000 + part, key, value))
        batches.append(_batch(records))
    return batches


@dataclass(frozen=True)
class Golden:
    """One folder to make: what is written, by which producer, into a topic of which configs."""

    doc: str
    batches: list[dict[str, Any]]
    configs: dict[str, str] = field(default_factory=dict)
    producer: dict[str, str] = field(default_factory=dict)
    compacted: bool = False
    librdkafka: bool = False


def _codec(codec: str, idempotent: bool) -> Golden:
    text = "an idempotent producer" if idempotent else "a producer without an id"
    return Golden(
        doc=f"compression.type={codec}, every shape of record, {text}",
        batches=_every_shape(6000 if codec == "none" else 80_000),
        producer={"compression.type": codec, "enable.idempotence": str(idempotent).lower()},
    )


GOLDEN = {
    "none": _codec("none", idempotent=False),
    "gzip": _codec("gzip", idempotent=True),
    "snappy": _codec("snappy", idempotent=False),
    "lz4": _codec("lz4", idempotent=True),
    "zstd": _codec("zstd", idempotent=True),
    "log-append-time": Golden(
        doc="message.timestamp.type=LogAppendTime: the broker's time over the producer's",
        batches=_every_shape(80_000),
        configs={"message.timestamp.type": "LogAppendTime"},
        producer={"compression.type": "lz4"},
    ),
    "rolled-by-time": Golden(
        doc="segments rolled by segment.ms, an index entry a batch, a producer snapshot a segment",
        batches=_minutes(25, step_ms=60_000),
        configs={"segment.ms": "600000", "index.interval.bytes": "0"},
        producer={"enable.idempotence": "true"},
    ),
    "rolled-by-index": Golden(
        doc="segments rolled by a full index (segment.index.bytes=64), zstd",
        batches=_minutes(25, step_ms=1000),
        configs={"segment.index.bytes": "64", "index.interval.bytes": "100"},
        producer={"compression.type": "zstd", "enable.idempotence": "false"},
    ),
    "transactions": Golden(
        doc="committed and aborted transactions: control batches, .txnindex",
        batches=_transactions(),
        producer={"transactional.id": "golden", "compression.type": "gzip"},
    ),
    "compacted": Golden(
        doc="cleanup.policy=compact after a cleaner's pass: offsets with gaps, tombstones",
        batches=_rewrites(),
        configs={
            "cleanup.policy": "compact",
            "segment.ms": "5000",
            "min.cleanable.dirty.ratio": "0.01",
            "index.interval.bytes": "100",
            "file.delete.delay.ms": "100",
        },
        compacted=True,
    ),
    "librdkafka": Golden(
        doc="one batch a codec as confluent_kafka writes it (snappy without Java's framing)",
        batches=[
            _batch(_every_shape(80_000 if codec != "none" else 1000)[3]["records"], codec=codec)
            for codec in ("none", "gzip", "snappy", "lz4", "zstd")
        ],
        librdkafka=True,
    ),
}


def _wait(condition: Callable[[], bool], what: str, *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise kafka.PeerFailedError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.2)


def _is_compacted(broker: kafka.KafkaBroker, topic: str) -> bool:
    """Return True once the cleaner has reached the active segment and old files are gone."""
    if list(broker.partition_dir(topic).glob("*.deleted")):
        return False
    logs = sorted(broker.partition_dir(topic).glob("*.log"))
    checkpoint = broker.log_dir / "cleaner-offset-checkpoint"
    match = re.search(rf"^{re.escape(topic)} 0 (\d+)$", checkpoint.read_text(), re.MULTILINE)
    return match is not None and int(match[1]) >= int(logs[-1].stem)


def _write_topic(broker: kafka.KafkaBroker, topic: str, golden: Golden) -> str:
    """Produce everything and return the topic's id."""
    plan = {
        "topic": topic,
        "configs": KEEP_ALL | golden.configs,
        "producer": ONE_BATCH_A_FLUSH | golden.producer,
        "batches": [] if golden.librdkafka else golden.batches,
    }
    bootstrap = broker.bootstrap_servers
    topic_id = kafka.run_java("TopicWriter", bootstrap, stdin=json.dumps(plan)).strip()
    if golden.librdkafka:
        _write_with_librdkafka(bootstrap, topic, golden.batches)
    return topic_id


def _write_with_librdkafka(bootstrap: str, topic: str, batches: list[dict[str, Any]]) -> None:
    from confluent_kafka import Producer

    for batch in batches:
        config = {"bootstrap.servers": bootstrap, "linger.ms": 60000, "acks": "all"}
        producer = Producer(config | {"compression.type": batch["codec"]})
        for record in batch["records"]:
            producer.produce(
                topic,
                key=_bytes(record["key"]),
                value=_bytes(record["value"]),
                headers=[(name, _bytes(data)) for name, data in record["headers"]],
                timestamp=record["timestamp_ms"],
                partition=0,
            )
        if producer.flush(60):
            raise kafka.PeerFailedError(f"librdkafka did not deliver to {topic} within 60 s")


def _read_topic(
    broker: kafka.KafkaBroker, topic: str, isolation_level: str
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    output = kafka.run_java("TopicReader", broker.bootstrap_servers, topic, isolation_level)
    first, *rest = [json.loads(line) for line in output.splitlines()]
    return first, rest


def _index_entries(partition_dir: Path) -> dict[str, list[list[int]]]:
    """Return the entries DumpLogSegments prints of every .index and .timeindex."""
    paths = sorted([*partition_dir.glob("*.index"), *partition_dir.glob("*.timeindex")])
    entries: dict[str, list[list[int]]] = {path.name: [] for path in paths}
    name = ""
    for line in kafka.dump_log_segments(paths, deep=False, print_data=False).splitlines():
        if line.startswith("Dumping "):
            name = Path(line.removeprefix("Dumping ")).name
        match = re.fullmatch(r"(?:timestamp|offset): (-?\d+) (?:offset|position): (-?\d+)", line)
        if match:
            entries[name].append([int(match[1]), int(match[2])])
    return entries


def _digested(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` with a long value told by its size and SHA-256, to keep the file small."""
    value = _bytes(record["value"])
    if value is None or len(value) <= LONGEST_VALUE_BYTES:
        return record
    digest = {"value_size_bytes": len(value), "value_sha256": hashlib.sha256(value).hexdigest()}
    return {name: data for name, data in record.items() if name != "value"} | digest


def _lines(items: Sequence[Any]) -> Iterator[str]:
    """Return a JSON array of one line an item, so that a difference is readable."""
    yield "[\n"
    for number, item in enumerate(items):
        comma = "," if number + 1 < len(items) else ""
        yield f"  {json.dumps(item, ensure_ascii=False)}{comma}\n"
    yield " ]"


def _write_expected(path: Path, expected: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("{\n")
        for number, (name, value) in enumerate(expected.items()):
            file.write(",\n" if number else "")
            file.write(f" {json.dumps(name)}: ")
            is_table = isinstance(value, list) and value and isinstance(value[0], dict)
            file.writelines(_lines(value) if is_table else [json.dumps(value)])
        file.write("\n}\n")


def make(names: Sequence[str]) -> None:
    """Make the folders of `names` anew with one broker."""
    properties = {"log.cleaner.backoff.ms": "200", "log.initial.task.delay.ms": "1000"}
    with kafka.KafkaBroker(properties=properties) as broker:
        expected = {name: _write_and_read(broker, name, GOLDEN[name]) for name in names}
        broker.stop()
        for name in names:
            _copy(broker.partition_dir(name), name, expected[name])


def _write_and_read(broker: kafka.KafkaBroker, name: str, golden: Golden) -> dict[str, Any]:
    topic_id = _write_topic(broker, name, golden)
    if golden.compacted:
        _wait(lambda: _is_compacted(broker, name), "compaction")
    ends, records = _read_topic(broker, name, "read_uncommitted")
    expected = {
        "doc": golden.doc,
        "kafka_version": kafka.kafka_version(),
        "topic": name,
        "partition": 0,
        "topic_id": topic_id,
        "configs": KEEP_ALL | golden.configs,
        "producer": golden.producer,
        **ends,
        "records": [_digested(record) for record in records],
    }
    if "transactional.id" in golden.producer:
        committed = _read_topic(broker, name, "read_committed")[1]
        expected["committed_offsets"] = [record["offset"] for record in committed]
    return expected


def _copy(partition_dir: Path, name: str, expected: dict[str, Any]) -> None:
    """Copy a partition at rest to tests/golden and describe its batches and index entries."""
    target = GOLDEN_DIR / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(partition_dir, target / partition_dir.name)
    expected["batches"] = kafka.dump_records(sorted(partition_dir.glob("*.log")))[0]
    expected["index_entries"] = _index_entries(partition_dir)
    expected["files"] = {
        path.name: path.stat().st_size for path in sorted(partition_dir.iterdir()) if path.is_file()
    }
    _write_expected(target / "expected.json", expected)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the named folders, or all; return the exit status."""
    parser = argparse.ArgumentParser(description="Write tests/golden with a real Kafka.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(GOLDEN))
    options = parser.parse_args(arguments)
    names = options.names or list(GOLDEN)
    unknown = sorted(set(names) - set(GOLDEN))
    if unknown:
        parser.error(f"no such golden folder: {', '.join(unknown)}")
    try:
        make(names)
    except (kafka.PeerMissingError, kafka.PeerFailedError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
