"""Offsets for times: the first record at or after a timestamp, the newest record."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logcore import layout
from logcore.batch import BatchView, iter_batches
from logcore.index import TimeIndex
from logcore.retention import SegmentInfo

if TYPE_CHECKING:
    from logcore.log import Log

_READ_BYTES = 1 << 20


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


def find_largest(log: "Log") -> tuple[int, int] | None:
    """The first record of those with the largest timestamp, markers included.

    Args:
        log: a Log.

    Returns:
        (offset, timestamp_ms), or None when there are no records, or none with a time.
    """
    commit = log.commit()
    best: tuple[int, SegmentInfo, int] | None = None  # timestamp, segment, from which offset on
    for segment in log.segments():
        if segment.next_offset <= log.log_start_offset or not segment.size_bytes:
            continue
        path = os.path.join(
            log.path, layout.segment_file_name(segment.base_offset, layout.TIME_INDEX_SUFFIX)
        )
        is_active = segment.base_offset == commit["segment_base_offset"]
        index = TimeIndex(path, segment.base_offset, commit.get("time_index_size"))
        if not is_active:
            index = TimeIndex(path, segment.base_offset)
        largest_ms = commit["max_timestamp_ms"] if is_active else index.last_timestamp_ms()
        if largest_ms is None:  # an index that is lost
            times = [batch.max_timestamp_ms for batch in _batches(log, segment, -1)]
            largest_ms = max(times, default=-1)
        if largest_ms >= 0 and (best is None or largest_ms > best[0]):
            best = largest_ms, segment, index.lookup(largest_ms)
    if best is None:
        return None
    largest_ms, segment, start = best
    for batch in _batches(log, segment, start):
        if batch.max_timestamp_ms == largest_ms:
            for record in batch.records():
                if record.timestamp_ms == largest_ms:
                    return record.offset, largest_ms
    return None


def _batches(log: "Log", segment: SegmentInfo, start: int) -> Iterator[BatchView]:
    """The batches of a segment from an offset on, markers included."""
    offset = max(start, segment.base_offset, log.log_start_offset)
    while offset < segment.next_offset:
        data = log.read(offset, _READ_BYTES)
        if not data:
            return
        for batch in iter_batches(data, check=False):  # the log's reader has checked it
            if batch.base_offset >= segment.next_offset:
                return
            yield batch
            offset = batch.next_offset
