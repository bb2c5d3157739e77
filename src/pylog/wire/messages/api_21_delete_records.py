"""DeleteRecords, API key 21, versions 0-2, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DeleteRecordsPartition(Message):
    """Of DeleteRecordsTopic.partitions."""

    partition_index: int = field("int32", default=0)
    offset: int = field("int64", default=0)


class DeleteRecordsTopic(Message):
    """Of DeleteRecordsRequest.topics."""

    name: str = field("string", default="")
    partitions: list[DeleteRecordsPartition] = array(DeleteRecordsPartition, default=())


class DeleteRecordsRequest(Message, versions="0-2", flexible="2+"):
    """Request of API key 21."""

    topics: list[DeleteRecordsTopic] = array(DeleteRecordsTopic, default=())
    timeout_ms: int = field("int32", default=0)


class DeleteRecordsPartitionResult(Message):
    """Of DeleteRecordsTopicResult.partitions."""

    partition_index: int = field("int32", default=0)
    low_watermark: int = field("int64", default=0)
    error_code: int = field("int16", default=0)


class DeleteRecordsTopicResult(Message):
    """Of DeleteRecordsResponse.topics."""

    name: str = field("string", default="")
    partitions: list[DeleteRecordsPartitionResult] = array(DeleteRecordsPartitionResult, default=())


class DeleteRecordsResponse(Message, versions="0-2", flexible="2+"):
    """Response of API key 21."""

    throttle_time_ms: int = field("int32", default=0)
    topics: list[DeleteRecordsTopicResult] = array(DeleteRecordsTopicResult, default=())
