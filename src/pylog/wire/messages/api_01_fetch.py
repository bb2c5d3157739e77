"""Fetch, API key 1, versions 4-18, flexible from 12.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, Records, array, field


class ReplicaState(Message):
    """Of FetchRequest.replica_state."""

    replica_id: int = field("int32", "15+", default=-1)
    replica_epoch: int = field("int64", "15+", default=-1)


class FetchPartition(Message):
    """Of FetchTopic.partitions."""

    partition: int = field("int32", default=0)
    current_leader_epoch: int = field("int32", "9+", ignorable=True, default=-1)
    fetch_offset: int = field("int64", default=0)
    last_fetched_epoch: int = field("int32", "12+", default=-1)
    log_start_offset: int = field("int64", "5+", ignorable=True, default=-1)
    partition_max_bytes: int = field("int32", default=0)
    replica_directory_id: bytes = field(
        "uuid", "17+", tagged="17+", tag=0, ignorable=True, default=NO_UUID
    )
    high_watermark: int = field(
        "int64", "18+", tagged="18+", tag=1, ignorable=True, default=9223372036854775807
    )


class FetchTopic(Message):
    """Of FetchRequest.topics."""

    topic: str = field("string", "0-12", ignorable=True, default="")
    topic_id: bytes = field("uuid", "13+", ignorable=True, default=NO_UUID)
    partitions: list[FetchPartition] = array(FetchPartition, default=())


class ForgottenTopic(Message):
    """Of FetchRequest.forgotten_topics_data."""

    topic: str = field("string", "7-12", ignorable=True, default="")
    topic_id: bytes = field("uuid", "13+", ignorable=True, default=NO_UUID)
    partitions: list[int] = array("int32", "7+", default=())


class FetchRequest(Message, versions="4-18", flexible="12+"):
    """Request of API key 1."""

    cluster_id: str | None = field(
        "string", "12+", nullable="12+", tagged="12+", tag=0, ignorable=True, default=None
    )
    replica_id: int = field("int32", "0-14", default=-1)
    replica_state: ReplicaState | None = field(
        ReplicaState, "15+", tagged="15+", tag=1, default=None
    )
    max_wait_ms: int = field("int32", default=0)
    min_bytes: int = field("int32", default=0)
    max_bytes: int = field("int32", ignorable=True, default=2147483647)
    isolation_level: int = field("int8", ignorable=True, default=0)
    session_id: int = field("int32", "7+", ignorable=True, default=0)
    session_epoch: int = field("int32", "7+", ignorable=True, default=-1)
    topics: list[FetchTopic] = array(FetchTopic, default=())
    forgotten_topics_data: list[ForgottenTopic] = array(ForgottenTopic, "7+", default=())
    rack_id: str = field("string", "11+", ignorable=True, default="")


class EpochEndOffset(Message):
    """Of PartitionData.diverging_epoch."""

    epoch: int = field("int32", "12+", default=-1)
    end_offset: int = field("int64", "12+", default=-1)


class LeaderIdAndEpoch(Message):
    """Of PartitionData.current_leader."""

    leader_id: int = field("int32", "12+", default=-1)
    leader_epoch: int = field("int32", "12+", default=-1)


class SnapshotId(Message):
    """Of PartitionData.snapshot_id."""

    end_offset: int = field("int64", default=-1)
    epoch: int = field("int32", default=-1)


class AbortedTransaction(Message):
    """Of PartitionData.aborted_transactions."""

    producer_id: int = field("int64", default=0)
    first_offset: int = field("int64", default=0)


class PartitionData(Message):
    """Of FetchableTopicResponse.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    high_watermark: int = field("int64", default=0)
    last_stable_offset: int = field("int64", ignorable=True, default=-1)
    log_start_offset: int = field("int64", "5+", ignorable=True, default=-1)
    diverging_epoch: EpochEndOffset | None = field(
        EpochEndOffset, "12+", tagged="12+", tag=0, default=None
    )
    current_leader: LeaderIdAndEpoch | None = field(
        LeaderIdAndEpoch, "12+", tagged="12+", tag=1, default=None
    )
    snapshot_id: SnapshotId | None = field(SnapshotId, "12+", tagged="12+", tag=2, default=None)
    aborted_transactions: list[AbortedTransaction] | None = array(
        AbortedTransaction, nullable="4+", ignorable=True, default=()
    )
    preferred_read_replica: int = field("int32", "11+", default=-1)
    records: Records | None = field("records", nullable="0+", default=None)


class FetchableTopicResponse(Message):
    """Of FetchResponse.responses."""

    topic: str = field("string", "0-12", ignorable=True, default="")
    topic_id: bytes = field("uuid", "13+", ignorable=True, default=NO_UUID)
    partitions: list[PartitionData] = array(PartitionData, default=())


class NodeEndpoint(Message):
    """Of FetchResponse.node_endpoints."""

    node_id: int = field("int32", "16+", default=0)
    host: str = field("string", "16+", default="")
    port: int = field("int32", "16+", default=0)
    rack: str | None = field("string", "16+", nullable="16+", default=None)


class FetchResponse(Message, versions="4-18", flexible="12+"):
    """Response of API key 1."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    error_code: int = field("int16", "7+", ignorable=True, default=0)
    session_id: int = field("int32", "7+", default=0)
    responses: list[FetchableTopicResponse] = array(FetchableTopicResponse, default=())
    node_endpoints: list[NodeEndpoint] = array(NodeEndpoint, "16+", tagged="16+", tag=0, default=())
