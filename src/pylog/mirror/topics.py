"""Which topics are copied, and that the target has them."""

import re
from collections.abc import Iterable, Sequence

from pylog.admin import AdminClient, ConfigResource, ConfigSource, NewPartitions, NewTopic
from pylog.errors import KafkaError, KafkaException
from pylog.mirror.places import TIMEOUT_S, Place, refuse

# What belongs to the cluster that a topic is on, not to its records; as MirrorMaker 2 leaves out.
# message.timestamp.type too: with CreateTime at the target the source's timestamps stay.
_NOT_COPIED = frozenset(
    {
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.type",
        "min.insync.replicas",
        "unclean.leader.election.enable",
    }
)
_INTERNAL = re.compile(r"__.*|.*[-.]internal")


def is_internal(topic: str) -> bool:
    """Whether a topic is a cluster's or a mirror's own."""
    return _INTERNAL.fullmatch(topic) is not None


def matching(names: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Return the names that a list of names and ^patterns means, sorted.

    >>> matching(["a", "orders", "clicks", "clicks-2"], ["orders", "^click.*"])
    ['clicks', 'clicks-2', 'orders']
    """
    patterns = [re.compile(each) for each in wanted if each.startswith("^")]
    return sorted(
        name
        for name in set(names)
        if name in wanted or any(pattern.match(name) for pattern in patterns)
    )


def find(source: AdminClient, place: Place, wanted: Sequence[str]) -> dict[str, int]:
    """Return the partition counts of the topics meant, by name.

    Raises:
        KafkaException: a topic named in full is not there, or is internal.
    """
    topics = source.list_topics(timeout=TIMEOUT_S).topics
    for name in wanted:
        if name.startswith("^"):
            continue
        if is_internal(name):
            raise refuse(f"{name} is internal and not copied", KafkaError.TOPIC_EXCEPTION)
        if name not in topics or topics[name].error is not None:
            raise refuse(f"{place.name}: no topic {name}", KafkaError.UNKNOWN_TOPIC_OR_PART)
    names = matching((name for name in topics if not is_internal(name)), wanted)
    return {name: len(topics[name].partitions) for name in names}


def create_missing(source: AdminClient, target: AdminClient, counts: dict[str, int]) -> None:
    """Give the target these topics with the source's configs, and enough partitions."""
    there = target.list_topics(timeout=TIMEOUT_S).topics
    for name, count in counts.items():
        known = there.get(name)
        if known is None or known.error is not None:
            make(target, name, count, _configs(source, name))
        elif len(known.partitions) < count:
            grown = target.create_partitions([NewPartitions(name, count)])
            grown[name].result(TIMEOUT_S)


def make(admin: AdminClient, name: str, count: int, configs: dict[str, str]) -> None:
    """Make a topic unless it is there."""
    try:
        admin.create_topics([NewTopic(name, count, config=configs)])[name].result(TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _configs(source: AdminClient, name: str) -> dict[str, str]:
    (future,) = source.describe_configs([ConfigResource("topic", name)]).values()
    return {
        config: str(entry.value)
        for config, entry in future.result(TIMEOUT_S).items()
        if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        and entry.value is not None
        and config not in _NOT_COPIED
    }
