"""OffsetForLeaderEpoch, API key 23, versions 2-4, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class OffsetForLeaderPartition(Message):
    """Of OffsetForLeaderTopic.partitions."""

    partition: int = field("int32", default=0)
    current_leader_epoch: int = field("int32", ignorable=True, default=-1)
    leader_epoch: int = field("int32", default=0)


class OffsetForLeaderTopic(Message):
    """Of OffsetForLeaderEpochRequest.topics."""

    topic: str = field("string", default="")
    partitions: list[OffsetForLeaderPartition] = array(OffsetForLeaderPartition, default=())


class OffsetForLeaderEpochRequest(Message, versions="2-4", flexible="4+"):
    """Request of API key 23."""

    replica_id: int = field("int32", "3+", ignorable=True, default=-2)
    topics: list[OffsetForLeaderTopic] = array(OffsetForLeaderTopic, default=())


class EpochEndOffset(Message):
    """Of OffsetForLeaderTopicResult.partitions."""

    error_code: int = field("int16", default=0)
    partition: int = field("int32", default=0)
    leader_epoch: int = field("int32", ignorable=True, default=-1)
    end_offset: int = field("int64", default=-1)


class OffsetForLeaderTopicResult(Message):
    """Of OffsetForLeaderEpochResponse.topics."""

    topic: str = field("string", default="")
    partitions: list[EpochEndOffset] = array(EpochEndOffset, default=())


class OffsetForLeaderEpochResponse(Message, versions="2-4", flexible="4+"):
    """Response of API key 23."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    topics: list[OffsetForLeaderTopicResult] = array(OffsetForLeaderTopicResult, default=())
