"""How many partitions repartition topics have, and whether topics that must agree do.

A repartition topic has as many partitions as the largest topic that is read where it is written,
unless the program says how many; where those are repartition topics themselves, their counts come
first. Topics that are joined must agree: repartition topics adapt to the others.

Source: Kafka RepartitionTopics, CopartitionedTopicsEnforcer.
"""

from collections.abc import Mapping, Sequence

from pylog.streams.errors import MissingSourceTopicError, TopologyError
from pylog.streams.subtopologies import Subtopology


def check_sources(subtopologies: Sequence[Subtopology], known: Mapping[str, int]) -> None:
    """Refuse a topology whose source topics are not all there.

    Args:
        subtopologies: of the topology.
        known: partition counts of the topics that exist.

    Raises:
        MissingSourceTopicError: names them.
    """
    missing = {
        topic: part.id
        for part in subtopologies
        for topic in sorted(part.source_topics - part.repartition_source_topics.keys())
        if topic not in known
    }
    if missing:
        listed = ", ".join(f"{topic} (subtopology {number})" for topic, number in missing.items())
        raise MissingSourceTopicError(
            f"source topics that do not exist: {listed}; {how_to_make(sorted(missing))}"
        )


def how_to_make(topics: Sequence[str]) -> str:
    """What to do about topics that are not there, for an error."""
    commands = ", ".join(f"`pylog topics create {topic}`" for topic in topics)
    return f"make them before the application starts, with {commands} or AdminClient.create_topics"


def repartition_counts(
    subtopologies: Sequence[Subtopology], known: Mapping[str, int]
) -> dict[str, int]:
    """The partition counts of all repartition topics.

    Args:
        subtopologies: of the topology; those whose patterns match no topic yet have no say.
        known: partition counts of the topics that exist.

    Returns:
        Counts by topic; a topic is left out as long as nothing that exists leads to it.

    Raises:
        TopologyError: topics that must agree do not; named with their counts.
    """
    wanted = {
        name: topic
        for part in subtopologies
        for name, topic in part.repartition_source_topics.items()
    }
    counts = {
        name: topic.partition_count
        for name, topic in wanted.items()
        if topic.partition_count is not None
    }
    changed = True
    while changed:
        changed = False
        for name in wanted:
            if name not in counts:
                count = _largest_upstream(name, subtopologies, counts, known)
                if count:
                    counts[name] = count
                    changed = True
    enforced = {name for name, topic in wanted.items() if topic.is_enforced}
    for part in subtopologies:
        for group in part.copartition_groups:
            _make_equal(group, counts, enforced, known)
    return counts


def _largest_upstream(
    topic: str,
    subtopologies: Sequence[Subtopology],
    counts: Mapping[str, int],
    known: Mapping[str, int],
) -> int:
    largest = 0
    for part in subtopologies:
        if topic in part.repartition_sink_topics:
            for source in part.source_topics:
                own = source in part.repartition_source_topics
                largest = max(largest, (counts if own else known).get(source, 0))
    return largest


def _make_equal(
    group: frozenset[str], counts: dict[str, int], enforced: set[str], known: Mapping[str, int]
) -> None:
    """Let the repartition topics of a group have the partition count that it must have."""
    adaptable = {topic: counts[topic] for topic in group if topic in counts}
    fixed = {topic: known[topic] for topic in group if topic not in counts and topic in known}
    if not fixed:
        fixed = {topic: count for topic, count in adaptable.items() if topic in enforced}
    if len(set(fixed.values())) > 1:
        raise _disagreement(fixed)
    if not adaptable:
        return
    count = next(iter(fixed.values())) if fixed else max(adaptable.values())
    for topic in adaptable:
        if topic in enforced and counts[topic] != count:
            raise _disagreement({**fixed, topic: counts[topic]})
        counts[topic] = count


def _disagreement(counts: Mapping[str, int]) -> TopologyError:
    listed = ", ".join(
        f"{topic} has {count} partition{'' if count == 1 else 's'}"
        for topic, count in sorted(counts.items())
    )
    return TopologyError(
        f"topics that are joined are not co-partitioned: {listed}; they must have the same number: "
        "put .repartition() before the join, or make the topics anew"
    )
