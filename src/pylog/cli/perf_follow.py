"""`pylog perf follow`: the way of a record from one process into another, measured.

The second process is this module: `python -m pylog.cli.perf_follow FOLDER TOPIC
OFFSET BUSY BATCH`.
Both read the same monotonic clock, which is one for the whole machine.
"""

import json
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pylog.cli.perf_report import Latencies, Report, process_metrics
from pylog.cli.second_process import SecondProcess
from pylog.cli.topics import ensure_topic

_STAMP = struct.Struct("<q")
_POLL_TIMEOUT_S = 0.1
_FLUSH_TIMEOUT_S = 60.0
_CHUNK_RECORDS = 1000
_NOT_STAMPED = bytes(_STAMP.size)


def run(
    folder: str,
    topic: str,
    *,
    num_records: int,
    record_size_bytes: int,
    throughput: float,
    busy_poll: bool,
    configuration: dict[str, str],
    publish: Callable[[Report, Sequence[str]], None],
) -> None:
    """Produce to partition 0 at the pace asked for while a second process reads it."""
    from pylog import Producer, TopicPartition
    from pylog.cli.consume import open_consumer

    # At a pace each record goes at once; without one, batches are what gives the rate.
    settings = {"acks": "1"} | ({"linger.ms": "0"} if throughput > 0 else {}) | configuration
    producer = Producer(settings | {"log.dir": folder})
    ensure_topic(folder, topic, 1)
    consumer = open_consumer(folder, {})
    place = TopicPartition(topic, 0)
    start_offset = consumer.get_watermark_offsets(place)[1]
    batch_max = 1 if throughput > 0 else _CHUNK_RECORDS
    arguments = [folder, topic, str(start_offset), str(int(busy_poll)), str(batch_max)]
    started_s = time.perf_counter()
    with SecondProcess("pylog.cli.perf_follow", arguments) as follower:
        if throughput > 0:
            _produce_paced(producer, topic, num_records, record_size_bytes, throughput)
        else:
            _produce_fast(producer, topic, num_records, record_size_bytes)
        producer.flush(_FLUSH_TIMEOUT_S)
        end_offset = consumer.get_watermark_offsets(place)[1]
        result = follower.finish({"end_offset": end_offset})
    producer.close()
    consumer.close()
    seconds = float(result["seconds"]) or time.perf_counter() - started_s
    report = Report(
        "follow",
        topic,
        int(result["count"]),
        int(result["count"]) * record_size_bytes,
        seconds,
        result["latency_us"],
        {"throughput": throughput, "busy.poll": busy_poll, **settings},
        process_metrics(),
    )
    publish(report, [report.producer_line().replace(" sent,", " followed,")])


def _produce_paced(
    producer: Any, topic: str, num_records: int, record_size_bytes: int, throughput: float
) -> None:
    rest = b"x" * (record_size_bytes - _STAMP.size)
    clock_ns = time.monotonic_ns
    started_ns = clock_ns()
    interval_ns = 1e9 / throughput
    for number in range(num_records):
        # Too late by a little now and then does no harm: the record's clock starts after this.
        ahead_ns = started_ns + number * interval_ns - clock_ns()
        if ahead_ns > 0:
            time.sleep(ahead_ns / 1e9)
        _produce_one(producer, topic, _STAMP.pack(clock_ns()) + rest)
        if number % _CHUNK_RECORDS == 0:
            producer.poll(0)


def _produce_fast(producer: Any, topic: str, num_records: int, record_size_bytes: int) -> None:
    """Produce without a pace; the first record of each chunk is timed."""
    rest = b"x" * (record_size_bytes - _STAMP.size)
    value = _NOT_STAMPED + rest
    produce = producer.produce
    for first in range(0, num_records, _CHUNK_RECORDS):
        _produce_one(producer, topic, _STAMP.pack(time.monotonic_ns()) + rest)
        for _ in range(first + 1, min(first + _CHUNK_RECORDS, num_records)):
            try:
                produce(topic, value, None, 0)
            except BufferError:
                _produce_one(producer, topic, value)
        producer.poll(0)


def _produce_one(producer: Any, topic: str, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value=value, partition=0)
            return
        except BufferError:
            producer.poll(0.01)


class _End:
    """Where the first process stopped, once it says so."""

    def __init__(self) -> None:
        self.offset: int | None = None
        threading.Thread(target=self._read, name="pylog-perf-stdin", daemon=True).start()

    def _read(self) -> None:
        line = sys.stdin.readline()
        self.offset = int(json.loads(line)["end_offset"]) if line else 0


def follow(folder: str, topic: str, offset: int, busy_poll: bool, batch_max: int) -> None:
    """Be the second process: read until everything sent has been seen."""
    from pylog import KafkaException, Message, TopicPartition
    from pylog.cli.consume import open_consumer

    configuration = {"enable.partition.eof": "false"}
    if busy_poll:
        configuration["busy.poll"] = "true"
    consumer = open_consumer(folder, configuration)
    consumer.assign([TopicPartition(topic, 0, offset)])
    end = _End()
    samples_us = array("d")
    clock_ns = time.monotonic_ns
    count = first_ns = last_ns = 0
    position = offset
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    while end.offset is None or position < end.offset:
        if batch_max == 1:
            message = consumer.poll(_POLL_TIMEOUT_S)
            messages = [] if message is None else [message]
        else:
            messages = consumer.consume(batch_max, 0) or consumer.consume(1, _POLL_TIMEOUT_S)
        if not messages:
            continue
        last_ns = clock_ns()
        for error in filter(None, map(Message.error, messages)):
            raise KafkaException(error)
        for sent_ns in _stamps(filter(None, map(Message.value, messages))):
            first_ns = first_ns or sent_ns
            samples_us.append((last_ns - sent_ns) / 1000)
        count += len(messages)
        position = (messages[-1].offset() or 0) + 1
    consumer.close()
    report = {
        "count": count,
        "seconds": (last_ns - first_ns) / 1e9,
        "latency_us": Latencies(samples_us).summary(),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def _stamps(values: Iterable[bytes]) -> list[int]:
    """Return when the values that carry a time were sent."""
    return [
        _STAMP.unpack_from(value)[0]
        for value in values
        if value[: _STAMP.size] != _NOT_STAMPED and len(value) >= _STAMP.size
    ]


def main() -> int:
    """Run as the second process; the first one says what is to be said."""
    try:
        follow(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1", int(sys.argv[5]))
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    except Exception as exc:
        from pylog.cli import failures

        sys.stdout.write(json.dumps({"error": failures.describe(exc)[0]}) + "\n")
        sys.stdout.flush()
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
