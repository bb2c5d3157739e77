"""`pylog perf follow`: the way of a record from one process into another, measured.

The second process is this module: `python -m pylog.cli.perf_follow FOLDER TOPIC OFFSET BUSY`.
Both read the same monotonic clock, which is one for the whole machine.
"""

import json
import os
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from pylog.cli.perf_report import Latencies, Report, process_metrics
from pylog.cli.second_process import SecondProcess

_STAMP = struct.Struct("<q")
_POLL_TIMEOUT_S = 0.1
_FLUSH_TIMEOUT_S = 60.0
_SLEEP_S_MIN = 50e-6


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

    consumer = open_consumer(folder, {})
    end_offset = consumer.get_watermark_offsets(TopicPartition(topic, 0))[1]
    consumer.close()
    settings = {"acks": "1", "linger.ms": "0"} | configuration
    producer = Producer(settings | {"log.dir": folder})
    arguments = [folder, topic, str(end_offset), str(int(busy_poll))]
    started_s = time.perf_counter()
    with SecondProcess("pylog.cli.perf_follow", arguments) as follower:
        _produce_paced(producer, topic, num_records, record_size_bytes, throughput)
        producer.flush(_FLUSH_TIMEOUT_S)
        result = follower.finish({"count": num_records})
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
    rest = os.urandom(record_size_bytes - _STAMP.size)
    clock_ns = time.monotonic_ns
    started_ns = clock_ns()
    interval_ns = 1e9 / throughput if throughput > 0 else 0.0
    for number in range(num_records):
        if interval_ns:
            _wait_until(started_ns + number * interval_ns)
        while True:
            try:
                producer.produce(topic, value=_STAMP.pack(clock_ns()) + rest, partition=0)
                break
            except BufferError:
                producer.poll(0.01)
        if number % 1000 == 0:
            producer.poll(0)


def _wait_until(due_ns: float) -> None:
    """Sleep until shortly before the moment, then look at the clock."""
    ahead_s = (due_ns - time.monotonic_ns()) / 1e9
    while ahead_s > 0:
        if ahead_s > _SLEEP_S_MIN * 2:
            time.sleep(ahead_s - _SLEEP_S_MIN)
        ahead_s = (due_ns - time.monotonic_ns()) / 1e9


class _Wanted:
    """How many records the first process sent, once it says so."""

    def __init__(self) -> None:
        self.count: int | None = None
        threading.Thread(target=self._read, name="pylog-perf-stdin", daemon=True).start()

    def _read(self) -> None:
        line = sys.stdin.readline()
        self.count = int(json.loads(line)["count"]) if line else 0


def follow(folder: str, topic: str, offset: int, busy_poll: bool) -> None:
    """Be the second process: poll until everything sent has been seen."""
    from pylog import KafkaException, TopicPartition
    from pylog.cli.consume import open_consumer

    configuration = {"enable.partition.eof": "false"}
    if busy_poll:
        configuration["busy.poll"] = "true"
    consumer = open_consumer(folder, configuration)
    consumer.assign([TopicPartition(topic, 0, offset)])
    wanted = _Wanted()
    samples_us = array("d")
    poll, clock_ns, unpack = consumer.poll, time.monotonic_ns, _STAMP.unpack_from
    first_ns = last_ns = 0
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    while wanted.count is None or len(samples_us) < wanted.count:
        message = poll(_POLL_TIMEOUT_S)
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        last_ns = clock_ns()
        sent_ns = unpack(message.value())[0]
        first_ns = first_ns or sent_ns
        samples_us.append((last_ns - sent_ns) / 1000)
    consumer.close()
    report = {
        "count": len(samples_us),
        "seconds": (last_ns - first_ns) / 1e9,
        "latency_us": Latencies(samples_us).summary(),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run as the second process; the first one says what is to be said."""
    try:
        follow(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1")
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
