"""DescribeProducers, API key 61, versions 0, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class TopicRequest(Message):
    """Of DescribeProducersRequest.topics."""

    name: str = field("string", default="")
    partition_indexes: list[int] = array("int32", default=())


class DescribeProducersRequest(Message, versions="0", flexible="0+"):
    """Request of API key 61."""

    topics: list[TopicRequest] = array(TopicRequest, default=())


class ProducerState(Message):
    """Of PartitionResponse.active_producers."""

    producer_id: int = field("int64", default=0)
    producer_epoch: int = field("int32", default=0)
    last_sequence: int = field("int32", default=-1)
    last_timestamp: int = field("int64", default=-1)
    coordinator_epoch: int = field("int32", default=0)
    current_txn_start_offset: int = field("int64", default=-1)


class PartitionResponse(Message):
    """Of TopicResponse.partitions."""

    partition_index: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default=None)
    active_producers: list[ProducerState] = array(ProducerState, default=())


class TopicResponse(Message):
    """Of DescribeProducersResponse.topics."""

    name: str = field("string", default="")
    partitions: list[PartitionResponse] = array(PartitionResponse, default=())


class DescribeProducersResponse(Message, versions="0", flexible="0+"):
    """Response of API key 61."""

    throttle_time_ms: int = field("int32", default=0)
    topics: list[TopicResponse] = array(TopicResponse, default=())
