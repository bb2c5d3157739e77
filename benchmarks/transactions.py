"""Measurements of idempotence and transactions, and of reading what they wrote."""

from time import perf_counter

import pylog
from benchmarks.clients import CONSUME_COUNT, check_durable, create_topic, open_consumer
from benchmarks.workload import TOPIC, Figures, Order, check_count, make_pairs, rate

TRANSACTION_RECORDS = 1000


def produce_idempotent(order: Order) -> Figures:
    """Produce every record by a call of its own, with sequence numbers; ends when flush returns."""
    create_topic(order)
    pairs = make_pairs(order.value_bytes)
    producer = pylog.Producer(
        {"log.dir": order.log_dir, "acks": order.extra["acks"], "enable.idempotence": True}
    )
    producer.produce(TOPIC, value=b"")  # its id is given once in a producer's life
    producer.flush()
    send = producer.produce
    start = perf_counter()
    for _ in range(order.blocks):
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
    unsent = producer.flush()
    seconds = perf_counter() - start
    check_count(order, order.total - unsent)
    _check_readable(order, 1 + order.total)
    return rate(order, seconds)


def produce_flushed(order: Order) -> Figures:
    """Produce every record by a call of its own; flush every 1,000 records."""
    create_topic(order)
    pairs = make_pairs(order.value_bytes, TRANSACTION_RECORDS)
    producer = pylog.Producer({"log.dir": order.log_dir, "acks": order.extra["acks"]})
    send = producer.produce
    start = perf_counter()
    for _ in range(order.total // TRANSACTION_RECORDS):
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
        producer.flush()
    seconds = perf_counter() - start
    _check_readable(order, order.total)
    if order.extra["acks"] == "all":
        check_durable(order)
    return rate(order, seconds)


def transactions(order: Order) -> Figures:
    """The same in transactions of 1,000 records."""
    create_topic(order)
    seconds = _write_transactions(order)
    _check_readable(order, order.total)
    return rate(order, seconds)


def fill_transactions(order: Order) -> Figures:
    """Write what the readers of transactions read."""
    return transactions(order)


def _write_transactions(order: Order) -> float:
    pairs = make_pairs(order.value_bytes, TRANSACTION_RECORDS)
    producer = pylog.Producer({
        "log.dir": order.log_dir,
        "transactional.id": "bench",
        "acks": order.extra["acks"],
    })  # fmt: skip
    producer.init_transactions()
    send = producer.produce
    start = perf_counter()
    for _ in range(order.total // TRANSACTION_RECORDS):
        producer.begin_transaction()
        for key, value in pairs:
            send(TOPIC, value=value, key=key)
        producer.commit_transaction()
    return perf_counter() - start


def consume_isolated(order: Order) -> Figures:
    """Read every record by consume(1000) at an isolation level, and take its value."""
    level = str(order.extra["isolation"])
    consumer, count = open_consumer(order, **{"isolation.level": level}), 0
    take, total = consumer.consume, order.total
    start = perf_counter()
    while count < total:
        messages = take(min(CONSUME_COUNT, total - count), 10.0)
        if not messages:
            break
        for message in messages:
            message.value()
        count += len(messages)
    seconds = perf_counter() - start
    check_count(order, count)
    return rate(order, seconds)


def _check_readable(order: Order, expected: int) -> None:
    """Refuse a figure when read_committed does not see what was written."""
    consumer, seen = open_consumer(order, **{"isolation.level": "read_committed"}), 0
    while seen < expected:
        messages = consumer.consume(min(10_000, expected - seen), 10.0)
        if not messages:
            break
        seen += len(messages)
    consumer.close()
    if seen != expected:
        raise RuntimeError(f"{seen} records can be read, {expected} were written")
