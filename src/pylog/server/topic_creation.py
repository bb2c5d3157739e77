"""How the server makes topics: with its own defaults, within its limits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import refuse
from pylog.internal_topics import internal_configs, is_internal
from pylog.log_dir import TopicMetadata
from pylog.server.topic_defaults import topic_defaults

if TYPE_CHECKING:
    from pylog.server.broker import Broker

MOST_REPLICAS = 3
"""That may be asked for however few nodes there are: programs made for a cluster ask for it."""

MAX_TOPICS = 10_000
MAX_PARTITIONS_IN_ALL = 20_000


def create_topic(
    broker: "Broker",
    name: str,
    partitions: int | None,
    replication_factor: int,
    configs: Mapping[str, str | None],
    *,
    validate_only: bool = False,
) -> TopicMetadata:
    """Make a topic. Waits for the disk.

    Args:
        broker: whose defaults count.
        name: of the topic.
        partitions: None for the server's `num.partitions`.
        replication_factor: that clients are told; there is one copy.
        configs: of the topic; what is not there has the server's default.
        validate_only: only say whether it could be made.

    Raises:
        KafkaException: what LogDir.create_topic raises; POLICY_VIOLATION when there are too many.
    """
    count = broker.default_partitions if partitions is None else partitions
    check_room(broker, topic_count=1, partition_count=count)
    most = max(len(broker.node_ids), MOST_REPLICAS)
    if not 1 <= replication_factor <= most:
        refuse(
            KafkaError.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value."
            if replication_factor < 1
            else f"Unable to replicate the partition {replication_factor} time(s): there are "
            f"{len(broker.node_ids)} broker(s)",
        )
    nulls = sorted(key for key, value in configs.items() if value is None)
    if nulls:
        refuse(
            KafkaError.INVALID_CONFIG,
            f"Null value not supported for topic configs: {','.join(nulls)}",
        )
    defaults = internal_configs(name) if is_internal(name) else topic_defaults(broker.config)
    return broker.log_dir.create_topic(
        name,
        count,
        {**defaults, **configs},
        replication_factor=replication_factor,
        validate_only=validate_only,
    )


def check_room(broker: "Broker", *, topic_count: int, partition_count: int) -> None:
    """Refuse more topics and partitions than a server has.

    Raises:
        KafkaException: POLICY_VIOLATION.
    """
    known = broker.log_dir.topic_table()
    in_all = sum(topic.partitions for topic in known.values())
    if len(known) + topic_count > MAX_TOPICS or in_all + partition_count > MAX_PARTITIONS_IN_ALL:
        refuse(
            KafkaError.POLICY_VIOLATION,
            f"a server has at most {MAX_TOPICS} topics and {MAX_PARTITIONS_IN_ALL} partitions; "
            f"there are {len(known)} and {in_all}",
        )


def check_assignments(broker: "Broker", assignments: Sequence[Sequence[int]]) -> int:
    """Check where a client wants the copies of partitions to be; how many of each it wants.

    Raises:
        KafkaException: INVALID_REPLICA_ASSIGNMENT.
    """
    for replicas in assignments:
        if not replicas:
            reason = "The manual partition assignment includes an empty replica list."
        elif len(set(replicas)) != len(replicas):
            reason = (
                f"The manual partition assignment includes the broker {replicas[0]} more than once."
            )
        elif strangers := sorted(set(replicas) - set(broker.node_ids)):
            reason = (
                f"The manual partition assignment includes broker {strangers[0]}, but no such "
                "broker is registered."
            )
        elif len(replicas) != len(assignments[0]):
            reason = (
                "The manual partition assignment includes a partition with "
                f"{len(replicas)} replica(s), but this is not consistent with previous partitions, "
                f"which have {len(assignments[0])} replica(s)."
            )
        else:
            continue
        refuse(KafkaError.INVALID_REPLICA_ASSIGNMENT, reason)
    return len(assignments[0])


def create_automatically(broker: "Broker", name: str) -> None:
    """Make a topic that a client named; another program may be first. Waits for the disk."""
    try:
        partitions = 1 if is_internal(name) else None
        create_topic(broker, name, partitions, broker.default_replication_factor, {})
    except KafkaException as error:
        if error.args[0] != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
