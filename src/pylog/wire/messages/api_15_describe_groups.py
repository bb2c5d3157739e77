"""DescribeGroups, API key 15, versions 0-6, flexible from 5.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribeGroupsRequest(Message, versions="0-6", flexible="5+"):
    """Request of API key 15."""

    groups: list[str] = array("string", default=())
    include_authorized_operations: bool = field("bool", "3+", default=False)


class DescribedGroupMember(Message):
    """Of DescribedGroup.members."""

    member_id: str = field("string", default="")
    group_instance_id: str | None = field(
        "string", "4+", nullable="4+", ignorable=True, default=None
    )
    client_id: str = field("string", default="")
    client_host: str = field("string", default="")
    member_metadata: bytes = field("bytes", default=b"")
    member_assignment: bytes = field("bytes", default=b"")


class DescribedGroup(Message):
    """Of DescribeGroupsResponse.groups."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", "6+", nullable="6+", default=None)
    group_id: str = field("string", default="")
    group_state: str = field("string", default="")
    protocol_type: str = field("string", default="")
    protocol_data: str = field("string", default="")
    members: list[DescribedGroupMember] = array(DescribedGroupMember, default=())
    authorized_operations: int = field("int32", "3+", default=-2147483648)


class DescribeGroupsResponse(Message, versions="0-6", flexible="5+"):
    """Response of API key 15."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    groups: list[DescribedGroup] = array(DescribedGroup, default=())
