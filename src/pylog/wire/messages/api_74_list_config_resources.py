"""ListConfigResources, API key 74, versions 0-1, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ListConfigResourcesRequest(Message, versions="0-1", flexible="0+"):
    """Request of API key 74."""

    resource_types: list[int] = array("int8", "1+", default=())


class ConfigResource(Message):
    """Of ListConfigResourcesResponse.config_resources."""

    resource_name: str = field("string", default="")
    resource_type: int = field("int8", "1+", ignorable=True, default=16)


class ListConfigResourcesResponse(Message, versions="0-1", flexible="0+"):
    """Response of API key 74."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    config_resources: list[ConfigResource] = array(ConfigResource, default=())
