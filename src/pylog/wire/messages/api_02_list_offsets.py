"""ListOffsets, API key 2, versions 1-11, flexible from 6.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ListOffsetsPartition(Message):
    """Of ListOffsetsTopic.partitions."""

    partition_index: int = field("int32", default=0)
    current_leader_epoch: int = field("int32", "4+", ignorable=True, default=-1)
    timestamp: int = field("int64", default=0)


class ListOffsetsTopic(Message):
    """Of ListOffsetsRequest.topics."""

    name: str = field("string", default="")
    partitions: list[ListOffsetsPartition] = array(ListOffsetsPartition, default=())


class ListOffsetsRequest(Message, versions="1-11", flexible="6+"):
    """Request of API key 2."""

    replica_id: int = field("int32", default=0)
    isolation_level: int = field("int8", "2+", default=0)
    topics: list[ListOffsetsTopic] = array(ListOffsetsTopic, default=())
    timeout_ms: int = field("int32", "10+", ignorable=True, default=0)


class ListOffsetsPartitionResponse(Message):
    """Of ListOffsetsTopicResponse.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    timestamp: int = field("int64", default=-1)
    offset: int = field("int64", default=-1)
    leader_epoch: int = field("int32", "4+", default=-1)


class ListOffsetsTopicResponse(Message):
    """Of ListOffsetsResponse.topics."""

    name: str = field("string", default="")
    partitions: list[ListOffsetsPartitionResponse] = array(ListOffsetsPartitionResponse, default=())


class ListOffsetsResponse(Message, versions="1-11", flexible="6+"):
    """Response of API key 2."""

    throttle_time_ms: int = field("int32", "2+", ignorable=True, default=0)
    topics: list[ListOffsetsTopicResponse] = array(ListOffsetsTopicResponse, default=())
