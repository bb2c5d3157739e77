"""JoinGroup, API key 11, versions 0-9, flexible from 6.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class JoinGroupRequestProtocol(Message):
    """Of JoinGroupRequest.protocols."""

    name: str = field("string", default="")
    metadata: bytes = field("bytes", default=b"")


class JoinGroupRequest(Message, versions="0-9", flexible="6+"):
    """Request of API key 11."""

    group_id: str = field("string", default="")
    session_timeout_ms: int = field("int32", default=0)
    rebalance_timeout_ms: int = field("int32", "1+", ignorable=True, default=-1)
    member_id: str = field("string", default="")
    group_instance_id: str | None = field("string", "5+", nullable="5+", default=None)
    protocol_type: str = field("string", default="")
    protocols: list[JoinGroupRequestProtocol] = array(JoinGroupRequestProtocol, default=())
    reason: str | None = field("string", "8+", nullable="8+", ignorable=True, default=None)


class JoinGroupResponseMember(Message):
    """Of JoinGroupResponse.members."""

    member_id: str = field("string", default="")
    group_instance_id: str | None = field(
        "string", "5+", nullable="5+", ignorable=True, default=None
    )
    metadata: bytes = field("bytes", default=b"")


class JoinGroupResponse(Message, versions="0-9", flexible="6+"):
    """Response of API key 11."""

    throttle_time_ms: int = field("int32", "2+", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
    generation_id: int = field("int32", default=-1)
    protocol_type: str | None = field("string", "7+", nullable="7+", ignorable=True, default=None)
    protocol_name: str | None = field("string", nullable="7+", default="")
    leader: str = field("string", default="")
    skip_assignment: bool = field("bool", "9+", default=False)
    member_id: str = field("string", default="")
    members: list[JoinGroupResponseMember] = array(JoinGroupResponseMember, default=())
