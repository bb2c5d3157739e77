"""Which segments may go: pure functions of sizes, times and offsets.

Source: Kafka UnifiedLog.deleteOldSegments and its three deletion rules.
"""

import dataclasses
from collections.abc import Sequence

NO_LIMIT = -1


@dataclasses.dataclass(frozen=True, slots=True)
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


def count_to_delete(
    segments: Sequence[SegmentInfo],
    *,
    now_ms: int,
    retention_ms: int,
    retention_bytes: int,
    log_start_offset: int,
    high_watermark: int,
) -> int:
    """How many of the oldest segments may be deleted now.

    Segments below the log start go first; then, oldest first, while the log without them still
    holds retention_bytes; then those whose newest record is older than retention_ms. Nothing that
    reaches above the high watermark goes. The active segment counts too, if it holds anything: the
    caller rolls first.

    Args:
        segments: oldest first.
        now_ms: wall clock, ms since 1970.
        retention_ms: -1 for no limit.
        retention_bytes: -1 for no limit.
        log_start_offset: records below it are deleted already.
        high_watermark: records from it on are not to be deleted.
    """

    def may_go(segment: SegmentInfo) -> bool:
        return segment.next_offset <= high_watermark and segment.size_bytes > 0

    count = 0
    while (
        count < len(segments)
        and not segments[count].is_active
        and segments[count].next_offset <= log_start_offset
    ):
        count += 1
    if retention_bytes != NO_LIMIT:
        surplus = sum(segment.size_bytes for segment in segments[count:]) - retention_bytes
        while (
            count < len(segments)
            and may_go(segments[count])
            and surplus >= segments[count].size_bytes
        ):
            surplus -= segments[count].size_bytes
            count += 1
    if retention_ms != NO_LIMIT:
        while (
            count < len(segments)
            and may_go(segments[count])
            and now_ms - segments[count].largest_timestamp_ms > retention_ms
        ):
            count += 1
    return count
