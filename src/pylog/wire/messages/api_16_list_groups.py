"""ListGroups, API key 16, versions 0-5, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ListGroupsRequest(Message, versions="0-5", flexible="3+"):
    """Request of API key 16."""

    states_filter: list[str] = array("string", "4+", default=())
    types_filter: list[str] = array("string", "5+", default=())


class ListedGroup(Message):
    """Of ListGroupsResponse.groups."""

    group_id: str = field("string", default="")
    protocol_type: str = field("string", default="")
    group_state: str = field("string", "4+", ignorable=True, default="")
    group_type: str = field("string", "5+", ignorable=True, default="")


class ListGroupsResponse(Message, versions="0-5", flexible="3+"):
    """Response of API key 16."""

    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
    groups: list[ListedGroup] = array(ListedGroup, default=())
