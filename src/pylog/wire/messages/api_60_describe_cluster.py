"""DescribeCluster, API key 60, versions 0-2, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribeClusterRequest(Message, versions="0-2", flexible="0+"):
    """Request of API key 60."""

    include_cluster_authorized_operations: bool = field("bool", default=False)
    endpoint_type: int = field("int8", "1+", default=1)
    include_fenced_brokers: bool = field("bool", "2+", default=False)


class DescribeClusterBroker(Message):
    """Of DescribeClusterResponse.brokers."""

    broker_id: int = field("int32", default=0)
    host: str = field("string", default="")
    port: int = field("int32", default=0)
    rack: str | None = field("string", nullable="0+", default=None)
    is_fenced: bool = field("bool", "2+", default=False)


class DescribeClusterResponse(Message, versions="0-2", flexible="0+"):
    """Response of API key 60."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default=None)
    endpoint_type: int = field("int8", "1+", default=1)
    cluster_id: str = field("string", default="")
    controller_id: int = field("int32", default=-1)
    brokers: list[DescribeClusterBroker] = array(DescribeClusterBroker, default=())
    cluster_authorized_operations: int = field("int32", default=-2147483648)
