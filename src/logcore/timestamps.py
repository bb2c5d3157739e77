"""Offsets for times: the first record at or after a timestamp."""

import os
from typing import TYPE_CHECKING

from logcore import layout
from logcore.index import TimeIndex

if TYPE_CHECKING:
    from logcore.log import Log


def find_timestamp(log: "Log", timestamp_ms: int) -> tuple[int, int] | None:
    """The first record whose timestamp is at or after a time.

    Segments whose largest timestamp is older are passed over; in the first other one the time
    index says from which offset on to look, and its records are read.

    Args:
        log: a Log.
        timestamp_ms: ms since 1970.

    Returns:
        (offset, timestamp_ms), or None when every record is older.

    Source:
        Kafka UnifiedLog.fetchOffsetByTimestamp, LogSegment.findOffsetByTimestamp.
    """
    commit = log.commit()
    for segment in log.segments():
        is_active = segment.base_offset == commit["segment_base_offset"]
        if segment.next_offset <= log.log_start_offset:
            continue
        path = os.path.join(
            log.path, layout.segment_file_name(segment.base_offset, layout.TIME_INDEX_SUFFIX)
        )
        size = commit.get("time_index_size") if is_active else None
        index = TimeIndex(path, segment.base_offset, size)
        # The largest timestamp: of a sealed segment its last entry. Where the index is lost, look.
        largest_ms = commit["max_timestamp_ms"] if is_active else index.last_timestamp_ms()
        if largest_ms is not None and largest_ms < timestamp_ms:
            continue
        start = index.lookup(timestamp_ms)
        start = max(start, segment.base_offset, log.log_start_offset)
        if not start <= segment.next_offset:  # an index that is no use
            start = max(segment.base_offset, log.log_start_offset)
        for record in log.reader(start):
            if record.offset >= segment.next_offset:
                break
            if record.timestamp_ms >= timestamp_ms:
                return record.offset, record.timestamp_ms
    return None
