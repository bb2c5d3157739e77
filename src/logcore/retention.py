"""Which segments may go: pure functions of sizes, times and offsets.

Three rules, in this order, each going on where the one before stopped:

1. **log start**: all of the segment is below log_start_offset (delete_records moved it);
2. **size**: the log would still hold retention_bytes without the segment;
3. **time**: the segment's newest record is older than retention_ms.

A rule stops at the first segment it does not hold for, so what goes is always the oldest ones, and
none that reaches above the high watermark. The active segment may be among them unless it is
empty: then all has expired, and the caller rolls first, so that one segment is left.

Without `delete` in cleanup.policy only the first rule applies: pass NO_LIMIT for the others.

Source: Kafka UnifiedLog.deleteOldSegments and its three deletion rules, deletableSegments.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment of a partition.

    Attributes:
        base_offset: of its first record.
        size_bytes: of its .log.
        largest_timestamp_ms: of its records; the file's modification time when it has none.
        is_active: it is the one appended to.
        next_offset: where the next segment begins; the log end for the active one.
    """

    base_offset: int
    size_bytes: int
    largest_timestamp_ms: int
    is_active: bool
    next_offset: int


class Reason(enum.Enum):
    """Which rule lets a segment go."""

    LOG_START = "below the log start offset"
    SIZE = "over retention.bytes"
    TIME = "older than retention.ms"


class Deletion(NamedTuple):
    """A segment that may go, and why."""

    segment: SegmentInfo
    reason: Reason


def segments_to_delete(
    segments: Sequence[SegmentInfo],
    *,
    now_ms: int,
    retention_ms: int,
    retention_bytes: int,
    log_start_offset: int,
    high_watermark: int,
) -> list[Deletion]:
    """Return the oldest segments that may be deleted now, oldest first, with the reasons.

    Args:
        segments: all of the partition, oldest first; the active one is the last.
        now_ms: wall clock, ms since 1970.
        retention_ms: negative for no limit.
        retention_bytes: negative for no limit.
        log_start_offset: records below it are deleted already.
        high_watermark: records from it on are not to be deleted.

    Returns:
        Deletions of segments[0], segments[1] and so on. When the last is the active segment, the
        caller rolls before it deletes.

    >>> old, new = SegmentInfo(0, 100, 5_000, False, 10), SegmentInfo(10, 100, 9_000, True, 20)
    >>> limits = dict(retention_bytes=NO_LIMIT, log_start_offset=0, high_watermark=20)
    >>> for deletion in segments_to_delete([old, new], now_ms=9_500, retention_ms=1_000, **limits):
    ...     print(deletion.segment.base_offset, deletion.reason.value)
    0 older than retention.ms
    """
    deletions: list[Deletion] = []

    def apply(reason: Reason, has_expired: Callable[[SegmentInfo], bool]) -> None:
        for segment in segments[len(deletions) :]:
            is_empty_end = segment.is_active and segment.size_bytes == 0
            if is_empty_end or segment.next_offset > high_watermark or not has_expired(segment):
                return
            deletions.append(Deletion(segment, reason))

    apply(
        Reason.LOG_START,
        lambda segment: not segment.is_active and segment.next_offset <= log_start_offset,
    )
    if retention_bytes >= 0:
        surplus = sum(segment.size_bytes for segment in segments[len(deletions) :])
        surplus -= retention_bytes

        def is_surplus(segment: SegmentInfo) -> bool:
            nonlocal surplus
            if surplus < segment.size_bytes:
                return False
            surplus -= segment.size_bytes
            return True

        apply(Reason.SIZE, is_surplus)
    if retention_ms >= 0:
        apply(Reason.TIME, lambda segment: now_ms - segment.largest_timestamp_ms > retention_ms)
    return deletions


def count_to_delete(
    segments: Sequence[SegmentInfo],
    *,
    now_ms: int,
    retention_ms: int,
    retention_bytes: int,
    log_start_offset: int,
    high_watermark: int,
) -> int:
    """Return how many of the oldest segments may be deleted now; see segments_to_delete."""
    deletions = segments_to_delete(
        segments,
        now_ms=now_ms,
        retention_ms=retention_ms,
        retention_bytes=retention_bytes,
        log_start_offset=log_start_offset,
        high_watermark=high_watermark,
    )
    return len(deletions)
