"""IncrementalAlterConfigs, API key 44, versions 0-1, flexible from 1.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class AlterableConfig(Message):
    """Of AlterConfigsResource.configs."""

    name: str = field("string", default="")
    config_operation: int = field("int8", default=0)
    value: str | None = field("string", nullable="0+", default="")


class AlterConfigsResource(Message):
    """Of IncrementalAlterConfigsRequest.resources."""

    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    configs: list[AlterableConfig] = array(AlterableConfig, default=())


class IncrementalAlterConfigsRequest(Message, versions="0-1", flexible="1+"):
    """Request of API key 44."""

    resources: list[AlterConfigsResource] = array(AlterConfigsResource, default=())
    validate_only: bool = field("bool", default=False)


class AlterConfigsResourceResponse(Message):
    """Of IncrementalAlterConfigsResponse.responses."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")


class IncrementalAlterConfigsResponse(Message, versions="0-1", flexible="1+"):
    """Response of API key 44."""

    throttle_time_ms: int = field("int32", default=0)
    responses: list[AlterConfigsResourceResponse] = array(AlterConfigsResourceResponse, default=())
