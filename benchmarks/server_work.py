"""What the server is measured by: each measurement is a function of a Side, one of the servers.

A virtual machine gets memory from its host when a page is first used, which can take longer than
all that a server does with it, and gives it back when files are deleted. So each measurement of the
generator writes no more than some hundred megabytes, to memory that was used right before.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.machine import ROOT
from logcore.batch import BatchBuilder
from pylog.wire import Request, encode_request
from pylog.wire.messages.api_00_produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from pylog.wire.messages.api_18_api_versions import ApiVersionsRequest

sys.path.insert(0, str(ROOT / "scripts" / "peers"))

Figures = dict[str, float]
LOAD_BYTES = 512 << 20  # of one measurement
PACED_RATE = 1000
REST_S = 2.0  # pylog syncs what it has written within a second, Kafka does not
WARM_PASSES = 3  # one finds memory, another that of the one before
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
        admin = self._admin()
        new_topic = import_module("confluent_kafka.admin").NewTopic(topic, 1, 1, config={**configs})
        admin.create_topics([new_topic])[topic].result()
        while topic not in admin.list_topics(timeout=10).topics:
            time.sleep(0.05)

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        admin = self._admin()  # it has to outlive its answer
        admin.delete_topics([topic])[topic].result()

    def _admin(self) -> Any:
        module = import_module("confluent_kafka.admin")
        return module.AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 5})

    def cpu_seconds(self) -> float:
        """What it has used of the processors."""
        text = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2]
        user, system = text.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Its own memory now, without pages of mapped files, which are the page cache's."""
        return _status_mib(self.process_id, "RssAnon")


class Bench:
    """What the measurements share."""

    def __init__(self, folder: Path, seconds: float):
        self.folder = folder
        self.seconds = seconds
        self.program = folder / "server_load"
        source = Path(__file__).with_name("server_load.c")
        subprocess.run(["gcc", "-O2", "-o", self.program, source], check=True)
        self._count = 0

    def topic(self, side: Side, configs: Mapping[str, str] | None = None) -> str:
        """A fresh topic, small enough that old segments go soon."""
        self._count += 1
        name = f"bench-{self._count}"
        limits = {"retention.bytes": str(1 << 30), "segment.bytes": str(512 << 20)}
        side.create(name, {**limits, **(configs or {})})
        return name

    def durable(self, side: Side, size: int) -> Figures:
        """As `load`, with acks=all; Kafka syncs each batch, which pylog does without being told."""
        return self.load(side, size, acks=-1, configs={"flush.messages": "1"})

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
        _warm(self.folder, LOAD_BYTES)
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

    def perf(self, side: Side, size: int) -> Figures:
        """kafka-producer-perf-test, acks=1, batches of 64 KiB; kafka-consumer-perf-test of that."""
        kafka = import_module("kafka")
        count = int(self.seconds * 120_000_000 / size)
        topic = self.topic(side)
        text = kafka.run_java(
            "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
            "--num-records", str(count), "--record-size", str(size), "--throughput", "-1",
            "--producer-props", f"bootstrap.servers={side.bootstrap_servers}", "acks=1",
            "batch.size=65536", "linger.ms=5", java_options=kafka.KAFKA_OPTIONS,
        )  # fmt: skip
        produced = re.findall(r"([\d.]+) records/sec", text)[-1]
        text = kafka.run_java(
            "org.apache.kafka.tools.ConsumerPerformance", "--topic", topic,
            "--bootstrap-server", side.bootstrap_servers, "--num-records", str(count),
            "--hide-header", java_options=kafka.KAFKA_OPTIONS,
        )  # fmt: skip
        side.delete(topic)
        consumed = text.strip().splitlines()[-1].split(",")[9]
        return {"produced_rate": float(produced), "consumed_rate": float(consumed)}

    def confluent(self, side: Side) -> Figures:
        """confluent_kafka, values of 1,000 bytes: batches of 64 KiB and 5 ms, fetches of 10 MiB."""
        from confluent_kafka import Consumer, Producer, TopicPartition

        topic, count = self.topic(side), int(200_000 * self.seconds)
        base = {"bootstrap.servers": side.bootstrap_servers}
        _warm(self.folder, count * VALUE_BYTES)
        producer = Producer({
            **base, "acks": 1, "linger.ms": 5, "batch.size": 64 << 10,
            "queue.buffering.max.messages": count + 1, "queue.buffering.max.kbytes": 1 << 21,
        })  # fmt: skip
        value = os.urandom(VALUE_BYTES)
        start = time.perf_counter()
        for _ in range(count):
            producer.produce(topic, value)
        producer.flush()
        produced_s = time.perf_counter() - start
        time.sleep(REST_S)
        consumer = Consumer({
            **base, "group.id": "bench", "queued.min.messages": 1_000_000,
            "fetch.message.max.bytes": 10 << 20, "queued.max.messages.kbytes": 1 << 20,
            "enable.auto.commit": False,
        })  # fmt: skip
        consumer.assign([TopicPartition(topic, 0, 0)])
        start, left = time.perf_counter(), count
        while left:
            left -= len(consumer.consume(min(left, 1000), 30))
        consumed_s = time.perf_counter() - start
        consumer.close()
        side.delete(topic)
        return {"produced_rate": count / produced_s, "consumed_rate": count / consumed_s}

    def start(self, side: Side) -> Figures | None:
        """From the command to the first answer, and the memory of a server that rests."""
        if side.name != "pylog":
            return None
        with TemporaryDirectory() as folder:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            command = [sys.executable, "-m", "pylog", "serve", folder]
            start = time.perf_counter()
            with subprocess.Popen(
                [*command, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL
            ) as process:
                _await_answer(port)
                took_s = time.perf_counter() - start
                whole_mib = _status_mib(process.pid, "VmRSS")
                own_mib = _status_mib(process.pid, "RssAnon")
                process.terminate()
        return {"start_s": took_s, "all_resident_mib": whole_mib, "resident_mib": own_mib}

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
        side.delete(topic)
        return {"p50_us": median(times_us[len(times_us) // 10 :])}


def _warm(folder: Path, size: int) -> None:
    """Have the machine get memory for files, which whoever writes one next then finds."""
    path, block = folder / "warm", os.urandom(1 << 20)
    for _ in range(WARM_PASSES):
        with path.open("wb", buffering=0) as file:
            for _ in range(-(-size // len(block))):
                file.write(block)
        path.unlink()


def _status_mib(process_id: int, name: str) -> float:
    """A figure of /proc/PID/status."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.findall(rf"{name}:\s+(\d+)", status)[0]) / 1024


def _await_answer(port: int) -> None:
    """Ask for ApiVersions until there is an answer."""
    frame = b"".join(encode_request(Request(18, 0, 1, None, ApiVersionsRequest())))
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(frame)
                if connection.recv(1):
                    return
        except ConnectionRefusedError:
            time.sleep(0.002)
