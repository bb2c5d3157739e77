"""LeaveGroup, API key 13, versions 0-5, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class MemberIdentity(Message):
    """Of LeaveGroupRequest.members."""

    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", nullable="3+", default=None)
    reason: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)


class LeaveGroupRequest(Message, versions="0-5", flexible="4+"):
    """Request of API key 13."""

    group_id: str = field("string", default="")
    member_id: str = field("string", "0-2", default="")
    members: list[MemberIdentity] = array(MemberIdentity, "3+", default=())


class MemberResponse(Message):
    """Of LeaveGroupResponse.members."""

    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", nullable="3+", default="")
    error_code: int = field("int16", "3+", default=0)


class LeaveGroupResponse(Message, versions="0-5", flexible="4+"):
    """Response of API key 13."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
    members: list[MemberResponse] = array(MemberResponse, "3+", default=())
