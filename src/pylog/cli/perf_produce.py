"""The measured loop of `pylog perf produce`."""

import random
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pylog.cli import console, format_string
from pylog.cli.failures import CommandError
from pylog.cli.perf_report import MEGABYTE, Latencies, Report, process_metrics
from pylog.cli.topics import ensure_topic

Publish = Callable[[Report, Sequence[str]], None]

_CHUNK_RECORDS = 1000
_PAYLOAD_COUNT = 1000
_KEY_COUNT = 10_000
_FLUSH_TIMEOUT_S = 120.0
_INTERRUPTED_FLUSH_TIMEOUT_S = 10.0


def make_payloads(
    size_bytes: int, file: Path | None, delimiter: str, is_monotonic: bool
) -> list[bytes] | None:
    """Return the values to send in turn; None for counting numbers.

    Args:
        size_bytes: of random letters, unless there is a file.
        file: values to use instead.
        delimiter: between the values in the file, escapes allowed.
        is_monotonic: the value of record n is n as text.
    """
    if is_monotonic:
        return None
    if file is not None:
        separator = format_string.unescape(delimiter)
        if not separator:
            raise CommandError("--payload-delimiter must not be empty", exit_code=2)
        payloads = [part for part in file.read_bytes().split(separator) if part]
        if not payloads:
            raise CommandError(f"--payload-file {file} holds no payload")
        return payloads
    letters = random.Random(0)  # the same payloads in every run, as in Kafka's tool
    count = max(1, min(_PAYLOAD_COUNT, (16 * MEGABYTE) // size_bytes))
    return [bytes(letters.choices(range(65, 91), k=size_bytes)) for _ in range(count)]


class _Run:
    """One producer, its counters and its latencies."""

    def __init__(self, producer: Any, topic: str, interval_s: float, is_quiet: bool) -> None:
        self.producer = producer
        self.latencies = Latencies()
        self.sent = 0
        self.sent_bytes = 0
        self.failed = 0
        self.failure: Any = None
        self._topic = topic
        self._interval_s = interval_s
        self._is_quiet = is_quiet
        self._window_started_s = time.perf_counter()
        self._window_sent = 0
        self._window_bytes = 0
        self._window_samples = 0

    def send(self, keys: list[bytes | None], values: list[bytes]) -> None:
        """Send one chunk; the first record of it is timed."""
        self._send_one(keys[0], values[0], self._timed_callback())
        produce, topic = self.producer.produce, self._topic
        for value, key in zip(values[1:], keys[1:], strict=True):
            try:
                produce(topic, value, key)
            except BufferError:
                self._send_one(key, value, None)
        self.producer.poll(0)
        self.sent += len(values)
        self.sent_bytes += sum(map(len, values)) + sum(map(len, filter(None, keys)))

    def report_window(self) -> None:
        """Print Kafka's progress line if its time has come."""
        now_s = time.perf_counter()
        elapsed_s = now_s - self._window_started_s
        if self._is_quiet or elapsed_s < self._interval_s:
            return
        sent = self.sent - self._window_sent
        megabytes = (self.sent_bytes - self._window_bytes) / MEGABYTE
        samples = self.latencies.samples_us[self._window_samples :] or array("d", [0.0])
        console.out(
            f"{sent} records sent, {sent / elapsed_s:.1f} records/sec "
            f"({megabytes / elapsed_s:.2f} MB/sec), "
            f"{sum(samples) / len(samples) / 1000:.1f} ms avg latency, "
            f"{max(samples) / 1000:.1f} ms max latency."
        )
        self._window_started_s, self._window_sent = now_s, self.sent
        self._window_bytes, self._window_samples = (
            self.sent_bytes,
            len(self.latencies.samples_us),
        )

    def _send_one(self, key: bytes | None, value: bytes, callback: Any) -> None:
        while True:
            try:
                if callback is None:
                    self.producer.produce(self._topic, value=value, key=key)
                else:
                    self.producer.produce(self._topic, value=value, key=key, on_delivery=callback)
                return
            except BufferError:
                self.producer.poll(0.01)

    def _timed_callback(self) -> Callable[[Any, Any], None]:
        started_s = time.perf_counter()

        def take(error: Any, message: Any) -> None:
            if error is None:
                self.latencies.samples_us.append((time.perf_counter() - started_s) * 1e6)
            else:
                self.failed += 1
                self.failure = self.failure or error

        return take


def run(
    folder: str,
    topic: str,
    *,
    partitions: int,
    num_records: int,
    payloads: list[bytes] | None,
    key_size_bytes: int,
    throughput: float,
    configuration: dict[str, str],
    reporting_interval_s: float,
    is_quiet: bool,
    publish: Publish,
) -> None:
    """Produce, wait until all is stored, and publish the figures; also after a Ctrl-C.

    Raises:
        CommandError: records were not stored.
    """
    from pylog import Producer

    producer = Producer(configuration | {"log.dir": folder})
    ensure_topic(folder, topic, partitions)
    state = _Run(producer, topic, reporting_interval_s, is_quiet)
    chunk_records = _CHUNK_RECORDS
    if throughput > 0:
        chunk_records = max(1, min(_CHUNK_RECORDS, int(throughput / 200)))
    chunks = _Chunks(payloads, key_size_bytes, chunk_records)
    started_s = time.perf_counter()
    timeout_s = _FLUSH_TIMEOUT_S
    interrupted: KeyboardInterrupt | None = None
    try:
        with console.progress(f"Producing to {topic}", num_records, quiet=not is_quiet) as bar:
            for first in range(0, num_records, chunk_records):
                count = min(chunk_records, num_records - first)
                state.send(*chunks.get(first, count))
                bar.advance(count)
                state.report_window()
                _throttle(throughput, state.sent, started_s)
                if state.failure is not None:
                    break
    except KeyboardInterrupt as exc:
        interrupted, timeout_s = exc, _INTERRUPTED_FLUSH_TIMEOUT_S
    waiting = producer.flush(timeout_s)
    seconds = time.perf_counter() - started_s
    producer.close(0)
    if state.failure is not None or (waiting and interrupted is None):
        reason = state.failure.str() if state.failure is not None else "the flush took too long"
        raise CommandError(f"{state.failed + waiting} records were not stored: {reason}")
    report = Report(
        "produce",
        topic,
        state.sent - waiting,
        state.sent_bytes,
        seconds,
        state.latencies.summary(),
        {"throughput": throughput, "key_size": key_size_bytes, **configuration},
        process_metrics(),
    )
    publish(report, [report.producer_line()])
    if interrupted is not None:
        raise interrupted


class _Chunks:
    """Keys and values of the records to send, prepared so that a chunk costs a slice."""

    def __init__(self, payloads: list[bytes] | None, key_size_bytes: int, chunk_records: int):
        self._payload_count = len(payloads or ())
        self._values: list[bytes] | None = None
        if payloads is not None:
            times = -(-(len(payloads) + chunk_records) // len(payloads))
            self._values = payloads * times
        self._keys: list[bytes | None] = [None] * (_KEY_COUNT + chunk_records)
        if key_size_bytes:
            digits = 10 ** min(key_size_bytes, 18)
            self._keys = [
                b"%0*d" % (key_size_bytes, number % _KEY_COUNT % digits)
                for number in range(_KEY_COUNT + chunk_records)
            ]

    def get(self, first: int, count: int) -> tuple[list[bytes | None], list[bytes]]:
        """Return keys and values of `count` records from number `first` on."""
        key_at = first % _KEY_COUNT
        keys = self._keys[key_at : key_at + count]
        if self._values is None:
            return keys, [b"%d" % number for number in range(first, first + count)]
        value_at = first % self._payload_count
        return keys, self._values[value_at : value_at + count]


def _throttle(throughput: float, sent: int, started_s: float) -> None:
    if throughput > 0:
        ahead_s = sent / throughput - (time.perf_counter() - started_s)
        if ahead_s > 0:
            time.sleep(ahead_s)
