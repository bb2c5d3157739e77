"""TxnOffsetCommit, API key 28, versions 0-5, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class TxnOffsetCommitRequestPartition(Message):
    """Of TxnOffsetCommitRequestTopic.partitions."""

    partition_index: int = field("int32", default=0)
    committed_offset: int = field("int64", default=0)
    committed_leader_epoch: int = field("int32", "2+", ignorable=True, default=-1)
    committed_metadata: str | None = field("string", nullable="0+", default="")


class TxnOffsetCommitRequestTopic(Message):
    """Of TxnOffsetCommitRequest.topics."""

    name: str = field("string", default="")
    partitions: list[TxnOffsetCommitRequestPartition] = array(
        TxnOffsetCommitRequestPartition, default=()
    )


class TxnOffsetCommitRequest(Message, versions="0-5", flexible="3+"):
    """Request of API key 28."""

    transactional_id: str = field("string", default="")
    group_id: str = field("string", default="")
    producer_id: int = field("int64", default=0)
    producer_epoch: int = field("int16", default=0)
    generation_id: int = field("int32", "3+", default=-1)
    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", nullable="3+", default=None)
    topics: list[TxnOffsetCommitRequestTopic] = array(TxnOffsetCommitRequestTopic, default=())


class TxnOffsetCommitResponsePartition(Message):
    """Of TxnOffsetCommitResponseTopic.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)


class TxnOffsetCommitResponseTopic(Message):
    """Of TxnOffsetCommitResponse.topics."""

    name: str = field("string", default="")
    partitions: list[TxnOffsetCommitResponsePartition] = array(
        TxnOffsetCommitResponsePartition, default=()
    )


class TxnOffsetCommitResponse(Message, versions="0-5", flexible="3+"):
    """Response of API key 28."""

    throttle_time_ms: int = field("int32", default=0)
    topics: list[TxnOffsetCommitResponseTopic] = array(TxnOffsetCommitResponseTopic, default=())
