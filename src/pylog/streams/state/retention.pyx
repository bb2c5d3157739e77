"""Retention, for how long windows and sessions are kept, as Kafka Streams' RocksDB stores do it.

Data goes by the segment, an interval of time: a segment is kept until the whole of it is older than
the retention, and until then it may be written. What is older than the retention is not seen,
though it may still be there.
"""

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Retention:
    """How long the times of a store are kept.

    Args:
        name: of the store, for errors.
        retention_ms: behind stream time.
        segment_interval_ms: Kafka's default when None: half the retention, a minute at least.
        is_time_ordered: whether it is for results that are emitted when windows close.
        shows_one_ms_more: whether what is just as old as the retention is seen, which is so for
            windows in the order of time.

    Raises:
        ValueError: a time is out of range.
    """

    def __init__(self, str name, int64_t retention_ms, segment_interval_ms=None,
                 bint is_time_ordered=False, bint shows_one_ms_more=False):
        if retention_ms < 0:
            raise ValueError(f"store {name!r}: the retention is negative: {retention_ms} ms")
        if segment_interval_ms is None:
            segment_interval_ms = max(retention_ms // 2, 60_000)
        if segment_interval_ms < 1:
            raise ValueError(
                f"store {name!r}: the segment interval is below 1 ms: {segment_interval_ms}"
            )
        self.retention_ms = retention_ms
        self.segment_interval_ms = segment_interval_ms
        self.is_time_ordered = is_time_ordered
        self.shows_one_ms_more = shows_one_ms_more

    def layout(self):
        """What the rows of a store on disk depend on."""
        order = ", by time too" if self.is_time_ordered else ""
        return f"segments of {self.segment_interval_ms} ms{order}"
