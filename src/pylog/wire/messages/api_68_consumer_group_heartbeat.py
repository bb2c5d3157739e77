"""ConsumerGroupHeartbeat, API key 68, versions 0-1, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class RequestTopicPartitions(Message):
    """Of ConsumerGroupHeartbeatRequest.topic_partitions."""

    topic_id: bytes = field("uuid", default=NO_UUID)
    partitions: list[int] = array("int32", default=())


class ConsumerGroupHeartbeatRequest(Message, versions="0-1", flexible="0+"):
    """Request of API key 68."""

    group_id: str = field("string", default="")
    member_id: str = field("string", default="")
    member_epoch: int = field("int32", default=0)
    instance_id: str | None = field("string", nullable="0+", default=None)
    rack_id: str | None = field("string", nullable="0+", default=None)
    rebalance_timeout_ms: int = field("int32", default=-1)
    subscribed_topic_names: list[str] | None = array("string", nullable="0+", default=None)
    subscribed_topic_regex: str | None = field("string", "1+", nullable="1+", default=None)
    server_assignor: str | None = field("string", nullable="0+", default=None)
    topic_partitions: list[RequestTopicPartitions] | None = array(
        RequestTopicPartitions, nullable="0+", default=None
    )


class ResponseTopicPartitions(Message):
    """Of Assignment.topic_partitions."""

    topic_id: bytes = field("uuid", default=NO_UUID)
    partitions: list[int] = array("int32", default=())


class Assignment(Message):
    """Of ConsumerGroupHeartbeatResponse.assignment."""

    topic_partitions: list[ResponseTopicPartitions] = array(ResponseTopicPartitions, default=())


class ConsumerGroupHeartbeatResponse(Message, versions="0-1", flexible="0+"):
    """Response of API key 68."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default=None)
    member_id: str | None = field("string", nullable="0+", default=None)
    member_epoch: int = field("int32", default=0)
    heartbeat_interval_ms: int = field("int32", default=0)
    assignment: Assignment | None = field(Assignment, nullable="0+", default=None)
