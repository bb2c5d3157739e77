"""OffsetDelete, API key 47, versions 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class OffsetDeleteRequestPartition(Message):
    """Of OffsetDeleteRequestTopic.partitions."""

    partition_index: int = field("int32", default=0)


class OffsetDeleteRequestTopic(Message):
    """Of OffsetDeleteRequest.topics."""

    name: str = field("string", default="")
    partitions: list[OffsetDeleteRequestPartition] = array(OffsetDeleteRequestPartition, default=())


class OffsetDeleteRequest(Message, versions="0"):
    """Request of API key 47."""

    group_id: str = field("string", default="")
    topics: list[OffsetDeleteRequestTopic] = array(OffsetDeleteRequestTopic, default=())


class OffsetDeleteResponsePartition(Message):
    """Of OffsetDeleteResponseTopic.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)


class OffsetDeleteResponseTopic(Message):
    """Of OffsetDeleteResponse.topics."""

    name: str = field("string", default="")
    partitions: list[OffsetDeleteResponsePartition] = array(
        OffsetDeleteResponsePartition, default=()
    )


class OffsetDeleteResponse(Message, versions="0"):
    """Response of API key 47."""

    error_code: int = field("int16", default=0)
    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    topics: list[OffsetDeleteResponseTopic] = array(OffsetDeleteResponseTopic, default=())
