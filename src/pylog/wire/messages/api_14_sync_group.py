"""SyncGroup, API key 14, versions 0-5, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class SyncGroupRequestAssignment(Message):
    """Of SyncGroupRequest.assignments."""

    member_id: str = field("string", default="")
    assignment: bytes = field("bytes", default=b"")


class SyncGroupRequest(Message, versions="0-5", flexible="4+"):
    """Request of API key 14."""

    group_id: str = field("string", default="")
    generation_id: int = field("int32", default=0)
    member_id: str = field("string", default="")
    group_instance_id: str | None = field("string", "3+", nullable="3+", default=None)
    protocol_type: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)
    protocol_name: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)
    assignments: list[SyncGroupRequestAssignment] = array(SyncGroupRequestAssignment, default=())


class SyncGroupResponse(Message, versions="0-5", flexible="4+"):
    """Response of API key 14."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
    protocol_type: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)
    protocol_name: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)
    assignment: bytes = field("bytes", default=b"")
