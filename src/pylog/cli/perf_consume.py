"""The measured loop of `pylog perf consume`."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from pylog.cli import console
from pylog.cli.perf_report import MEGABYTE, Report, process_metrics

HEADER = (
    "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
    "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)
DETAIL_HEADER = (
    "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
    "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)
_BATCH_MAX = 1000


class _Counter:
    """How much has been read, and the lines that Kafka's tool prints about it."""

    def __init__(self, detail_interval_s: float | None) -> None:
        self.records = 0
        self.payload_bytes = 0
        self.started = datetime.now()
        self.started_s = time.perf_counter()
        self.ended_s = self.started_s
        self._detail_interval_s = detail_interval_s
        self._window = (self.started_s, 0, 0)

    def add(self, records: int, payload_bytes: int) -> None:
        """Count records, the last of which has just come."""
        self.records += records
        self.payload_bytes += payload_bytes
        self.ended_s = time.perf_counter()
        if self._detail_interval_s is None:
            return
        since_s, records_before, bytes_before = self._window
        elapsed_s = self.ended_s - since_s
        if elapsed_s >= self._detail_interval_s:
            megabytes = self.payload_bytes / MEGABYTE
            megabytes_rate = (self.payload_bytes - bytes_before) / MEGABYTE / elapsed_s
            rate = (self.records - records_before) / elapsed_s
            console.out(
                f"{_time_text(datetime.now())}, 0, {megabytes:.4f}, {megabytes_rate:.4f}, "
                f"{self.records}, {rate:.4f}, 0, {elapsed_s * 1000:.0f}, "
                f"{megabytes_rate:.4f}, {rate:.4f}"
            )
            self._window = (self.ended_s, self.records, self.payload_bytes)

    def line(self) -> str:
        """Return the summary line of kafka-consumer-perf-test."""
        seconds = max(self.ended_s - self.started_s, 1e-9)
        megabytes = self.payload_bytes / MEGABYTE
        return (
            f"{_time_text(self.started)}, {_time_text(datetime.now())}, {megabytes:.4f}, "
            f"{megabytes / seconds:.4f}, {self.records}, {self.records / seconds:.4f}, 0, "
            f"{seconds * 1000:.0f}, {megabytes / seconds:.4f}, {self.records / seconds:.4f}"
        )


def run(
    folder: str,
    topic: str,
    *,
    partitions: int,
    messages: int | None,
    timeout_s: float,
    way: str,
    from_latest: bool,
    configuration: dict[str, str],
    hide_header: bool,
    detail_interval_s: float | None,
    publish: Callable[[Report, Sequence[str]], None],
) -> None:
    """Read and publish the figures; also after a Ctrl-C.

    Args:
        folder: of the log.
        topic: to read, from its beginning unless `from_latest`.
        partitions: how many it has.
        messages: stop after so many; None for all there are now.
        timeout_s: give up when nothing came for so long.
        way: "consume" for lists of messages, "poll" for one at a time, "columns" for numpy.
        from_latest: start at the end.
        configuration: of the consumer.
        hide_header: no heading above Kafka's line.
        detail_interval_s: seconds between progress lines; None for none.
        publish: takes the report and the lines above the table.
    """
    from pylog.cli.consume import open_consumer, start_positions
    from pylog.cli.offsets import OffsetRange

    consumer = open_consumer(folder, {"enable.partition.eof": "false"} | configuration)
    every = list(range(partitions))
    ends = start_positions(consumer, topic, every, OffsetRange("end"))
    starts = ends if from_latest else start_positions(consumer, topic, every, OffsetRange())
    if messages is None and not from_latest:
        held = sum(end.offset - start.offset for start, end in zip(starts, ends, strict=True))
        messages, timeout_s = held, min(timeout_s, 1.0)
    if detail_interval_s is not None and not hide_header:
        console.out(DETAIL_HEADER)
    counter = _Counter(detail_interval_s)
    interrupted: KeyboardInterrupt | None = None
    try:
        if way == "columns":
            _read_columns(folder, topic, starts, messages, counter)
        else:
            consumer.assign(starts)
            read = _read_by_poll if way == "poll" else _read_by_consume
            read(consumer, messages, timeout_s, counter)
    except KeyboardInterrupt as exc:
        interrupted = exc
    consumer.close()
    if messages is not None and counter.records < messages and interrupted is None:
        console.note(
            f"WARNING: Exiting before consuming the expected number of messages: "
            f"{counter.records} of {messages} came within the timeout "
            f"({timeout_s * 1000:.0f} ms). See --timeout."
        )
    report = Report(
        "consume",
        topic,
        counter.records,
        counter.payload_bytes,
        counter.ended_s - counter.started_s,
        {},
        {"way": way, **configuration},
        process_metrics(),
    )
    is_detailed = detail_interval_s is not None
    header = [] if hide_header or is_detailed else [HEADER]
    publish(report, header if is_detailed else [*header, counter.line()])
    if interrupted is not None:
        raise interrupted


def _read_by_consume(
    consumer: Any, wanted: int | None, timeout_s: float, counter: _Counter
) -> None:
    """Read lists of messages, and key and value of each."""
    from pylog import Message

    while wanted is None or counter.records < wanted:
        limit = _BATCH_MAX if wanted is None else min(_BATCH_MAX, wanted - counter.records)
        # consume() waits until the list is full: only for the first one there is time.
        received = consumer.consume(limit, 0) or consumer.consume(1, timeout_s)
        if not received:
            return
        _raise_errors(filter(None, map(Message.error, received)))
        payload_bytes = sum(map(len, filter(None, map(Message.value, received))))
        payload_bytes += sum(map(len, filter(None, map(Message.key, received))))
        counter.add(len(received), payload_bytes)


def _read_by_poll(consumer: Any, wanted: int | None, timeout_s: float, counter: _Counter) -> None:
    """Read one message at a time, and its key and value."""
    poll = consumer.poll
    while wanted is None or counter.records < wanted:
        limit = _BATCH_MAX if wanted is None else min(_BATCH_MAX, wanted - counter.records)
        count = payload_bytes = 0
        message = poll(timeout_s)
        if message is None:
            return
        while message is not None:
            error = message.error()
            if error is not None:
                _raise_errors([error])
            payload_bytes += len(message.value() or b"") + len(message.key() or b"")
            count += 1
            message = poll(0) if count < limit else None
        counter.add(count, payload_bytes)


def _raise_errors(errors: Iterable[Any]) -> None:
    from pylog import KafkaException

    for error in errors:
        raise KafkaException(error)


def _read_columns(
    folder: str, topic: str, starts: Sequence[Any], wanted: int | None, counter: _Counter
) -> None:
    import pylog

    with pylog.open(folder, read_only=True) as log:
        reader = log.topic(topic)
        for start in starts:
            offset = start.offset
            while wanted is None or counter.records < wanted:
                columns = reader.columns(start.partition, offset)
                count = len(columns.offsets)
                if count == 0:
                    break
                payload_bytes = int(columns.key_sizes.clip(0).sum())
                payload_bytes += int(columns.value_sizes.clip(0).sum())
                counter.add(count, payload_bytes)
                offset = columns.next_offset


def _time_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}:{moment.microsecond // 1000:03d}"
