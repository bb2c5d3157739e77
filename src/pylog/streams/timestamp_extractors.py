"""Timestamp extractors: what time a record is of.

One is an object with `extract(record, partition_time)`, or a function of these two: a
ConsumerRecord (key, value, timestamp, headers, topic, partition, offset) and the highest timestamp
that its partition has had, -1 at first. It returns an int, ms since 1970 (no float: seconds would
pass for milliseconds); the record is dropped if that is negative.
"""

import logging
import time
from typing import Any

from pylog.streams.errors import InvalidTimestampError

log = logging.getLogger(__name__)


class TimestampExtractor:
    """Base of those that take the record's own timestamp if it is valid, which is not negative."""

    def extract(self, record: Any, partition_time: int) -> int:
        """Return the record's time, ms since 1970, or a negative number to drop it."""
        if record.timestamp >= 0:
            return int(record.timestamp)
        return self.on_invalid_timestamp(record, partition_time)

    def on_invalid_timestamp(self, record: Any, partition_time: int) -> int:
        """Return the time of a record without a valid one."""
        raise NotImplementedError(f"{type(self).__name__}.on_invalid_timestamp")


class FailOnInvalidTimestamp(TimestampExtractor):
    """The default: a record without a valid timestamp is an error."""

    def on_invalid_timestamp(self, record: Any, partition_time: int) -> int:
        """Raise InvalidTimestampError."""
        raise InvalidTimestampError(
            f"topic {record.topic!r}, partition {record.partition}, offset {record.offset}: the "
            f"timestamp is {record.timestamp}; another timestamp extractor could skip the record "
            "or give it a time"
        )


class LogAndSkipOnInvalidTimestamp(TimestampExtractor):
    """A record without a valid timestamp is logged and dropped."""

    def on_invalid_timestamp(self, record: Any, partition_time: int) -> int:
        """Return what there is, which drops the record."""
        log.warning(
            "dropped for its timestamp %d: topic %r, partition %d, offset %d",
            record.timestamp,
            record.topic,
            record.partition,
            record.offset,
        )
        return int(record.timestamp)


class UsePartitionTimeOnInvalidTimestamp(TimestampExtractor):
    """A record without a valid timestamp takes the highest that its partition has had."""

    def on_invalid_timestamp(self, record: Any, partition_time: int) -> int:
        """Return the partition's time.

        Raises:
            InvalidTimestampError: it has none yet.
        """
        if partition_time < 0:
            raise InvalidTimestampError(
                f"topic {record.topic!r}, partition {record.partition}, offset {record.offset}: "
                f"the timestamp is {record.timestamp}, and no record of the partition had one yet"
            )
        return partition_time


class WallclockTimestampExtractor:
    """A record is of the time when it is read."""

    def extract(self, record: Any, partition_time: int) -> int:
        """Return the time now, ms since 1970."""
        return time.time_ns() // 1_000_000
