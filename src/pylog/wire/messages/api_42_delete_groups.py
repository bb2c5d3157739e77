"""DeleteGroups, API key 42, versions 0-2, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DeleteGroupsRequest(Message, versions="0-2", flexible="2+"):
    """Request of API key 42."""

    groups_names: list[str] = array("string", default=())


class DeletableGroupResult(Message):
    """Of DeleteGroupsResponse.results."""

    group_id: str = field("string", default="")
    error_code: int = field("int16", default=0)


class DeleteGroupsResponse(Message, versions="0-2", flexible="2+"):
    """Response of API key 42."""

    throttle_time_ms: int = field("int32", default=0)
    results: list[DeletableGroupResult] = array(DeletableGroupResult, default=())
