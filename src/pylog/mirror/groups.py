"""Offsets of consumer groups, moved to the target."""

from collections.abc import Callable, Sequence

import pylog.admin
from pylog.admin import AdminClient
from pylog.mirror import topics
from pylog.mirror.offset_syncs import OffsetSyncs
from pylog.mirror.places import TIMEOUT_S, Partition
from pylog.types import TopicPartition


def translate(
    source: AdminClient,
    target: AdminClient,
    wanted: Sequence[str],
    syncs: OffsetSyncs,
    end_offsets: dict[Partition, int],
    note: Callable[[str], None],
) -> int:
    """Commit at the target what groups committed at the source, in the target's offsets.

    Never backwards: a group that is further at the target stays there.

    Args:
        source: where the groups are.
        target: where they shall go on.
        wanted: group ids and ^patterns.
        syncs: of the topics that were copied.
        end_offsets: of the target's partitions: no group is put beyond.
        note: called with a sentence for what could not be moved.

    Returns:
        How many offsets were committed.
    """
    listed = source.list_consumer_groups().result(TIMEOUT_S).valid or []
    moved = 0
    for group in topics.matching((each.group_id for each in listed), wanted):
        offsets = []
        there = _committed(target, group)
        for place, found in _committed(source, group).items():
            if place not in end_offsets:
                continue
            offset = syncs.downstream(place, found.offset)
            if offset is None:
                note(
                    f"{group}: {place[0]} [{place[1]}]: offset {found.offset} is older than what "
                    "is known of the copy; not moved"
                )
                continue
            offset = min(offset, end_offsets[place])
            if place not in there or there[place].offset < offset:
                offsets.append(TopicPartition(*place, offset, found.metadata))
        moved += _commit(target, group, offsets, note)
    return moved


def _committed(admin: AdminClient, group: str) -> dict[Partition, TopicPartition]:
    request = pylog.admin.ConsumerGroupTopicPartitions(group)
    answer = admin.list_consumer_group_offsets([request])[group].result(TIMEOUT_S)
    return {
        (each.topic, each.partition): each
        for each in answer.topic_partitions or []
        if each.offset >= 0 and each.error is None
    }


def _commit(
    admin: AdminClient, group: str, offsets: list[TopicPartition], note: Callable[[str], None]
) -> int:
    if not offsets:
        return 0
    request = pylog.admin.ConsumerGroupTopicPartitions(group, offsets)
    answer = admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT_S)
    failed = [each for each in answer.topic_partitions or [] if each.error is not None]
    if failed:
        error = failed[0].error
        assert error is not None
        note(
            f"{group}: not moved, {error.str()} (a group with members at the target is left alone)"
        )
    return len(offsets) - len(failed)
