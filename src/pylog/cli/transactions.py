"""`pylog transactions`: list, describe, abort, find what hangs; the look of kafka-transactions."""

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylog.cli import console, options
from pylog.cli.failures import CommandError
from pylog.cli.topics import open_admin

if TYPE_CHECKING:
    from pylog.admin import AdminClient, ProducerState
    from pylog.types import TopicPartition

app = typer.Typer(
    help="List, describe and abort transactions.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_LIST_HEADINGS = ("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
_DESCRIBE_HEADINGS = (
    "CoordinatorId",
    "TransactionalId",
    "ProducerId",
    "ProducerEpoch",
    "TransactionState",
    "TransactionTimeoutMs",
    "CurrentTransactionStartTimeMs",
    "TransactionDurationMs",
    "TopicPartitions",
)
_PRODUCER_HEADINGS = (
    "ProducerId",
    "ProducerEpoch",
    "LatestCoordinatorEpoch",
    "LastSequence",
    "LastTimestamp",
    "CurrentTransactionStartOffset",
)
_HANGING_HEADINGS = (
    "Topic",
    "Partition",
    "ProducerId",
    "ProducerEpoch",
    "CoordinatorEpoch",
    "StartOffset",
    "LastTimestamp",
    "Duration(min)",
)

TopicOption = Annotated[
    str, typer.Option("--topic", metavar="TOPIC", help="Topic.", show_default=False)
]
PartitionOption = Annotated[
    int, typer.Option("--partition", metavar="N", help="Partition.", show_default=False)
]


@app.command("list")
def list_transactions(
    folder: options.FolderOption = "",
    duration_filter: Annotated[
        int,
        typer.Option(
            "--duration-filter",
            metavar="MS",
            help="Only transactions that are open for longer; below 0 for all.",
            show_default=False,
        ),
    ] = -1,
    json_output: options.JsonOption = False,
) -> None:
    """List the transactional ids of the folder, and how each stands."""
    admin = _open(folder)
    listings = admin.list_transactions(duration_ms=duration_filter).result()
    if json_output:
        console.out_json(
            [
                {
                    "transactional_id": listing.transactional_id,
                    "producer_id": listing.producer_id,
                    "state": listing.state.value,
                }
                for listing in listings
            ]
        )
        return
    _print_table(
        _LIST_HEADINGS,
        [
            (listing.transactional_id, 0, listing.producer_id, listing.state.value)
            for listing in listings
        ],
    )


@app.command("describe")
def describe(
    transactional_id: Annotated[
        str,
        typer.Option("--transactional-id", metavar="ID", help="Which.", show_default=False),
    ],
    folder: options.FolderOption = "",
    json_output: options.JsonOption = False,
) -> None:
    """Show one transactional id: its producer, its transaction, where that wrote to."""
    admin = _open(folder)
    futures = admin.describe_transactions([transactional_id])
    found = futures[transactional_id].result()
    start_ms = found.transaction_start_time_ms
    duration_ms = None if start_ms is None else time.time_ns() // 1_000_000 - start_ms
    row = (
        found.coordinator.id,
        transactional_id,
        found.producer_id,
        found.producer_epoch,
        found.state.value,
        found.transaction_timeout_ms,
        "None" if start_ms is None else start_ms,
        "None" if duration_ms is None else duration_ms,
        ",".join(f"{place.topic}-{place.partition}" for place in found.topic_partitions),
    )
    if json_output:
        console.out_json(
            {
                "transactional_id": transactional_id,
                "producer_id": found.producer_id,
                "producer_epoch": found.producer_epoch,
                "state": found.state.value,
                "timeout_ms": found.transaction_timeout_ms,
                "start_time_ms": start_ms,
                "partitions": [[place.topic, place.partition] for place in found.topic_partitions],
            }
        )
        return
    _print_table(_DESCRIBE_HEADINGS, [row])


@app.command("describe-producers")
def describe_producers(
    topic: TopicOption, partition: PartitionOption, folder: options.FolderOption = ""
) -> None:
    """Show what a partition knows of the producers that wrote to it of late."""
    admin = _open(folder)
    place = _place(topic, partition)
    rows = [
        (
            state.producer_id,
            state.producer_epoch,
            _or_minus_one(state.coordinator_epoch),
            state.last_sequence,
            state.last_timestamp,
            str(state.current_transaction_start_offset),
        )
        for state in _producers(admin, place)
    ]
    _print_table(_PRODUCER_HEADINGS, rows)


@app.command("abort")
def abort(
    folder: options.FolderOption = "",
    transactional_id: Annotated[
        str,
        typer.Option(
            "--transactional-id",
            metavar="ID",
            help="Abort its open transaction everywhere; its producer is fenced.",
            show_default=False,
        ),
    ] = "",
    topic: TopicOption = "",
    partition: PartitionOption = -1,
    start_offset: Annotated[
        int,
        typer.Option(
            "--start-offset",
            metavar="OFFSET",
            help="Where a transaction begins that hangs in this partition.",
            show_default=False,
        ),
    ] = -1,
) -> None:
    """Abort an open transaction: of a transactional id, or one that hangs in a partition."""
    if bool(transactional_id) == bool(topic):
        raise CommandError("give --transactional-id, or --topic, --partition and --start-offset")
    admin = _open(folder)
    if transactional_id:
        admin.force_terminate_transaction(transactional_id).result()
        return
    if partition < 0 or start_offset < 0:
        raise CommandError("--topic needs --partition and --start-offset")
    from pylog.admin import AbortTransactionSpec

    place = _place(topic, partition)
    for state in _producers(admin, place):
        if state.current_transaction_start_offset == start_offset:
            spec = AbortTransactionSpec(place, state.producer_id, state.producer_epoch)
            admin.abort_transaction(spec).result()
            return
    raise CommandError(
        f"Could not find any open transactions starting at offset {start_offset} on partition "
        f"{topic}-{partition}"
    )


@app.command("find-hanging")
def find_hanging(
    folder: options.FolderOption = "",
    topic: TopicOption = "",
    max_transaction_timeout: Annotated[
        int,
        typer.Option(
            "--max-transaction-timeout",
            metavar="MINUTES",
            min=0,
            help="Only what was last written longer ago.",
        ),
    ] = 15,
) -> None:
    """Find transactions that are open in a partition, and that nobody is going to end."""
    admin = _open(folder)
    known = {name: len(found.partitions) for name, found in admin.list_topics().topics.items()}
    if topic and topic not in known:
        raise CommandError(f"no topic {topic!r} in {folder}")
    ongoing = _open_places(admin)
    now_ms = time.time_ns() // 1_000_000
    rows: list[Sequence[Any]] = []
    for name in [topic] if topic else sorted(known):
        for number in range(known[name]):
            for state in _producers(admin, _place(name, number)):
                start_offset = state.current_transaction_start_offset
                age_min = (now_ms - state.last_timestamp) // 60_000
                if start_offset is None or (state.producer_id, name, number) in ongoing:
                    continue
                if age_min >= max_transaction_timeout:
                    rows.append(
                        (name, number, state.producer_id, state.producer_epoch,
                         _or_minus_one(state.coordinator_epoch), start_offset,
                         state.last_timestamp, age_min)
                    )  # fmt: skip
    _print_table(_HANGING_HEADINGS, rows)


def _open(folder: str) -> "AdminClient":
    options.require_folder(folder)
    return open_admin(folder)


def _place(topic: str, partition: int) -> "TopicPartition":
    from pylog import TopicPartition

    return TopicPartition(topic, partition)


def _producers(admin: "AdminClient", place: "TopicPartition") -> "list[ProducerState]":
    return admin.describe_producers([place])[place].result()


def _open_places(admin: "AdminClient") -> set[tuple[int, str, int]]:
    """(producer id, topic, partition) of what the coordinator is going to end."""
    names = [listing.transactional_id for listing in admin.list_transactions().result()]
    described = [future.result() for future in admin.describe_transactions(names).values()]
    return {
        (found.producer_id, place.topic, place.partition)
        for found in described
        for place in found.topic_partitions
    }


def _or_minus_one(value: int | None) -> int:
    return -1 if value is None else value


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as Kafka's tools do: columns as wide as need be, a tab after each."""
    lines = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, strict=True)
        console.out("".join(f"{cell:<{width}}\t" for cell, width in cells))
