"""What `pylog groups` knows of a group, and its tables, in the look of kafka-consumer-groups."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pylog.cli import console

if TYPE_CHECKING:
    from pylog.admin import ConsumerGroupDescription
    from pylog.log_dir import LogDir

Partition = tuple[str, int]
TIMEOUT_S = 60.0
NONE = "-"

# Kafka's word for each of confluent_kafka's states.
STATE_NAMES = {
    "PREPARING_REBALANCING": "PreparingRebalance",
    "COMPLETING_REBALANCING": "CompletingRebalance",
    "STABLE": "Stable",
    "EMPTY": "Empty",
    "DEAD": "Dead",
}
_LEAST_WIDTH = 15


@dataclass(frozen=True, slots=True)
class OffsetRow:
    """A partition that a group has an offset for, or a member."""

    topic: str
    partition: int
    current_offset: int | None
    log_end_offset: int | None
    lag: int | None
    consumer_id: str | None
    host: str | None
    client_id: str | None


def state_of(described: "ConsumerGroupDescription") -> str:
    """A group's state in Kafka's words."""
    return STATE_NAMES[described.state.name]


def offset_rows(
    log_dir: "LogDir", described: "ConsumerGroupDescription", committed: dict[Partition, int]
) -> list[OffsetRow]:
    """A row for each partition with an offset or a member, in order."""
    from pylog.group.lag import lag_of

    owners = {
        (each.topic, each.partition): member
        for member in described.members
        for each in member.assignment.topic_partitions
    }
    topics = log_dir.topics()
    rows = []
    for topic, partition in sorted({*committed, *owners}):
        offset = committed.get((topic, partition))
        owner = owners.get((topic, partition))
        end = lag = None
        if topic in topics and partition < topics[topic].partitions:
            log = log_dir.partition(topic, partition)
            end = log.log_end_offset
            lag = None if offset is None else lag_of(log, offset)
        rows.append(
            OffsetRow(
                topic, partition, offset, end, lag,
                *((owner.member_id, owner.host, owner.client_id) if owner else (None, None, None)),
            )
        )  # fmt: skip
    return rows


def print_offsets(group_id: str, rows: Sequence[OffsetRow]) -> None:
    """The table of `describe`."""
    columns = ("GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")
    print_columns(
        (*columns, "CONSUMER-ID", "HOST", "CLIENT-ID"),
        [(group_id, *(NONE if cell is None else cell for cell in _cells(row))) for row in rows],
        narrow={2: 10},
    )


def _cells(row: OffsetRow) -> Iterable[Any]:
    return asdict(row).values()


def print_members(group_id: str, described: "ConsumerGroupDescription", is_verbose: bool) -> None:
    """The table of `describe --members`."""
    columns = ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"]
    rows = []
    for member in described.members:
        assigned = member.assignment.topic_partitions
        row: list[Any] = [group_id, member.member_id, member.host, member.client_id, len(assigned)]
        if is_verbose:
            row.append(assignment_text((each.topic, each.partition) for each in assigned) or NONE)
        rows.append(row)
    print_columns([*columns, "CURRENT-ASSIGNMENT"] if is_verbose else columns, rows)


def assignment_text(partitions: Iterable[Partition]) -> str:
    """Partitions as one word: `t:0,1;u:0`.

    >>> assignment_text([("t", 1), ("u", 0), ("t", 0)])
    't:0,1;u:0'
    """
    numbers: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        numbers.setdefault(topic, []).append(partition)
    return ";".join(f"{topic}:{','.join(map(str, found))}" for topic, found in numbers.items())


def print_state(group_id: str, described: "ConsumerGroupDescription") -> None:
    """The table of `describe --state`."""
    node = described.coordinator
    print_columns(
        ("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"),
        [
            (
                group_id,
                f"{node.host} ({node.id})",
                described.partition_assignor or NONE,
                state_of(described),
                len(described.members),
            )
        ],
        narrow={1: 25, 2: 20, 3: 20},
    )


def describe_json(
    group_id: str, described: "ConsumerGroupDescription", rows: Sequence[OffsetRow]
) -> dict[str, Any]:
    """A group for `describe --json`."""
    return {
        "group": group_id,
        "state": state_of(described),
        "assignment_strategy": described.partition_assignor or None,
        "coordinator": described.coordinator.host,
        "members": [
            {
                "consumer_id": member.member_id,
                "client_id": member.client_id,
                "host": member.host,
                "group_instance_id": member.group_instance_id,
                "assignment": [
                    {"topic": each.topic, "partition": each.partition}
                    for each in member.assignment.topic_partitions
                ],
            }
            for member in described.members
        ],
        "offsets": [asdict(row) for row in rows],
    }


def print_columns(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], narrow: dict[int, int] | None = None
) -> None:
    """Print rows below headings, each column as wide as its longest cell, 15 at least.

    Args:
        columns: headings.
        rows: cells.
        narrow: least widths of columns that have another one, by index.
    """
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [
        max(
            (narrow or {}).get(index, _LEAST_WIDTH), *(len(row[index]) for row in [columns, *texts])
        )
        for index in range(len(columns))
    ]
    for row in [columns, *texts]:
        line = " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.out(line.rstrip())
