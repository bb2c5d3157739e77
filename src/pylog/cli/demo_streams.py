"""`pylog demo streams`: two stream applications on a folder, their results followed live.

They have a folder of their own beside the log's, which each run makes anew: an application goes on
where it was, and to an hour that is closed no flight can be added again.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylog.cli import console, flights, options, topics
from pylog.cli.demo_board import Board
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog import Consumer, Producer

NAMES = ["alice", "bob", "alice", "charlie", "alice", "bob", "dave", "alice", "charlie", "bob"]
PARTITIONS = 4
AIRPORTS = {"EWR": "Newark", "JFK": "Kennedy", "LGA": "La Guardia"}

_MARK = "made-by-pylog-demo"
_TIMEOUT_S = 120.0
_CHUNK_RECORDS = 500
_MOST_BEHIND = 2000
_FOREVER = {"retention.ms": "-1"}  # the flights are of 2013, and that is their timestamp
_DAY_MS = 86_400_000


def streams(
    folder: options.FolderOption = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only so many.", show_default=False),
    ] = None,
) -> None:
    """Count names, then the delays of 336,776 real departures by airport and hour.

    Two applications of pylog.streams on a folder of their own, made anew by each run.
    """
    data = flights.find_data_folder()
    place = _fresh_place(Path(f"{folder}-streams-demo"))
    console.out("1. How many times each name came")
    _count_names(place)
    console.out()
    console.out("2. Departures joined with their planes, by airport and hour")
    _follow_delays(place, data, limit)


def _fresh_place(place: Path) -> Path:
    """Return the demo's folder, empty."""
    if place.exists():
        if not (place / _MARK).is_file():
            raise CommandError(f"{place} is in the way: the demo did not make it")
        shutil.rmtree(place)
    place.mkdir(parents=True)
    (place / _MARK).touch()
    return place


class _Application:
    """A Streams that runs while the body does, and whose failure is the body's."""

    def __init__(self, place: Path, name: str, topology: Any) -> None:
        from pylog.streams import Streams, StreamThreadExceptionResponse

        self._error: BaseException | None = None
        self._streams = Streams(
            topology,
            {
                "application.id": name,
                "log.dir": place / "log",
                "state.dir": place / "state",
                "commit.interval.ms": 100,  # results appear at commits, and this is to be watched
            },
        )

        def on_error(error: BaseException) -> StreamThreadExceptionResponse:
            self._error = error
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT

        self._streams.set_uncaught_exception_handler(on_error)

    def __enter__(self) -> "_Application":
        self._streams.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._streams.close()

    def check(self) -> None:
        """Raise what the application failed with."""
        if self._error is not None:
            raise CommandError(f"the stream application failed: {self._error}")

    def dropped(self) -> dict[str, int]:
        """How many records it has dropped, by reason."""
        return self._streams.metrics.dropped_records()


class _Results:
    """The topic that an application writes to, read as it grows."""

    def __init__(self, place: Path, topic: str, application: _Application) -> None:
        from pylog import OFFSET_BEGINNING, TopicPartition
        from pylog.cli.consume import open_consumer

        self._application = application
        self._consumer: Consumer = open_consumer(
            str(place / "log"), {"enable.partition.eof": "false"}
        )
        self._consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])

    def read(self, timeout_s: float) -> Iterator[tuple[str, bytes]]:
        """Yield key and value of what is there, waiting for the first one if need be."""
        self._application.check()
        messages = self._consumer.consume(1000, 0) or self._consumer.consume(1, timeout_s)
        for message in messages:
            yield message.key().decode(), message.value()

    def until(self, is_done: Callable[[], bool], take: Callable[[str, bytes], object]) -> None:
        """Take results until it is done, as long as any come."""
        last_s = time.monotonic()
        while not is_done():
            for key, value in self.read(0.1):
                take(key, value)
                last_s = time.monotonic()
            if time.monotonic() - last_s > _TIMEOUT_S:
                raise CommandError(f"no result came for {_TIMEOUT_S:.0f} s")

    def close(self) -> None:
        self._consumer.close()


def _count_names(place: Path) -> None:
    from pylog.cli.demo_topologies import count_topology

    log = str(place / "log")
    for topic in ("input-stream", "counts"):
        topics.create_topic(log, topic, 1, {})
    counts: dict[str, int] = {}
    with _Application(place, "counts", count_topology()) as application:
        results = _Results(place, "counts", application)
        with _open_producer(log) as producer:
            for number, name in enumerate(NAMES):
                producer.produce("input-stream", key=f"page {number}", value=name)
                producer.flush(_TIMEOUT_S)

        def take(name: str, value: bytes) -> None:
            counts[name] = int.from_bytes(value, "big")
            console.out(f"   {name:<8} {counts[name]}")

        results.until(lambda: sum(counts.values()) == len(NAMES), take)
        results.close()


def _follow_delays(place: Path, data: Path, limit: int | None) -> None:
    from pylog.cli.demo_topologies import delay_topology

    log = str(place / "log")
    topics.create_topic(log, "flights", PARTITIONS, _FOREVER)
    topics.create_topic(log, "planes", PARTITIONS, _FOREVER)
    topics.create_topic(log, "delays", 1, _FOREVER)
    total = min(limit or flights.ROW_COUNT, flights.ROW_COUNT)
    with _open_producer(log) as producer:
        plane_count = _produce_planes(producer, data)
    board = Board(AIRPORTS, total)
    read = _Tally()
    started_s = time.perf_counter()
    with _Application(place, "delays", delay_topology(read.add)) as application, board:
        results = _Results(place, "delays", application)
        with _open_producer(log) as producer:
            rows = flights.read_timed_flights(data, limit)
            for produced in _produce_chunks(producer, rows):
                for airport, value in results.read(0):
                    board.take(airport, json.loads(value))
                while produced - read.count > _MOST_BEHIND:
                    for airport, value in results.read(0.02):
                        board.take(airport, json.loads(value))
                board.show(produced, read.count)
            _close_windows(producer, data)
        results.until(
            lambda: board.is_complete, lambda key, value: board.take(key, json.loads(value))
        )
        results.close()
        dropped = application.dropped()
    board.print_totals(read.count - 2 * len(AIRPORTS), plane_count, dropped)
    seconds = time.perf_counter() - started_s
    console.out(
        f"{console.count_text(total)} departures in {seconds:.1f} s, "
        f"{console.rate_text(total / seconds)}: read from CSV, produced, joined, repartitioned, "
        "aggregated"
    )
    _print_next_commands(place)


class _Tally:
    """Counts what the stream thread has read; one thread writes, another reads."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        self.count += 1


def _open_producer(log: str) -> "Producer":
    from pylog import Producer

    return Producer({"log.dir": log, "compression.type": "lz4", "partitioner": "murmur2_random"})


def _produce_planes(producer: "Producer", data: Path) -> int:
    """Write the planes, as of a day before all flights: records are read in the order of time."""
    before = flights.timestamp_ms("2012-12-31T00:00:00Z")
    count = 0
    for tail_number, plane in flights.read_planes(data):
        producer.produce("planes", key=tail_number, value=json.dumps(plane), timestamp=before)
        count += 1
    producer.flush(_TIMEOUT_S)
    return count


def _produce_chunks(
    producer: "Producer", rows: Iterator[tuple[bytes | None, bytes, int]]
) -> Iterator[int]:
    """Write the flights; yield how many, now and then."""
    produced = 0
    while chunk := list(islice(rows, _CHUNK_RECORDS)):
        for key, value, timestamp in chunk:
            producer.produce("flights", key=key, value=value, timestamp=timestamp)
        producer.flush(_TIMEOUT_S)
        produced += len(chunk)
        yield produced


def _close_windows(producer: "Producer", data: Path) -> None:
    """Write two flights more for each airport, later: only records move stream time on.

    The first is in a window that the second closes: its result is the last one.
    """
    tail_number = next(flights.read_planes(data))[0]
    for airport in AIRPORTS:
        flight = json.dumps({"origin": airport, "dep_delay": 0})
        for days in (30, 60):
            timestamp = flights.timestamp_ms("2014-01-01T00:00:00Z") + days * _DAY_MS
            producer.produce("flights", key=tail_number, value=flight, timestamp=timestamp)
    producer.flush(_TIMEOUT_S)


def _print_next_commands(place: Path) -> None:
    command = f"pylog --dir {place / 'log'}"
    console.out("Next, try:")
    for words, remark in (
        ("topics list", "the internal topics among them"),
        ("consume delays -o -3 -e", "the last 3 results"),
        ("consume planes -c 1 -J", "one plane"),
        ("groups describe delays", "how far the application is"),
    ):
        console.out(f"  {command} {words:<26}# {remark}")
