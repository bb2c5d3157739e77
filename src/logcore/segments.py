"""The segments of a partition as files: list, describe, delete, retain."""

import contextlib
import os
import random
from typing import TYPE_CHECKING

from logcore import layout, retention
from logcore.config import LogConfig
from logcore.index import TimeIndex
from logcore.retention import SegmentInfo

if TYPE_CHECKING:
    from logcore.log import Log


def roll_jitter_ms(config: LogConfig) -> int:
    """How much earlier than segment.ms to roll, so that partitions do not all roll at once."""
    most = min(config.segment_jitter_ms, config.segment_ms)
    return random.randrange(most) if most > 0 else 0


def list_bases(folder: str) -> list[int]:
    """Base offsets of the .log files in a partition's folder, ascending."""
    names = map(layout.parse_segment_file_name, os.listdir(folder))
    return sorted(name[0] for name in names if name and name[1] == layout.LOG_SUFFIX)


def describe(log: "Log", bases: list[int], commit: dict[str, int]) -> list[SegmentInfo]:
    """SegmentInfo of each segment, oldest first. A file that went meanwhile is left out."""
    infos = []
    next_offsets = [*bases[1:], commit["log_end_offset"]]
    for base_offset, next_offset in zip(bases, next_offsets, strict=False):
        is_active = base_offset == commit["segment_base_offset"]
        path = os.path.join(log.path, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        largest_ms = (
            commit["max_timestamp_ms"] if is_active else _largest_timestamp_ms(log, base_offset)
        )
        if largest_ms is None or largest_ms < 0:
            largest_ms = status.st_mtime_ns // 1_000_000
        infos.append(
            SegmentInfo(
                base_offset=base_offset,
                size_bytes=commit["end_position"] if is_active else status.st_size,
                largest_timestamp_ms=largest_ms,
                is_active=is_active,
                next_offset=next_offset,
            )
        )
    return infos


def _largest_timestamp_ms(log: "Log", base_offset: int) -> int | None:
    name = layout.segment_file_name(base_offset, layout.TIME_INDEX_SUFFIX)
    last: int | None = TimeIndex(os.path.join(log.path, name), base_offset).last_timestamp_ms()
    return last


def delete_below(log: "Log", offset: int) -> list[SegmentInfo]:
    """Unlink the sealed segments all of whose records are below `offset`.

    Readers that have a segment mapped keep reading it: its bytes go with the last mapping.
    """
    if any(name.endswith(layout.SWAP_SUFFIX) for name in os.listdir(log.path)):
        return []  # a compaction is half-way: a name may stand for another segment than it says
    gone = [info for info in log.segments() if not info.is_active and info.next_offset <= offset]
    for info in gone:
        # The .log last: while it is there, a deletion that was interrupted is tried again.
        for suffix in reversed(layout.SEGMENT_SUFFIXES):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(
                    os.path.join(log.path, layout.segment_file_name(info.base_offset, suffix))
                )
    return gone


def apply_retention(log: "Log", now_ms: int) -> list[SegmentInfo]:
    """Delete what retention.ms, retention.bytes and the log start let go.

    The log start is raised, and that is durable, before any file goes.

    Returns:
        The deleted segments.

    Source:
        Kafka UnifiedLog.deleteOldSegments.
    """
    if "delete" in log.config.cleanup_policy:
        segments = log.segments()
        count = _count_to_delete(log, segments, now_ms)
        if count == len(segments) > 0 and segments[-1].size_bytes > 0:
            log.roll()  # all has expired: an empty active segment stays
        if count:
            log.raise_log_start(max(segments[count - 1].next_offset, log.log_start_offset))
    start = log.log_start_offset
    if any(not segment.is_active and segment.next_offset <= start for segment in log.segments()):
        log.write_recovery_mark()
    return delete_below(log, start)


def _count_to_delete(log: "Log", segments: list[SegmentInfo], now_ms: int) -> int:
    return retention.count_to_delete(
        segments,
        now_ms=now_ms,
        retention_ms=log.config.retention_ms,
        retention_bytes=log.config.retention_bytes,
        log_start_offset=log.log_start_offset,
        high_watermark=log.high_watermark,
    )
