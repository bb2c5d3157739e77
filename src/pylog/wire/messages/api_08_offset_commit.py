"""OffsetCommit, API key 8, versions 2-10, flexible from 8.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class OffsetCommitRequestPartition(Message):
    """Of OffsetCommitRequestTopic.partitions."""

    partition_index: int = field("int32", default=0)
    committed_offset: int = field("int64", default=0)
    committed_leader_epoch: int = field("int32", "6+", ignorable=True, default=-1)
    committed_metadata: str | None = field("string", nullable="0+", default="")


class OffsetCommitRequestTopic(Message):
    """Of OffsetCommitRequest.topics."""

    name: str = field("string", "0-9", ignorable=True, default="")
    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    partitions: list[OffsetCommitRequestPartition] = array(OffsetCommitRequestPartition, default=())


class OffsetCommitRequest(Message, versions="2-10", flexible="8+"):
    """Request of API key 8."""

    group_id: str = field("string", default="")
    generation_id_or_member_epoch: int = field("int32", ignorable=True, default=-1)
    member_id: str = field("string", ignorable=True, default="")
    group_instance_id: str | None = field("string", "7+", nullable="7+", default=None)
    retention_time_ms: int = field("int64", "2-4", ignorable=True, default=-1)
    topics: list[OffsetCommitRequestTopic] = array(OffsetCommitRequestTopic, default=())


class OffsetCommitResponsePartition(Message):
    """Of OffsetCommitResponseTopic.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)


class OffsetCommitResponseTopic(Message):
    """Of OffsetCommitResponse.topics."""

    name: str = field("string", "0-9", ignorable=True, default="")
    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    partitions: list[OffsetCommitResponsePartition] = array(
        OffsetCommitResponsePartition, default=()
    )


class OffsetCommitResponse(Message, versions="2-10", flexible="8+"):
    """Response of API key 8."""

    throttle_time_ms: int = field("int32", "3+", ignorable=True, default=0)
    topics: list[OffsetCommitResponseTopic] = array(OffsetCommitResponseTopic, default=())
