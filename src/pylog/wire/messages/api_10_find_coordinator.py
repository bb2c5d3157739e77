"""FindCoordinator, API key 10, versions 0-6, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class FindCoordinatorRequest(Message, versions="0-6", flexible="3+"):
    """Request of API key 10."""

    key: str = field("string", "0-3", default="")
    key_type: int = field("int8", "1+", default=0)
    coordinator_keys: list[str] = array("string", "4+", default=())


class Coordinator(Message):
    """Of FindCoordinatorResponse.coordinators."""

    key: str = field("string", "4+", default="")
    node_id: int = field("int32", "4+", default=0)
    host: str = field("string", "4+", default="")
    port: int = field("int32", "4+", default=0)
    error_code: int = field("int16", "4+", default=0)
    error_message: str | None = field("string", "4+", nullable="4+", ignorable=True, default="")


class FindCoordinatorResponse(Message, versions="0-6", flexible="3+"):
    """Response of API key 10."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    error_code: int = field("int16", "0-3", default=0)
    error_message: str | None = field("string", "1-3", nullable="1-3", ignorable=True, default="")
    node_id: int = field("int32", "0-3", default=0)
    host: str = field("string", "0-3", default="")
    port: int = field("int32", "0-3", default=0)
    coordinators: list[Coordinator] = array(Coordinator, "4+", default=())
