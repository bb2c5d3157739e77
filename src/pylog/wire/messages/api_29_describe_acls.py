"""DescribeAcls, API key 29, versions 1-3, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribeAclsRequest(Message, versions="1-3", flexible="2+"):
    """Request of API key 29."""

    resource_type_filter: int = field("int8", default=0)
    resource_name_filter: str | None = field("string", nullable="0+", default="")
    pattern_type_filter: int = field("int8", default=3)
    principal_filter: str | None = field("string", nullable="0+", default="")
    host_filter: str | None = field("string", nullable="0+", default="")
    operation: int = field("int8", default=0)
    permission_type: int = field("int8", default=0)


class AclDescription(Message):
    """Of DescribeAclsResource.acls."""

    principal: str = field("string", default="")
    host: str = field("string", default="")
    operation: int = field("int8", default=0)
    permission_type: int = field("int8", default=0)


class DescribeAclsResource(Message):
    """Of DescribeAclsResponse.resources."""

    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    pattern_type: int = field("int8", default=3)
    acls: list[AclDescription] = array(AclDescription, default=())


class DescribeAclsResponse(Message, versions="1-3", flexible="2+"):
    """Response of API key 29."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    resources: list[DescribeAclsResource] = array(DescribeAclsResource, default=())
