"""The storage core: one partition's log on disk, in Kafka's files.

`Log` is the partition; `BatchBuilder`, `BatchView` and `Record` are what goes in and comes out. It
knows no topic, no group and no network: pylog does. logcore.errors draws the tree of errors.
"""

from logcore.batch import BatchBuilder, BatchView, Record, crc32c, iter_batches, iter_records
from logcore.config import ConfigError, LogConfig
from logcore.errors import LogError
from logcore.log import Log
from logcore.reader import LogReader
from logcore.retention import SegmentInfo

__all__ = [
    "BatchBuilder",
    "BatchView",
    "ConfigError",
    "Log",
    "LogConfig",
    "LogError",
    "LogReader",
    "Record",
    "SegmentInfo",
    "crc32c",
    "iter_batches",
    "iter_records",
]
