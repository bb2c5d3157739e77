"""Measurements of pylog's clients in one process: write, read, size on disk, memory."""

import os
from importlib import import_module
from pathlib import Path
from time import perf_counter

import pylog
from benchmarks.workload import TOPIC, Figures, Order, check_count, make_pairs, rate

CONSUME_COUNT = 1000
COLUMNS_RECORDS = 65_536
MEMORY_SAMPLES = 100
# What the interpreter, the imports and the first batches take is before the first sample that
# counts: the claim is that nothing is added after them.
MEMORY_SETTLED_SHARE = 0.1


def create_topic(order: Order) -> None:
    """Make the one-partition topic, so that no measurement pays for it."""
    with pylog.open(order.log_dir, acks=1) as log:
        log.topic(TOPIC, partitions=1)


def open_consumer(order: Order, **config: object) -> pylog.Consumer:
    """Return a consumer that stands at the beginning of the topic."""
    consumer = pylog.Consumer({"log.dir": order.log_dir, "group.id": "bench", **config})
    consumer.assign([pylog.TopicPartition(TOPIC, 0, 0)])
    return consumer


def produce(order: Order) -> Figures:
    """Produce every record by a call of its own; ends when flush returns."""
    create_topic(order)
    pairs = make_pairs(order.value_bytes)
    producer = pylog.Producer({"log.dir": order.log_dir, "acks": order.extra["acks"]})
    send = producer.produce
    start = perf_counter()
    for _ in range(order.blocks):
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
    unsent = producer.flush()
    seconds = perf_counter() - start
    if unsent:
        raise RuntimeError(f"flush left {unsent} messages")
    if order.extra["acks"] == "all":
        check_durable(order)
    check_end_offset(order)
    return rate(order, seconds)


def append_many(order: Order) -> Figures:
    """Append every record by calls of 1,000 (key, value) pairs."""
    create_topic(order)
    pairs = make_pairs(order.value_bytes)
    with pylog.open(order.log_dir, acks=order.extra.get("acks", 1)) as log:
        topic = log.topic(TOPIC)
        start = perf_counter()
        for _ in range(order.blocks):
            topic.append_many(pairs)
        seconds = perf_counter() - start
    check_end_offset(order)
    return rate(order, seconds)


def fill(order: Order) -> Figures:
    """Write what the reading measurements read: batches as a producer makes them."""
    return produce(order)


def consume(order: Order) -> Figures:
    """Read every record by consume(1000), without looking at it."""
    consumer, count = open_consumer(order), 0
    take, total = consumer.consume, order.total
    start = perf_counter()
    while count < total:
        count += len(take(CONSUME_COUNT, 10.0))
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def consume_value(order: Order) -> Figures:
    """Read every record by consume(1000) and take the value of each."""
    consumer, count = open_consumer(order), 0
    take, total = consumer.consume, order.total
    start = perf_counter()
    while count < total:
        messages = take(CONSUME_COUNT, 10.0)
        for message in messages:
            message.value()
        count += len(messages)
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def poll_value(order: Order) -> Figures:
    """Read every record by poll() and take its value."""
    consumer, count = open_consumer(order), 0
    poll, total = consumer.poll, order.total
    start = perf_counter()
    while count < total:
        message = poll(10.0)
        if message is None:
            break
        message.value()
        count += 1
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def columns(order: Order) -> Figures:
    """Read every record as numpy arrays of places and sizes, values untouched."""
    import_module("numpy")  # here, where no clock runs: pylog imports it when it is needed
    with pylog.open(order.log_dir) as log:
        topic = log.topic(TOPIC)
        count = 0
        start = perf_counter()
        while count < order.total:
            block = topic.columns(partition=0, offset=count, max_records=COLUMNS_RECORDS)
            count = block.next_offset
        seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def disk(order: Order) -> Figures:
    """Return the bytes a record takes on disk after a clean close, all files counted."""
    produce(order)
    files = [path for path in Path(order.log_dir).rglob("*") if path.is_file()]
    statuses = [path.stat() for path in files]
    log_bytes = sum(path.stat().st_size for path in files if path.suffix == ".log")
    return {
        "records": order.total,
        "bytes_per_record": sum(status.st_blocks for status in statuses) * 512 / order.total,
        "log_bytes_per_record": log_bytes / order.total,
    }


def memory(order: Order) -> Figures:
    """Produce every record and sample this process's resident memory all the while."""
    create_topic(order)
    pairs = make_pairs(order.value_bytes)
    producer = pylog.Producer({"log.dir": order.log_dir, "acks": 1})
    send = producer.produce
    every = max(1, order.blocks // MEMORY_SAMPLES)
    samples_kib = []
    for block in range(order.blocks):
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
        if block % every == 0:
            samples_kib.append(_status_kib("VmRSS"))
    producer.flush()
    samples_kib.append(_status_kib("VmRSS"))
    settled = samples_kib[int(len(samples_kib) * MEMORY_SETTLED_SHARE) :]
    return {
        "records": order.total,
        "samples": len(samples_kib),
        "peak_mb": _status_kib("VmHWM") * 1024 / 1e6,
        "first_mb": settled[0] * 1024 / 1e6,
        "last_mb": settled[-1] * 1024 / 1e6,
        "growth_mb": (max(settled) - settled[0]) * 1024 / 1e6,
    }


def check_end_offset(order: Order) -> None:
    """Refuse a figure when the log does not hold exactly what was ordered."""
    consumer = open_consumer(order)
    _low, high = consumer.get_watermark_offsets(pylog.TopicPartition(TOPIC, 0))
    consumer.close()
    check_count(order, high)


def check_durable(order: Order) -> None:
    """Refuse a figure of acks=all when something is still on its way to the disk."""
    with pylog.open(order.log_dir, acks=1) as log:
        check_count(order, log.topic(TOPIC).log().durable_offset)


def _status_kib(name: str) -> int:
    with open(f"/proc/{os.getpid()}/status") as file:
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")
