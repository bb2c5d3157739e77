"""CreateAcls, API key 30, versions 1-3, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class AclCreation(Message):
    """Of CreateAclsRequest.creations."""

    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    resource_pattern_type: int = field("int8", default=3)
    principal: str = field("string", default="")
    host: str = field("string", default="")
    operation: int = field("int8", default=0)
    permission_type: int = field("int8", default=0)


class CreateAclsRequest(Message, versions="1-3", flexible="2+"):
    """Request of API key 30."""

    creations: list[AclCreation] = array(AclCreation, default=())


class AclCreationResult(Message):
    """Of CreateAclsResponse.results."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")


class CreateAclsResponse(Message, versions="1-3", flexible="2+"):
    """Response of API key 30."""

    throttle_time_ms: int = field("int32", default=0)
    results: list[AclCreationResult] = array(AclCreationResult, default=())
