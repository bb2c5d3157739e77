"""`pylog demo`: real flights into a topic, followed by a second process while it grows."""

import time
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import typer

from pylog.cli import console, demo_streams, flights, options, topics
from pylog.cli.failures import CommandError
from pylog.cli.second_process import SecondProcess

TOPIC = "flights"
PARTITIONS = 4

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
app.command("streams", short_help="Stream applications: counts, delays by airport and hour.")(
    demo_streams.streams
)

_CHUNK_RECORDS = 1000
_FLUSH_TIMEOUT_S = 120.0


@dataclass(slots=True)
class _Produced:
    """What the first process did: how much, and how long each part took."""

    count: int = 0
    log_seconds: float = 0.0
    total_seconds: float = 0.0


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    folder: options.FolderOption = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the topic `flights` first and start over.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only so many.", show_default=False),
    ] = None,
) -> None:
    """Store 336,776 real departures in topic `flights` and follow them from a second process.

    Run it again and it continues the same log.
    """
    if context.invoked_subcommand is not None:
        return
    data = flights.find_data_folder()
    partitions, before = _prepare_topic(folder, fresh)
    total = min(limit or flights.ROW_COUNT, flights.ROW_COUNT)
    console.out(
        f"{console.count_text(total)} departures from New York in 2013 go to topic {TOPIC} "
        f"({partitions} partitions) in {folder}"
    )
    if before:
        console.out(
            f"The topic holds {console.count_text(before)} records already; this run appends. "
            "Start over with: pylog demo --fresh"
        )
    with (
        console.progress("Producing", total) as bar,
        SecondProcess(
            "pylog.cli.demo_follower",
            [folder, TOPIC, str(partitions)],
            lambda report: bar.describe(_follower_text(report)),
        ) as follower,
    ):
        produced = _produce_all(folder, data, limit, bar)
        bar.describe("Waiting for the second process")
        followed = follower.finish(_end_offsets(folder, partitions))
    _print_results(folder, flights.read_airlines(data), produced, followed)


def _prepare_topic(folder: str, fresh: bool) -> tuple[int, int]:
    """Return how many partitions the topic has, and how many records it held before."""
    counts = topics.partition_counts(folder)
    if fresh and TOPIC in counts:
        topics.delete_topic(folder, TOPIC)
        console.out(f"Deleted topic {TOPIC}.")
        del counts[TOPIC]
    if TOPIC not in counts:
        # The flights must stay for the next run, however long that takes.
        topics.create_topic(folder, TOPIC, PARTITIONS, {"retention.ms": "-1"})
        return PARTITIONS, 0
    from pylog import TopicPartition
    from pylog.cli.consume import open_consumer

    consumer = open_consumer(folder, {})
    before = 0
    for partition in range(counts[TOPIC]):
        low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition))
        before += high - low
    consumer.close()
    return counts[TOPIC], before


def _produce_all(folder: str, data: Any, limit: int | None, bar: console.Progress) -> _Produced:
    from pylog import Producer

    produced = _Produced()
    producer = Producer({"log.dir": folder, "acks": "all", "compression.type": "lz4"})
    rows = flights.read_flights(data, limit)
    started_s = time.perf_counter()
    try:
        while chunk := list(islice(rows, _CHUNK_RECORDS)):
            chunk_started_s = time.perf_counter()
            for key, value in chunk:
                _produce_one(producer, key, value)
            producer.poll(0)
            produced.log_seconds += time.perf_counter() - chunk_started_s
            produced.count += len(chunk)
            bar.advance(len(chunk))
    finally:
        flush_started_s = time.perf_counter()
        waiting = producer.flush(_FLUSH_TIMEOUT_S)
    if waiting:
        raise CommandError(f"{waiting} records were not stored within {_FLUSH_TIMEOUT_S:.0f} s")
    now_s = time.perf_counter()
    produced.log_seconds += now_s - flush_started_s
    produced.total_seconds = now_s - started_s
    producer.close()
    return produced


def _produce_one(producer: Any, key: bytes | None, value: bytes) -> None:
    while True:
        try:
            producer.produce(TOPIC, value=value, key=key)
            return
        except BufferError:
            producer.poll(0.1)


def _end_offsets(folder: str, partitions: int) -> dict[int, int]:
    from pylog import TopicPartition
    from pylog.cli.consume import open_consumer

    consumer = open_consumer(folder, {})
    ends = {
        partition: consumer.get_watermark_offsets(TopicPartition(TOPIC, partition))[1]
        for partition in range(partitions)
    }
    consumer.close()
    return ends


def _follower_text(report: dict[str, Any]) -> str:
    count = console.count_text(report.get("count", 0))
    lag = console.count_text(report.get("lag", 0))
    return f"Producing; followed {count}, {lag} behind"


def _print_results(
    folder: str, airlines: dict[str, str], produced: _Produced, followed: dict[str, Any]
) -> None:
    rows = []
    for code, (count, cancelled, delay_minutes) in sorted(
        followed["carriers"].items(), key=lambda item: -item[1][0]
    ):
        departed = count - cancelled
        mean_delay = f"{delay_minutes / departed:.1f}" if departed else "-"
        rows.append(
            (
                code,
                airlines.get(code, ""),
                console.count_text(count),
                console.count_text(cancelled),
                mean_delay,
            )
        )
    console.table(
        ("carrier", "airline", "flights", "cancelled", "mean delay, min"),
        rows,
        title=f"What the second process read: {console.count_text(followed['count'])} records",
        numbers=(2, 3, 4),
    )
    size_bytes = sum(console.folder_size_bytes(path) for path in _partition_folders(folder, TOPIC))
    console.table(
        ("measured", "", ""),
        [
            (
                "produce",
                console.rate_text(produced.count / max(produced.log_seconds, 1e-9)),
                "in produce() and flush(); acks=all, lz4",
            ),
            (
                "with CSV to JSON",
                console.rate_text(produced.count / max(produced.total_seconds, 1e-9)),
                f"{console.count_text(produced.count)} records in {produced.total_seconds:.1f} s",
            ),
            (
                "second process",
                console.rate_text(followed["count"] / max(followed["seconds"], 1e-9)),
                f"JSON parsed; at most {console.count_text(followed['lag_max'])} behind",
            ),
            (
                "on disk",
                console.bytes_text(size_bytes),
                f"{size_bytes / max(followed['count'], 1):.0f} bytes a record",
            ),
        ],
        numbers=(1,),
    )
    _print_next_commands(folder)


def _partition_folders(folder: str, topic: str) -> list[str]:
    return [f"{folder}/{topic}-{index}" for index in range(topics.partition_counts(folder)[topic])]


def _print_next_commands(folder: str) -> None:
    place = "" if folder == options.DEFAULT_FOLDER else f" --dir {folder}"
    console.out("Next, try:")
    for command, remark in (
        (f"pylog{place} consume {TOPIC} -o -3 -e", "the last 3 records of each partition"),
        (f"pylog{place} consume {TOPIC} -c 1 -J", "one record with all that belongs to it"),
        (f"pylog{place} topics describe {TOPIC}", "offsets and sizes"),
        (f"pylog{place} doctor", "verify every checksum"),
        (f"pylog{place} perf produce", "how fast this machine is without CSV and JSON"),
        (f"pylog{place} demo --fresh", "start over"),
    ):
        console.out(f"  {command:<{44 + len(place)}}# {remark}")
