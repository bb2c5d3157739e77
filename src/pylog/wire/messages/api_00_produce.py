"""Produce, API key 0, versions 3-13, flexible from 9.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class PartitionProduceData(Message):
    """Of TopicProduceData.partition_data."""

    index: int = field("int32", default=0)
    records: memoryview | None = field("records", nullable="0+", default=None)


class TopicProduceData(Message):
    """Of ProduceRequest.topic_data."""

    name: str = field("string", "0-12", ignorable=True, default="")
    topic_id: bytes = field("uuid", "13+", ignorable=True, default=NO_UUID)
    partition_data: list[PartitionProduceData] = array(PartitionProduceData, default=())


class ProduceRequest(Message, versions="3-13", flexible="9+"):
    """Request of API key 0."""

    transactional_id: str | None = field("string", nullable="3+", default=None)
    acks: int = field("int16", default=0)
    timeout_ms: int = field("int32", default=0)
    topic_data: list[TopicProduceData] = array(TopicProduceData, default=())


class BatchIndexAndErrorMessage(Message):
    """Of PartitionProduceResponse.record_errors."""

    batch_index: int = field("int32", "8+", default=0)
    batch_index_error_message: str | None = field("string", "8+", nullable="8+", default=None)


class LeaderIdAndEpoch(Message):
    """Of PartitionProduceResponse.current_leader."""

    leader_id: int = field("int32", "10+", default=-1)
    leader_epoch: int = field("int32", "10+", default=-1)


class PartitionProduceResponse(Message):
    """Of TopicProduceResponse.partition_responses."""

    index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    base_offset: int = field("int64", default=0)
    log_append_time_ms: int = field("int64", ignorable=True, default=-1)
    log_start_offset: int = field("int64", "5+", ignorable=True, default=-1)
    record_errors: list[BatchIndexAndErrorMessage] = array(
        BatchIndexAndErrorMessage, "8+", ignorable=True, default=()
    )
    error_message: str | None = field("string", "8+", nullable="8+", ignorable=True, default=None)
    current_leader: LeaderIdAndEpoch | None = field(
        LeaderIdAndEpoch, "10+", tagged="10+", tag=0, default=None
    )


class TopicProduceResponse(Message):
    """Of ProduceResponse.responses."""

    name: str = field("string", "0-12", ignorable=True, default="")
    topic_id: bytes = field("uuid", "13+", ignorable=True, default=NO_UUID)
    partition_responses: list[PartitionProduceResponse] = array(
        PartitionProduceResponse, default=()
    )


class NodeEndpoint(Message):
    """Of ProduceResponse.node_endpoints."""

    node_id: int = field("int32", "10+", default=0)
    host: str = field("string", "10+", default="")
    port: int = field("int32", "10+", default=0)
    rack: str | None = field("string", "10+", nullable="10+", default=None)


class ProduceResponse(Message, versions="3-13", flexible="9+"):
    """Response of API key 0."""

    responses: list[TopicProduceResponse] = array(TopicProduceResponse, default=())
    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    node_endpoints: list[NodeEndpoint] = array(NodeEndpoint, "10+", tagged="10+", tag=0, default=())
