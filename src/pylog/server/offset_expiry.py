"""Offsets that nobody needs any more go: offsets.retention.minutes.

A group without members loses its offsets when it has been without them for so long; a group that
never had members loses each so long after it was committed, as does a group with members of topics
that they do not read. An offset that was committed with a time of its own goes then. A group that
has neither members nor offsets goes too.

Source: Kafka OffsetMetadataManager.cleanupExpiredOffsets, ClassicGroup.offsetExpirationCondition.
"""

import contextlib
import logging
from collections.abc import Mapping

from pylog.errors import KafkaException
from pylog.group.consumer_member import ConsumerGroupState
from pylog.group.group_types import GroupState
from pylog.group.offset_table import Partition
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.shared_group import SharedGroup
from pylog.group.standing import Standing, known_groups, standing_of
from pylog.log_dir import LogDir

_log = logging.getLogger("pylog.server")


def expire(log_dir: LogDir, retention_ms: int, now_ms: int) -> int:
    """Let go what is old, in all groups. Waits for their mutexes.

    Args:
        log_dir: the folder.
        retention_ms: how long offsets are kept.
        now_ms: the wall clock.

    Returns:
        How many offsets went.

    Raises:
        KafkaException: the records of groups cannot be read.
    """
    count = 0
    for group_id in known_groups(log_dir):
        try:
            count += expire_group(log_dir, group_id, retention_ms, now_ms)
        except (KafkaException, OSError) as error:
            _log.warning("group %s: old offsets stay: %s", group_id, error)
    return count


def expire_group(log_dir: LogDir, group_id: str, retention_ms: int, now_ms: int) -> int:
    """Let go what is old in one group; how many offsets went.

    Args:
        log_dir: the folder.
        group_id: of the group.
        retention_ms: how long offsets are kept.
        now_ms: the wall clock.
    """
    offsets = GroupOffsets.of(log_dir)
    with contextlib.closing(SharedGroup.open(log_dir, group_id)) as shared, shared.held() as group:
        metadata = offsets.group_metadata(group_id)
        standing = standing_of(log_dir, group, metadata.protocol_type if metadata else "")
        empty_since_ms = metadata.state_timestamp_ms if metadata else -1
        stored, pending = offsets.stored(group_id), offsets.pending(group_id)
        going = [
            place
            for place in _find_old(standing, stored, empty_since_ms, retention_ms, now_ms)
            if place not in pending
        ]
        if not standing.members and not pending and len(going) == len(stored):
            offsets.delete_group(group_id)
            shared.forget()
        else:
            offsets.delete_offsets(group_id, going)
    return len(going)


def _find_old(
    standing: Standing,
    stored: Mapping[Partition, OffsetAndMetadata],
    empty_since_ms: int,
    retention_ms: int,
    now_ms: int,
) -> list[Partition]:
    kept: set[str] = set()
    least_ms = -1  # no offset counts as older than this
    if standing.members:
        if standing.state not in (GroupState.STABLE, ConsumerGroupState.STABLE):
            return []
        try:
            kept = standing.subscribed_topics()
        except KafkaException:
            return []
        if standing.protocol_type != "consumer":
            return []
    elif standing.consumer is None and not standing.is_simple:
        least_ms = empty_since_ms
    return [
        place
        for place, value in stored.items()
        if place[0] not in kept and _is_old(value, least_ms, retention_ms, now_ms)
    ]


def _is_old(value: OffsetAndMetadata, least_ms: int, retention_ms: int, now_ms: int) -> bool:
    if value.expire_timestamp_ms >= 0:
        return now_ms >= value.expire_timestamp_ms
    return now_ms - max(value.commit_timestamp_ms, least_ms) >= retention_ms
