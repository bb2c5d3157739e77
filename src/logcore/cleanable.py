"""What of a log compaction may clean, whether it is due, and which segments go together.

The log has a clean head, compared with itself before, a dirty part, and an end that is not to be
touched: the active segment, what is not stable yet, what is younger than min.compaction.lag.ms.

Source: Kafka LogCleanerManager.grabFilthiestCompactedLog, cleanableOffsets; Cleaner's
groupSegmentsBySize.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from logcore import cleaner_checkpoint, layout
from logcore.config import LogConfig
from logcore.retention import SegmentInfo

if TYPE_CHECKING:
    from logcore.log import Log

MAX_OFFSETS_IN_SEGMENT = 2**31 - 1
_HEADER_BYTES = 61


@dataclasses.dataclass(frozen=True, slots=True)
class Backlog:
    """What a cleaning would find.

    Attributes:
        segments: those that may be cleaned, oldest first.
        first_dirty_offset: records below it were cleaned before.
        end_offset: records from here on are not to be touched.
        clean_bytes: of the segments below first_dirty_offset.
        dirty_bytes: of the others.
        is_overdue: a dirty record is older than max.compaction.lag.ms.
    """

    segments: tuple[SegmentInfo, ...]
    first_dirty_offset: int
    end_offset: int
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool

    @property
    def dirty_ratio(self) -> float:
        """Share of the cleanable bytes that is dirty, 0..1."""
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    @property
    def work_bytes(self) -> int:
        """Bytes that a cleaning goes over: the dirty ones twice."""
        return self.clean_bytes + 2 * self.dirty_bytes

    def is_due(self, config: LogConfig) -> bool:
        """Whether a cleaning in the background would begin. Source: grabFilthiestCompactedLog."""
        if not config.is_compacted or not self.dirty_bytes:
            return False
        return self.is_overdue or self.dirty_ratio > config.min_cleanable_dirty_ratio


def look(log: "Log", now_ms: int, *, is_all_dirty: bool = False) -> Backlog:
    """What there is to clean, from names, sizes and times; takes no lock.

    Args:
        log: a Log.
        now_ms: wall clock, ms since 1970.
        is_all_dirty: as if nothing had been cleaned before.

    Source: Kafka LogCleanerManager.cleanableOffsets, maxCompactionDelay.
    """
    commit = log.commit()
    start_offset = log.log_start_offset
    sealed = [
        info for info in log.segments() if not info.is_active and info.next_offset > start_offset
    ]
    first_dirty_offset = cleaner_checkpoint.read(log.path) or 0
    if is_all_dirty or first_dirty_offset > commit["segment_base_offset"]:
        first_dirty_offset = 0
    first_dirty_offset = max(first_dirty_offset, start_offset)
    last_stable_offset = commit.get("last_stable_offset", log.log_end_offset)
    lag_ms = log.config.min_compaction_lag_ms
    cleanable: list[SegmentInfo] = []
    for info in sealed:
        is_young = lag_ms > 0 and info.largest_timestamp_ms > now_ms - lag_ms
        is_dirty = info.next_offset > first_dirty_offset
        if info.next_offset > last_stable_offset or (is_young and is_dirty):
            break
        cleanable.append(info)
    end_offset = cleanable[-1].next_offset if cleanable else first_dirty_offset
    dirty = [info for info in cleanable if info.next_offset > first_dirty_offset]
    limit_ms = now_ms - log.config.max_compaction_lag_ms
    return Backlog(
        tuple(cleanable),
        first_dirty_offset,
        end_offset,
        sum(info.size_bytes for info in cleanable) - sum(info.size_bytes for info in dirty),
        sum(info.size_bytes for info in dirty),
        limit_ms > 0 and any(_is_begun_before(log.path, info, limit_ms) for info in dirty),
    )


def _is_begun_before(folder: str, segment: SegmentInfo, limit_ms: int) -> bool:
    """Whether a segment's first batch is older than `limit_ms`."""
    path = os.path.join(folder, layout.segment_file_name(segment.base_offset))
    with contextlib.suppress(OSError), open(path, "rb") as file:
        head = file.read(_HEADER_BYTES)
        timestamp_ms = int.from_bytes(head[35:43], "big", signed=True)  # the largest of the batch
        return len(head) == _HEADER_BYTES and 0 < timestamp_ms < limit_ms
    return False


def roll_overdue(log: "Log", now_ms: int) -> bool:
    """Seal the active segment when its first record has waited for max.compaction.lag.ms.

    Kafka does so at the next append; a quiet topic would wait for it.
    """
    commit = log.commit()
    first_ms = commit.get("first_timestamp_ms", -1)
    if commit["end_position"] == 0 or first_ms < 0:
        return False
    if now_ms - first_ms <= log.config.max_compaction_lag_ms:
        return False
    log.roll()
    return True


def group_segments(
    infos: Sequence[SegmentInfo], config: LogConfig, index_bytes: Callable[[int], int]
) -> list[list[SegmentInfo]]:
    """Segments in groups that fit into one each: by bytes, index entries and range of offsets.

    Args:
        infos: oldest first.
        config: of the topic.
        index_bytes: size of the larger index of the segment at a base offset.

    Source: Kafka Cleaner.groupSegmentsBySize.
    """
    groups: list[list[SegmentInfo]] = []
    size_bytes = index_size_bytes = 0
    for info in infos:
        index_size = index_bytes(info.base_offset)
        fits = groups and (
            size_bytes + info.size_bytes <= config.segment_size_bytes
            and index_size_bytes + index_size <= config.segment_index_bytes
            and info.next_offset - 1 - groups[-1][0].base_offset <= MAX_OFFSETS_IN_SEGMENT
        )
        if not fits:
            groups.append([])
            size_bytes = index_size_bytes = 0
        groups[-1].append(info)
        size_bytes += info.size_bytes
        index_size_bytes += index_size
    return groups
