"""Metadata, API key 3, versions 0-13, flexible from 9.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class MetadataRequestTopic(Message):
    """Of MetadataRequest.topics."""

    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    name: str | None = field("string", nullable="10+", default="")


class MetadataRequest(Message, versions="0-13", flexible="9+"):
    """Request of API key 3."""

    topics: list[MetadataRequestTopic] | None = array(
        MetadataRequestTopic, nullable="1+", default=()
    )
    allow_auto_topic_creation: bool = field("bool", "4+", default=True)
    include_cluster_authorized_operations: bool = field("bool", "8-10", default=False)
    include_topic_authorized_operations: bool = field("bool", "8+", default=False)


class MetadataResponseBroker(Message):
    """Of MetadataResponse.brokers."""

    node_id: int = field("int32", default=0)
    host: str = field("string", default="")
    port: int = field("int32", default=0)
    rack: str | None = field("string", "1+", nullable="1+", ignorable=True, default=None)


class MetadataResponsePartition(Message):
    """Of MetadataResponseTopic.partitions."""

    error_code: int = field("int16", default=0)
    partition_index: int = field("int32", default=0)
    leader_id: int = field("int32", default=0)
    leader_epoch: int = field("int32", "7+", ignorable=True, default=-1)
    replica_nodes: list[int] = array("int32", default=())
    isr_nodes: list[int] = array("int32", default=())
    offline_replicas: list[int] = array("int32", "5+", ignorable=True, default=())


class MetadataResponseTopic(Message):
    """Of MetadataResponse.topics."""

    error_code: int = field("int16", default=0)
    name: str | None = field("string", nullable="12+", default="")
    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    is_internal: bool = field("bool", "1+", ignorable=True, default=False)
    partitions: list[MetadataResponsePartition] = array(MetadataResponsePartition, default=())
    topic_authorized_operations: int = field("int32", "8+", default=-2147483648)


class MetadataResponse(Message, versions="0-13", flexible="9+"):
    """Response of API key 3."""

    throttle_time_ms: int = field("int32", "3+", ignorable=True, default=0)
    brokers: list[MetadataResponseBroker] = array(MetadataResponseBroker, default=())
    cluster_id: str | None = field("string", "2+", nullable="2+", ignorable=True, default=None)
    controller_id: int = field("int32", "1+", ignorable=True, default=-1)
    topics: list[MetadataResponseTopic] = array(MetadataResponseTopic, default=())
    cluster_authorized_operations: int = field("int32", "8-10", default=-2147483648)
    error_code: int = field("int16", "13+", ignorable=True, default=0)
