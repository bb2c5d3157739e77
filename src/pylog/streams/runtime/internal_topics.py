"""Internal topics: made by the application, named and configured as Kafka Streams does.

    <application.id>-<name>-repartition   cleanup.policy=delete, kept until they were read
    <application.id>-<store>-changelog    compact; windows: compact,delete and their retention;
                                          versioned: compact, not before the history is over

What the program asks for with `topic.` configs, or for one store or repartition, goes before.

Source: Kafka InternalTopicManager, InternalTopicConfig and its subclasses.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pylog import AdminClient, KafkaError, KafkaException
from pylog.admin import ConfigResource, NewTopic, ResourceType
from pylog.streams.errors import InvalidTopologyChangeError, StreamsError
from pylog.streams.subtopologies import Subtopology

_DAY_MS = 24 * 60 * 60 * 1000
_MAX_LONG = (1 << 63) - 1
_READY_TIMEOUT_S = 60.0
_RETRY_S = 0.05

_COMMON = {"message.timestamp.type": "CreateTime"}
_REPARTITION = {
    **_COMMON,
    "cleanup.policy": "delete",
    "segment.bytes": "52428800",
    "retention.ms": "-1",
}


@dataclass(frozen=True)
class WantedTopic:
    """An internal topic as it should be.

    Attributes:
        name: with the application's id.
        partition_count: exactly so many.
        configs: what it is made with; an existing topic keeps its own.
    """

    name: str
    partition_count: int
    configs: Mapping[str, str] = field(default_factory=dict)


def repartition_topic(name: str, partition_count: int, given: Mapping[str, str]) -> WantedTopic:
    """A repartition topic; `given` are the `topic.` configs."""
    return WantedTopic(name, partition_count, {**_REPARTITION, **given})


def changelog_topic(
    name: str,
    partition_count: int,
    builder: Any,
    given: Mapping[str, str],
    additional_retention_ms: int,
) -> WantedTopic:
    """The changelog of a store.

    Args:
        name: with the application's id.
        partition_count: as many as the store has tasks.
        builder: the StoreBuilder: its changelog_kind, log_config and retention.
        given: the `topic.` configs; log_config goes before.
        additional_retention_ms: windowstore.changelog.additional.retention.ms.
    """
    own = {str(key): str(value) for key, value in (builder.log_config or {}).items()}
    configs = {**_COMMON, "cleanup.policy": "compact", **given, **own}
    if builder.changelog_kind == "compact_delete":
        if "cleanup.policy" not in own:
            configs["cleanup.policy"] = given.get("cleanup.policy", "compact,delete")
        if "retention.ms" not in own:
            retention_ms = min(builder.retention_ms + additional_retention_ms, _MAX_LONG)
            configs["retention.ms"] = str(retention_ms)
    elif builder.changelog_kind == "versioned" and "min.compaction.lag.ms" not in own:
        lag_ms = min(builder.history_retention_ms + _DAY_MS, _MAX_LONG)
        configs["min.compaction.lag.ms"] = str(lag_ms)
    return WantedTopic(name, partition_count, configs)


def wanted_topics(
    subtopologies: Sequence[Subtopology],
    repartition_counts: Mapping[str, int],
    task_counts: Mapping[int, int],
    given: Mapping[str, str],
    additional_retention_ms: int,
) -> list[WantedTopic]:
    """All internal topics of an application.

    Args:
        subtopologies: of the topology.
        repartition_counts: by topic.
        task_counts: by subtopology.
        given: the `topic.` configs.
        additional_retention_ms: windowstore.changelog.additional.retention.ms.
    """
    wanted = [repartition_topic(name, count, given) for name, count in repartition_counts.items()]
    for part in subtopologies:
        if task_counts.get(part.id):
            wanted += [
                changelog_topic(name, task_counts[part.id], builder, given, additional_retention_ms)
                for name, builder in part.changelogs.items()
                if name not in part.source_topics
            ]
    return wanted


def make_ready(
    admin: AdminClient, wanted: Sequence[WantedTopic], replication_factor: int = -1
) -> list[WantedTopic]:
    """Make the topics that are missing, and check those that are there.

    Several instances may do so at once.

    Args:
        admin: of the folder or cluster.
        wanted: the topics.
        replication_factor: `replication.factor`, -1 for the broker's default.

    Returns:
        Those that were there already.

    Raises:
        InvalidTopologyChangeError: a topic has another partition count.
        StreamsError: a topic cannot be made.
    """
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    left = {topic.name: topic for topic in wanted}
    missing: set[str] | None = None
    while left:
        known = partition_counts(admin)
        for name, topic in list(left.items()):
            if known.get(name):
                _check_count(topic, known[name])
                del left[name]
        if missing is None:
            missing = set(left)
        if not left:
            break
        if time.monotonic() > deadline_s:
            raise StreamsError(f"internal topics that could not be made: {', '.join(left)}")
        if not _create(admin, list(left.values()), replication_factor):
            time.sleep(_RETRY_S)  # another instance is at it, or the cluster has yet to hear
    return [topic for topic in wanted if topic.name not in (missing or ())]


def other_policies(admin: AdminClient, topics: Sequence[WantedTopic]) -> list[str]:
    """What is to be said about topics whose cleanup.policy is not the wanted one.

    Args:
        admin: of the folder or cluster; one that may not describe configs says nothing.
        topics: they exist.
    """
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    found = []
    for topic, future in zip(
        topics, (admin.describe_configs(resources) if resources else {}).values(), strict=True
    ):
        try:
            policy = str(future.result()["cleanup.policy"].value)
        except (KafkaException, KeyError):
            continue
        wanted = topic.configs.get("cleanup.policy", "delete")
        if _words(policy) != _words(wanted):
            found.append(
                f"internal topic {topic.name} has cleanup.policy={policy}, and {wanted} is wanted: "
                "state may be lost or never cleaned up; it was not made by the application, or "
                f"was changed: pylog topics alter {topic.name} -c cleanup.policy={wanted}"
            )
    return found


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}


def _create(admin: AdminClient, topics: Sequence[WantedTopic], replication_factor: int) -> bool:
    """Make topics; False when some were there already."""
    futures = admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=topic.partition_count,
                replication_factor=replication_factor,
                config=dict(topic.configs),
            )
            for topic in topics
        ]
    )
    all_made = True
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise StreamsError(
                    f"internal topic {name} could not be made: {error.args[0].str()}"
                ) from error
            all_made = False
    return all_made


def _check_count(topic: WantedTopic, count: int) -> None:
    if count != topic.partition_count:
        raise InvalidTopologyChangeError(
            f"internal topic {topic.name} has {count} partitions and the topology needs "
            f"{topic.partition_count}: the source topics or the topology changed since it was "
            "made, or it was deleted and somebody made it anew; delete the application's internal "
            "topics and its state (clean_up()), or run under another application.id"
        )


def partition_counts(admin: AdminClient) -> dict[str, int]:
    """Partition counts of all topics that exist."""
    return {
        name: len(topic.partitions)
        for name, topic in admin.list_topics(timeout=30).topics.items()
        if topic.error is None
    }
