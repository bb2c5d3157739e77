"""The demo's second process: follows the topic while it grows and adds up what it reads.

    python -m pylog.cli.demo_follower FOLDER TOPIC

It writes one JSON line a tenth of a second on stdout (`count`, `lag`), until a line with the end
offsets comes in on stdin; once it has read up to there it writes the totals and ends. When either
pipe breaks, the first process is gone and it ends too.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pylog import Consumer, Message

REPORT_INTERVAL_S = 0.1


@dataclass(slots=True)
class CarrierTotal:
    """What is added up for one airline."""

    flights: int = 0
    cancelled: int = 0
    delay_minutes: int = 0


@dataclass(slots=True)
class Totals:
    """All that the follower has read so far."""

    count: int = 0
    other: int = 0
    lag_max: int = 0
    carriers: dict[str, CarrierTotal] = field(default_factory=dict)

    def add(self, value: bytes | None) -> None:
        """Add one message; one that is no flight is only counted."""
        self.count += 1
        try:
            flight = json.loads(value or b"")
            carrier, delay = flight["carrier"], flight["dep_delay"]
        except (ValueError, KeyError, TypeError):
            self.other += 1
            return
        total = self.carriers.get(str(carrier))
        if total is None:
            total = self.carriers[str(carrier)] = CarrierTotal()
        total.flights += 1
        if isinstance(delay, int):
            total.delay_minutes += delay
        else:
            total.cancelled += 1


class _EndLine:
    """The end offsets, once they come in on stdin."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] | None = None
        self.is_parent_gone = False
        threading.Thread(target=self._read, name="pylog-demo-stdin", daemon=True).start()

    def _read(self) -> None:
        line = sys.stdin.readline()
        if not line:
            self.is_parent_gone = True
            return
        self.offsets = {int(key): int(value) for key, value in json.loads(line).items()}


def follow(folder: str, topic: str, partitions: int) -> None:
    """Read the topic from its beginning until the end that stdin tells."""
    from pylog import OFFSET_BEGINNING, TopicPartition
    from pylog.cli.consume import open_consumer

    end_line = _EndLine()
    totals = Totals()
    consumer = open_consumer(folder, {"enable.partition.eof": "false"})
    consumer.assign(
        [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)]
    )
    _write({"ready": True})
    positions = dict.fromkeys(range(partitions), 0)
    first_s = last_s = reported_s = time.perf_counter()
    while not end_line.is_parent_gone:
        messages = consumer.consume(1000, 0) or consumer.consume(1, REPORT_INTERVAL_S / 2)
        _take(messages, totals, positions)
        now_s = time.perf_counter()
        if messages:
            first_s = first_s if totals.count > len(messages) else now_s
            last_s = now_s
        if now_s - reported_s >= REPORT_INTERVAL_S:
            reported_s = now_s
            lag = _lag(consumer, topic, positions)
            totals.lag_max = max(totals.lag_max, lag)
            _write({"count": totals.count, "lag": lag})
        end = end_line.offsets
        if end is not None and all(positions[key] >= offset for key, offset in end.items()):
            break
    consumer.close()
    _write(
        {
            "count": totals.count,
            "other": totals.other,
            "lag_max": totals.lag_max,
            "seconds": last_s - first_s,
            "carriers": {
                code: [total.flights, total.cancelled, total.delay_minutes]
                for code, total in totals.carriers.items()
            },
        }
    )


def _take(messages: list["Message"], totals: Totals, positions: dict[int, int]) -> None:
    from pylog import KafkaException

    for message in messages:
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        totals.add(message.value())
        positions[partition] = offset + 1


def _lag(consumer: "Consumer", topic: str, positions: dict[int, int]) -> int:
    from pylog import TopicPartition

    lag = 0
    for partition, position in positions.items():
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition))
        lag += high - max(low, position)
    return lag


def _write(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run as the second process; the first one says what is to be said."""
    try:
        follow(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    except Exception as exc:
        from pylog.cli import failures

        _write({"error": failures.describe(exc)[0]})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
