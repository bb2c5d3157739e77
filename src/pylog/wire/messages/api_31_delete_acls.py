"""DeleteAcls, API key 31, versions 1-3, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DeleteAclsFilter(Message):
    """Of DeleteAclsRequest.filters."""

    resource_type_filter: int = field("int8", default=0)
    resource_name_filter: str | None = field("string", nullable="0+", default="")
    pattern_type_filter: int = field("int8", default=3)
    principal_filter: str | None = field("string", nullable="0+", default="")
    host_filter: str | None = field("string", nullable="0+", default="")
    operation: int = field("int8", default=0)
    permission_type: int = field("int8", default=0)


class DeleteAclsRequest(Message, versions="1-3", flexible="2+"):
    """Request of API key 31."""

    filters: list[DeleteAclsFilter] = array(DeleteAclsFilter, default=())


class DeleteAclsMatchingAcl(Message):
    """Of DeleteAclsFilterResult.matching_acls."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    pattern_type: int = field("int8", default=3)
    principal: str = field("string", default="")
    host: str = field("string", default="")
    operation: int = field("int8", default=0)
    permission_type: int = field("int8", default=0)


class DeleteAclsFilterResult(Message):
    """Of DeleteAclsResponse.filter_results."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    matching_acls: list[DeleteAclsMatchingAcl] = array(DeleteAclsMatchingAcl, default=())


class DeleteAclsResponse(Message, versions="1-3", flexible="2+"):
    """Response of API key 31."""

    throttle_time_ms: int = field("int32", default=0)
    filter_results: list[DeleteAclsFilterResult] = array(DeleteAclsFilterResult, default=())
