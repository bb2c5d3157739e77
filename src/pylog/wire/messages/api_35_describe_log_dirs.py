"""DescribeLogDirs, API key 35, versions 1-5, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribableLogDirTopic(Message):
    """Of DescribeLogDirsRequest.topics."""

    topic: str = field("string", default="")
    partitions: list[int] = array("int32", default=())


class DescribeLogDirsRequest(Message, versions="1-5", flexible="2+"):
    """Request of API key 35."""

    topics: list[DescribableLogDirTopic] | None = array(
        DescribableLogDirTopic, nullable="0+", default=()
    )


class DescribeLogDirsPartition(Message):
    """Of DescribeLogDirsTopic.partitions."""

    partition_index: int = field("int32", default=0)
    partition_size: int = field("int64", default=0)
    offset_lag: int = field("int64", default=0)
    is_future_key: bool = field("bool", default=False)


class DescribeLogDirsTopic(Message):
    """Of DescribeLogDirsResult.topics."""

    name: str = field("string", default="")
    partitions: list[DescribeLogDirsPartition] = array(DescribeLogDirsPartition, default=())


class DescribeLogDirsResult(Message):
    """Of DescribeLogDirsResponse.results."""

    error_code: int = field("int16", default=0)
    log_dir: str = field("string", default="")
    topics: list[DescribeLogDirsTopic] = array(DescribeLogDirsTopic, default=())
    total_bytes: int = field("int64", "4+", ignorable=True, default=-1)
    usable_bytes: int = field("int64", "4+", ignorable=True, default=-1)
    is_cordoned: bool = field("bool", "5+", ignorable=True, default=False)


class DescribeLogDirsResponse(Message, versions="1-5", flexible="2+"):
    """Response of API key 35."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", "3+", ignorable=True, default=0)
    results: list[DescribeLogDirsResult] = array(DescribeLogDirsResult, default=())
