"""pylog's server beside a real Kafka: `python -m benchmarks.server`.

    load      a generator in C (server_load.c): Produce with one valid batch of 1 KiB, 64 KiB,
              1 MiB, five requests under way, acks=1
    perf      kafka-producer-perf-test and kafka-consumer-perf-test
    client    confluent_kafka: produce and consume 1,000-byte values, and one by one with a flush
    durable   the generator with acks=all, where Kafka syncs each batch (flush.messages=1)

    many      p99 of the generator's requests, 1,000 a second by turns on 100 connections beside
              500 silent ones, against that of the same on one connection

Both servers run at the same time and take turns, round after round; the table shows medians and
their quotient. Kafka is fetched by `make peers`, and runs with the options of its own scripts.

A virtual machine gets memory from its host when a page is first used, which can take longer than
all that a server does with it, and gives it back when files are deleted. So each measurement of the
generator writes no more than some hundred megabytes, to memory that was used right before.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, facts
from logcore.batch import BatchBuilder
from pylog.testing import ServerProcess
from pylog.wire import Request, encode_request
from pylog.wire.messages.api_00_produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

sys.path.insert(0, str(ROOT / "scripts" / "peers"))

Figures = dict[str, float]
SIZES = {"1 KiB": 1 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20}
GOALS = {"load": 3.0, "perf": 1.2, "client": 1.3, "durable": 2.0, "many": 3.0}
LOAD_BYTES = 512 << 20  # of one measurement
PACED_RATE = 1000
MEMORY_GOAL = 0.25
PRODUCE_VERSION = 9
DEPTH = 5
VALUE_BYTES = 1000


def make_batch(size: int) -> bytes:
    """One batch of exactly `size` bytes, of records of about a thousand bytes."""
    builder = BatchBuilder()
    now_ms = time.time_ns() // 1_000_000
    while size - builder.size_bytes > 2 * VALUE_BYTES:
        builder.append(now_ms, None, os.urandom(VALUE_BYTES))
    last = size - builder.size_bytes
    for value_bytes in range(last, 0, -1):
        probe = BatchBuilder()
        probe.append(now_ms, None, bytes(value_bytes))
        # the offset delta of a record beyond the 64th takes a byte more
        if probe.size_bytes - 61 + (len(builder) > 63) <= last:
            builder.append(now_ms, None, os.urandom(value_bytes))
            break
    return builder.build()


def write_frame(path: Path, topic: str, batch: bytes, acks: int) -> int:
    """Write a Produce request; where its answer has the error code."""
    data = PartitionProduceData(index=0, records=memoryview(batch))
    request = ProduceRequest(
        acks=acks,
        timeout_ms=30_000,
        topic_data=[TopicProduceData(name=topic, partition_data=[data])],
    )
    whole = Request(0, PRODUCE_VERSION, 0, "load", request)
    path.write_bytes(b"".join(encode_request(whole)))
    # size, correlation id, tags, topics + 1, name, partitions + 1, index
    return 4 + 4 + 1 + 1 + (1 + len(topic)) + 1 + 4


class Side:
    """One of the servers."""

    def __init__(self, name: str, bootstrap_servers: str, process_id: int):
        self.name = name
        self.bootstrap_servers = bootstrap_servers
        self.process_id = process_id

    def create(self, topic: str, configs: Mapping[str, str]) -> None:
        """Make a topic of one partition."""
        admin_module = import_module("confluent_kafka.admin")
        admin = admin_module.AdminClient({"bootstrap.servers": self.bootstrap_servers})
        new_topic = admin_module.NewTopic(topic, 1, 1, config=dict(configs))
        admin.create_topics([new_topic])[topic].result()
        while topic not in admin.list_topics(timeout=10).topics:
            time.sleep(0.05)

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        admin_module = import_module("confluent_kafka.admin")
        admin = admin_module.AdminClient({"bootstrap.servers": self.bootstrap_servers})
        admin.delete_topics([topic])[topic].result()

    def cpu_seconds(self) -> float:
        """What it has used of the processors."""
        text = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2]
        user, system = text.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Its own memory now, without pages of mapped files, which are the page cache's."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return int(re.findall(r"RssAnon:\s+(\d+)", status)[0]) / 1024


class Bench:
    """What the measurements share."""

    def __init__(self, folder: Path, seconds: float):
        self.folder = folder
        self.seconds = seconds
        self.program = folder / "server_load"
        source = Path(__file__).with_name("server_load.c")
        subprocess.run(["gcc", "-O2", "-o", self.program, source], check=True)
        self._count = 0
        self._filled = ("", 0)

    def topic(self, side: Side, configs: Mapping[str, str] | None = None) -> str:
        """A fresh topic, small enough that old segments go soon."""
        self._count += 1
        name = f"bench-{self._count}"
        limits = {"retention.bytes": str(1 << 30), "segment.bytes": str(512 << 20)}
        side.create(name, {**limits, **(configs or {})})
        return name

    def load(
        self,
        side: Side,
        size: int,
        acks: int = 1,
        connections: int = 1,
        idle: int = 0,
        rate: int = 0,
        configs: Mapping[str, str] | None = None,
    ) -> Figures:
        """Send batches of one size for a while; `rate` a second, 0 for as many as are taken."""
        topic = self.topic(side, configs)
        frame = self.folder / "frame"
        error_at = write_frame(frame, topic, make_batch(size), acks)
        host, port = side.bootstrap_servers.split(":")
        words = [host, port, frame, error_at, connections, idle, DEPTH, rate]
        _touch(LOAD_BYTES)
        done = subprocess.run(
            [self.program, *map(str, words), str(LOAD_BYTES // size), str(self.seconds)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        side.delete(topic)
        figures: Figures = json.loads(done.stdout)
        figures["rate"] = figures["requests"] / figures["seconds"]
        figures["megabytes_per_s"] = figures["rate"] * figures["frame_bytes"] / 1e6
        return figures

    def many(self, side: Side) -> Figures:
        """The p99 with 100 active and 500 idle connections, and what it is with one, in turns."""
        alone = self.load(side, 1 << 10, rate=PACED_RATE)
        among = self.load(side, 1 << 10, connections=100, idle=500, rate=PACED_RATE)
        return {"times_p99": among["p99_us"] / alone["p99_us"], "p99_us": among["p99_us"],
                "p99_alone_us": alone["p99_us"]}  # fmt: skip

    def producer_perf(self, side: Side, size: int) -> Figures:
        """kafka-producer-perf-test, acks=1, batches of 64 KiB."""
        count = int(self.seconds * (60_000_000 if size > 500 else 30_000_000) / size)
        topic = self.topic(side)
        text = import_module("kafka").run_java(
            "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
            "--num-records", str(count), "--record-size", str(size), "--throughput", "-1",
            "--producer-props", f"bootstrap.servers={side.bootstrap_servers}", "acks=1",
            "batch.size=65536", "linger.ms=5",
            java_options=import_module("kafka").KAFKA_OPTIONS,
        )  # fmt: skip
        rate, megabytes = re.findall(r"([\d.]+) records/sec \(([\d.]+) MB/sec\)", text)[-1]
        self._filled = (topic, count)
        return {"rate": float(rate), "megabytes_per_s": float(megabytes)}

    def consumer_perf(self, side: Side, size: int) -> Figures:
        """kafka-consumer-perf-test, of what the one before has written."""
        self.producer_perf(side, size)
        topic, count = self._filled
        text = import_module("kafka").run_java(
            "org.apache.kafka.tools.ConsumerPerformance", "--topic", topic,
            "--bootstrap-server", side.bootstrap_servers, "--num-records", str(count),
            "--hide-header", java_options=import_module("kafka").KAFKA_OPTIONS,
        )  # fmt: skip
        fields = text.strip().splitlines()[-1].split(",")
        return {"rate": float(fields[9]), "megabytes_per_s": float(fields[8])}

    def confluent(self, side: Side) -> tuple[Figures, Figures]:
        """confluent_kafka, tuned: produce and consume values of 1,000 bytes."""
        from confluent_kafka import Consumer, Producer, TopicPartition

        topic, count = self.topic(side), int(100_000 * self.seconds)
        base = {"bootstrap.servers": side.bootstrap_servers}
        producer = Producer({
            **base, "acks": 1, "linger.ms": 5, "batch.size": 1 << 20,
            "queue.buffering.max.messages": count + 1, "queue.buffering.max.kbytes": 1 << 21,
        })  # fmt: skip
        value = os.urandom(VALUE_BYTES)
        start = time.perf_counter()
        for _ in range(count):
            producer.produce(topic, value)
        producer.flush()
        produced_s = time.perf_counter() - start
        consumer = Consumer({
            **base, "group.id": "bench", "queued.min.messages": 1_000_000,
            "fetch.message.max.bytes": 10 << 20, "queued.max.messages.kbytes": 1 << 20,
            "enable.auto.commit": False,
        })  # fmt: skip
        consumer.assign([TopicPartition(topic, 0, 0)])
        start, left = time.perf_counter(), count
        while left:
            left -= len(consumer.consume(min(left, 10_000), 30))
        consumed_s = time.perf_counter() - start
        consumer.close()
        return {"rate": count / produced_s}, {"rate": count / consumed_s}

    def one_by_one(self, side: Side) -> Figures:
        """confluent_kafka: produce and flush, acks=1; the median time."""
        from confluent_kafka import Producer

        topic = self.topic(side)
        producer = Producer({
            "bootstrap.servers": side.bootstrap_servers, "acks": 1, "linger.ms": 0,
        })  # fmt: skip
        times_us = []
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            start = time.perf_counter()
            producer.produce(topic, b"x" * 100)
            producer.flush()
            times_us.append((time.perf_counter() - start) * 1e6)
        return {"p50_us": median(times_us[len(times_us) // 10 :])}


def _touch(size: int) -> None:
    """Have the machine get memory that it then gives to whoever asks next."""
    len(b"\x01" * size)


def measurements(bench: Bench, kinds: set[str]) -> dict[str, Callable[[Side], Figures]]:
    """By name; the first word is the kind."""
    found: dict[str, Callable[[Side], Figures]] = {
        f"load {name}": partial(bench.load, size=size) for name, size in SIZES.items()
    }
    found["load 64 KiB, 4 connections"] = partial(bench.load, size=64 << 10, connections=4)
    for size in (100, 1000):
        found[f"perf producer {size} B"] = partial(bench.producer_perf, size=size)
        found[f"perf consumer {size} B"] = partial(bench.consumer_perf, size=size)
    found["client produce"] = lambda side: bench.confluent(side)[0]
    found["client consume"] = lambda side: bench.confluent(side)[1]
    found["client one by one"] = bench.one_by_one
    found["durable 64 KiB"] = partial(
        bench.load, size=64 << 10, acks=-1, configs={"flush.messages": "1"}
    )
    found["many connections, p99"] = bench.many
    return {name: call for name, call in found.items() if name.split()[0] in kinds}


def run(rounds: int, seconds: float, kinds: set[str]) -> dict[str, Any]:
    """Both servers, all measurements; medians and their quotients."""
    results: dict[str, dict[str, list[Figures]]] = {}
    kafka_module = import_module("kafka")
    with (
        TemporaryDirectory() as name,
        kafka_module.KafkaBroker(
            properties={"log.segment.delete.delay.ms": "100"},
            java_options=kafka_module.KAFKA_OPTIONS,
        ) as kafka,
        ServerProcess(os.path.join(name, "data")) as server,
    ):
        sides = [
            Side("pylog", server.bootstrap_servers, server.pid),
            Side("kafka", kafka.bootstrap_servers, kafka.process_id),
        ]
        bench = Bench(Path(name), seconds)
        for number in range(rounds + 1):  # the first warms the JVM up, and does not count
            for what, call in measurements(bench, kinds).items():
                for side in sides if number % 2 else reversed(sides):
                    before_s = side.cpu_seconds()
                    figures = call(side)
                    figures["server_cpu_s"] = side.cpu_seconds() - before_s
                    figures["resident_mib"] = side.resident_mib()
                    if number:
                        results.setdefault(what, {}).setdefault(side.name, []).append(figures)
        machine = facts(Path(name))
    return {"machine": machine, "rows": [*map(_row, results, results.values()), _memory(results)]}


def _row(what: str, by_side: Mapping[str, list[Figures]]) -> dict[str, Any]:
    """Medians of one measurement; `quotient` is what the goal is for."""
    kind = what.split()[0]
    figures = by_side["pylog"][0]
    figure = next(name for name in ("rate", "p50_us", "times_p99") if name in figures)
    pylog, kafka = (median(each[figure] for each in by_side[name]) for name in ("pylog", "kafka"))
    quotient = pylog if figure == "times_p99" else pylog / kafka
    goal = 1.0 if figure == "p50_us" else GOALS[kind]
    is_met = quotient >= goal if figure == "rate" else quotient <= goal
    return {"what": what, "figure": figure, "pylog": pylog, "kafka": kafka, "quotient": quotient,
            "goal": goal, "is_met": is_met, "all": by_side}  # fmt: skip


def _memory(results: Mapping[str, Mapping[str, list[Figures]]]) -> dict[str, Any]:
    """The most that each had for itself after a measurement."""
    pylog, kafka = (
        max(each["resident_mib"] for by_side in results.values() for each in by_side[name])
        for name in ("pylog", "kafka")
    )
    return {"what": "memory", "figure": "resident_mib", "pylog": pylog, "kafka": kafka,
            "quotient": pylog / kafka, "goal": MEMORY_GOAL, "is_met": pylog / kafka <= MEMORY_GOAL,
            "all": {}}  # fmt: skip


def main() -> int:
    """Run what the arguments say, and write a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--kinds", default=",".join(GOALS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = run(options.rounds, options.seconds, set(options.kinds.split(",")))
    for row in result["rows"]:
        sys.stdout.write(
            f"{row['what']:28} {row['figure']:12} pylog {row['pylog']:12,.1f}  "
            f"kafka {row['kafka']:12,.1f}  {row['quotient']:6.2f} x  goal {row['goal']:.2f}  "
            f"{'met' if row['is_met'] else 'MISSED'}\n"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(row["is_met"] for row in result["rows"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
