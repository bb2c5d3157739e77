"""Lag: how many records a group has yet to read in a partition.

A partition's last records may be the markers of transactions. Nobody reads those, and who commits
"the record after the last one I read" stands before them for ever: counted up to the log's end, the
lag of a group that has read everything would never be 0. So it is counted up to the last data.
"""

from logcore.batch import iter_batches
from logcore.log import Log

_FIRST_WINDOW = 16  # offsets; a marker takes one


def data_end_offset(log: Log, from_offset: int) -> int:
    """The offset after the last data record that is at or above `from_offset`.

    Without any it is `from_offset`, or the log's start where that is later.

    Reads back from the log's end as far as there are markers: mostly one batch.

    Args:
        log: of the partition.
        from_offset: where to stop looking back.
    """
    end_offset = log.log_end_offset
    lowest_offset = max(from_offset, log.log_start_offset)
    window = _FIRST_WINDOW
    upper_offset = end_offset
    while upper_offset > lowest_offset:
        lower_offset = max(lowest_offset, end_offset - window)
        found = _last_data_between(log, lower_offset, upper_offset)
        if found is not None:
            return max(found, lowest_offset)
        upper_offset = lower_offset
        window *= 8
    return lowest_offset


def _last_data_between(log: Log, lower_offset: int, upper_offset: int) -> int | None:
    """The offset after the last data batch that begins before `upper_offset`."""
    found = None
    position_offset = lower_offset
    while position_offset < upper_offset:
        data = log.read(position_offset, 1 << 18)
        if not data:
            break
        for batch in iter_batches(data, check=False):
            if batch.base_offset >= upper_offset:
                return found
            if not batch.is_control and batch.record_count:
                found = batch.next_offset
            position_offset = batch.next_offset
    return found


def lag_of(log: Log, committed_offset: int) -> int:
    """Records at or above a committed offset; below 0 when it lies behind the log's end.

    Aborted records and markers in between are counted: they take an offset, and telling them
    apart would mean to read them all.
    """
    end_offset = log.log_end_offset
    if committed_offset >= end_offset:
        return end_offset - committed_offset
    return data_end_offset(log, committed_offset) - committed_offset
