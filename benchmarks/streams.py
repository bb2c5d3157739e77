"""Measurements of pylog.streams: in-process, from folder to folder, restore, memory, latency."""

import gc
import os
import resource
from pathlib import Path
from statistics import median, quantiles
from time import monotonic_ns, perf_counter, sleep
from typing import Any

from benchmarks.stream_work import (
    BASE_MS,
    EVERY_UPDATE,
    INPUT,
    KEYS,
    OUTPUT,
    STORE,
    TOPOLOGIES,
    expected_outputs,
    make_events,
)
from benchmarks.workload import Figures, Order, check_count, rate
from pylog import Consumer, Producer, TopicPartition
from pylog.admin import AdminClient, NewTopic
from pylog.streams import StateRestoreListener, Streams, TopologyTestDriver, serdes
from pylog.streams.app import State

APPLICATION = "bench"
_TIMEOUT_S = 600.0
_PIECE_RECORDS = 10_000
_WARM_UP_RECORDS = 2000
_MANY_KEYS = 200_000


# ---- in-process ---------------------------------------------------------------------------------


def in_process(order: Order) -> Figures:
    """All events through a TopologyTestDriver, with serdes, a changelog, and each output read."""
    work, store_type = str(order.extra["work"]), str(order.extra.get("store", "in_memory"))
    events = make_events(order.total)
    config = {**EVERY_UPDATE, "state.dir": order.folder}
    outputs = 0
    with TopologyTestDriver(TOPOLOGIES[work](store_type), config) as driver:
        source = driver.create_input_topic(INPUT, serdes.string, serdes.long)
        sink = driver.create_output_topic(OUTPUT, serdes.bytes, serdes.bytes)
        start = perf_counter()
        for first in range(0, len(events), _PIECE_RECORDS):
            piece = events[first : first + _PIECE_RECORDS]
            source.pipe_key_value_list(piece, BASE_MS + first, 1)
            outputs += len(sink.read_key_values_to_list())
        seconds = perf_counter() - start
    if outputs != expected_outputs(work, events):
        raise RuntimeError(f"{outputs} results")
    return rate(order, seconds)


# ---- from folder to folder ----------------------------------------------------------------------


def fill_events(order: Order) -> Figures:
    """Write the events that those below read."""
    _create_topics(order.log_dir, INPUT)
    events = make_events(order.total)
    start = perf_counter()
    with Producer({"log.dir": order.log_dir, "acks": "1"}) as producer:
        for time, (key, value) in enumerate(events, BASE_MS):
            producer.produce(INPUT, key=key, value=value.to_bytes(8, "big"), timestamp=time)
    return rate(order, perf_counter() - start)


def folder_to_folder(order: Order) -> Figures:
    """All events from a topic to a topic, with serdes and a changelog; until all is committed."""
    work = str(order.extra["work"])
    name = f"{APPLICATION}-{os.getpid()}"
    output = f"{OUTPUT}-{name}"
    _create_topics(order.log_dir, output)
    store_type = str(order.extra.get("store", "in_memory"))
    topology = TOPOLOGIES[work](store_type, output)
    config = {
        **EVERY_UPDATE,
        "application.id": name,
        "log.dir": order.log_dir,
        "state.dir": os.path.join(order.folder, "state"),
        "processing.guarantee": order.extra.get("guarantee", "at_least_once"),
        "topic.retention.ms": -1,
    }
    events = make_events(order.total)
    streams = Streams(topology, config)
    start = perf_counter()
    streams.run_to_end()
    seconds = perf_counter() - start
    _check_outputs(order, output, expected_outputs(work, events))
    return rate(order, seconds)


def _check_outputs(order: Order, topic: str, expected: int) -> None:
    consumer = Consumer({"log.dir": order.log_dir, "group.id": "check"})
    count, partition = 0, TopicPartition(topic, 0, 0)
    consumer.assign([partition])
    while messages := consumer.consume(10_000, 0.2):
        count += len(messages)
    consumer.close()
    if count != expected:
        raise RuntimeError(f"{count} results, {expected} expected")


def _create_topics(log_dir: str, *names: str) -> None:
    os.makedirs(log_dir, exist_ok=True)
    admin = AdminClient({"log.dir": log_dir})
    topics = [NewTopic(name, num_partitions=1, config={"retention.ms": "-1"}) for name in names]
    for future in admin.create_topics(topics).values():
        future.result()


# ---- restore ------------------------------------------------------------------------------------


class _Stopwatch(StateRestoreListener):
    """When restoring began and ended, and how many records it took."""

    def __init__(self) -> None:
        self.started_s = self.ended_s = 0.0
        self.records = 0

    def on_restore_start(self, *args: Any) -> None:
        self.started_s = perf_counter()

    def on_restore_end(self, topic_partition: Any, store_name: str, total: int) -> None:
        self.ended_s = perf_counter()
        self.records = total


def restore(order: Order) -> Figures:
    """Build the store of counts from a changelog of so many records."""
    changelog = f"{APPLICATION}-{STORE}-changelog"
    _create_topics(order.log_dir, INPUT, OUTPUT, changelog)
    events = make_events(order.total)
    with Producer({"log.dir": order.log_dir, "acks": "1"}) as producer:
        for time, (key, value) in enumerate(events, BASE_MS):
            producer.produce(changelog, key=key, value=value.to_bytes(8, "big"), timestamp=time)
    watch = _Stopwatch()
    streams = Streams(
        TOPOLOGIES["count"](str(order.extra.get("store", "in_memory"))),
        {
            "application.id": APPLICATION,
            "log.dir": order.log_dir,
            "state.dir": os.path.join(order.folder, "state"),
        },
    )
    streams.set_global_state_restore_listener(watch)
    with streams:
        if not streams.wait_for_state(State.RUNNING, _TIMEOUT_S):
            raise RuntimeError(f"it is {streams.state}")
    check_count(order, watch.records)
    return rate(order, watch.ended_s - watch.started_s)


# ---- memory -------------------------------------------------------------------------------------


def state_memory(order: Order) -> Figures:
    """Memory of a store: bytes a key of many keys, and what all the events of them add."""
    keys = max(KEYS, min(_MANY_KEYS, order.total // 10))
    with TopologyTestDriver(TOPOLOGIES["count"]("in_memory"), EVERY_UPDATE) as driver:
        source = driver.create_input_topic(INPUT, serdes.string, serdes.long)
        sink = driver.create_output_topic(OUTPUT, serdes.bytes, serdes.bytes)
        changelog = driver.create_output_topic(
            f"{driver.config.application_id}-{STORE}-changelog", serdes.bytes, serdes.bytes
        )

        def pipe(first_key: int, count: int) -> None:
            for first in range(first_key, first_key + count, _PIECE_RECORDS):
                last = min(first + _PIECE_RECORDS, first_key + count)
                source.pipe_key_value_list(((f"k{n:09}", 1) for n in range(first, last)), 0, 0)
                sink.read_key_values_to_list()
                changelog.read_key_values_to_list()

        pipe(0, _WARM_UP_RECORDS)
        before = _resident_bytes()
        pipe(_WARM_UP_RECORDS, keys)
        filled = _resident_bytes()
        for _ in range(max(1, order.total // keys)):
            pipe(_WARM_UP_RECORDS, keys)
        again = _resident_bytes()
    return {
        "keys": keys,
        "bytes_per_key": (filled - before) / keys,
        "growth_mb": (again - filled) / 1e6,
        "records": order.total,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


# ---- latency ------------------------------------------------------------------------------------


def stream_latency(order: Order) -> Figures:
    """From append to result, at so many events a second: one process, the application's threads."""
    _create_topics(order.log_dir, INPUT, OUTPUT)
    pause_ns = int(1e9 / float(str(order.extra["messages_per_s"])))
    streams = Streams(
        TOPOLOGIES["filter_map"]("in_memory"),
        {
            **EVERY_UPDATE,
            "application.id": APPLICATION,
            "log.dir": order.log_dir,
            "state.dir": os.path.join(order.folder, "state"),
        },
    )
    consumer = Consumer({"log.dir": order.log_dir, "group.id": "latency"})
    consumer.assign([TopicPartition(OUTPUT, 0, 0)])
    waits_us: list[float] = []
    with streams, Producer({"log.dir": order.log_dir, "acks": "1", "linger.ms": 0}) as producer:
        if not streams.wait_for_state(State.RUNNING, _TIMEOUT_S):
            raise RuntimeError(f"it is {streams.state}")
        due_ns = monotonic_ns()
        for _ in range(order.total):
            due_ns += pause_ns
            sleep(max(0, due_ns - monotonic_ns()) / 1e9)
            # An odd value is kept; its double comes back.
            sent_ns = monotonic_ns() // 10 * 10 + 1
            producer.produce(INPUT, key=b"k", value=sent_ns.to_bytes(8, "big"))
            producer.flush()
            message = consumer.poll(_TIMEOUT_S)
            if message is None or message.error() is not None:
                raise RuntimeError(f"no result: {message and message.error()}")
            waits_us.append((monotonic_ns() - int.from_bytes(message.value(), "big") // 2) / 1e3)
    consumer.close()
    hundredths = quantiles(waits_us, n=100)
    return {"records": order.total, "p50_us": median(waits_us), "p99_us": hundredths[98]}
