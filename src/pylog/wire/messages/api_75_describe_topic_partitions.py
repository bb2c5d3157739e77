"""DescribeTopicPartitions, API key 75, versions 0, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class TopicRequest(Message):
    """Of DescribeTopicPartitionsRequest.topics."""

    name: str = field("string", default="")


class RequestCursor(Message):
    """Of DescribeTopicPartitionsRequest.cursor."""

    topic_name: str = field("string", default="")
    partition_index: int = field("int32", default=0)


class DescribeTopicPartitionsRequest(Message, versions="0", flexible="0+"):
    """Request of API key 75."""

    topics: list[TopicRequest] = array(TopicRequest, default=())
    response_partition_limit: int = field("int32", default=2000)
    cursor: RequestCursor | None = field(RequestCursor, nullable="0+", default=None)


class DescribeTopicPartitionsResponsePartition(Message):
    """Of DescribeTopicPartitionsResponseTopic.partitions."""

    error_code: int = field("int16", default=0)
    partition_index: int = field("int32", default=0)
    leader_id: int = field("int32", default=0)
    leader_epoch: int = field("int32", ignorable=True, default=-1)
    replica_nodes: list[int] = array("int32", default=())
    isr_nodes: list[int] = array("int32", default=())
    eligible_leader_replicas: list[int] | None = array("int32", nullable="0+", default=None)
    last_known_elr: list[int] | None = array("int32", nullable="0+", default=None)
    offline_replicas: list[int] = array("int32", ignorable=True, default=())


class DescribeTopicPartitionsResponseTopic(Message):
    """Of DescribeTopicPartitionsResponse.topics."""

    error_code: int = field("int16", default=0)
    name: str | None = field("string", nullable="0+", default="")
    topic_id: bytes = field("uuid", ignorable=True, default=NO_UUID)
    is_internal: bool = field("bool", ignorable=True, default=False)
    partitions: list[DescribeTopicPartitionsResponsePartition] = array(
        DescribeTopicPartitionsResponsePartition, default=()
    )
    topic_authorized_operations: int = field("int32", default=-2147483648)


class ResponseCursor(Message):
    """Of DescribeTopicPartitionsResponse.next_cursor."""

    topic_name: str = field("string", default="")
    partition_index: int = field("int32", default=0)


class DescribeTopicPartitionsResponse(Message, versions="0", flexible="0+"):
    """Response of API key 75."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    topics: list[DescribeTopicPartitionsResponseTopic] = array(
        DescribeTopicPartitionsResponseTopic, default=()
    )
    next_cursor: ResponseCursor | None = field(ResponseCursor, nullable="0+", default=None)
