"""Heartbeat, API key 12, versions 0-4, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, field


class HeartbeatRequest(Message, versions="0-4", flexible="4+"):
    """Request of API key 12."""

    group_id: str = field("string", default="")
    generation_id: int = field("int32", default=0)
    member_id: str = field("string", default="")
    group_instance_id: str | None = field("string", "3+", nullable="3+", default=None)


class HeartbeatResponse(Message, versions="0-4", flexible="4+"):
    """Response of API key 12."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
