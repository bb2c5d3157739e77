"""DescribeConfigs, API key 32, versions 1-4, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribeConfigsResource(Message):
    """Of DescribeConfigsRequest.resources."""

    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    configuration_keys: list[str] | None = array("string", nullable="0+", default=())


class DescribeConfigsRequest(Message, versions="1-4", flexible="4+"):
    """Request of API key 32."""

    resources: list[DescribeConfigsResource] = array(DescribeConfigsResource, default=())
    include_synonyms: bool = field("bool", default=False)
    include_documentation: bool = field("bool", "3+", default=False)


class DescribeConfigsSynonym(Message):
    """Of DescribeConfigsResourceResult.synonyms."""

    name: str = field("string", default="")
    value: str | None = field("string", nullable="0+", default="")
    source: int = field("int8", default=0)


class DescribeConfigsResourceResult(Message):
    """Of DescribeConfigsResult.configs."""

    name: str = field("string", default="")
    value: str | None = field("string", nullable="0+", default="")
    read_only: bool = field("bool", default=False)
    config_source: int = field("int8", ignorable=True, default=-1)
    is_sensitive: bool = field("bool", default=False)
    synonyms: list[DescribeConfigsSynonym] = array(
        DescribeConfigsSynonym, ignorable=True, default=()
    )
    config_type: int = field("int8", "3+", ignorable=True, default=0)
    documentation: str | None = field("string", "3+", nullable="0+", ignorable=True, default="")


class DescribeConfigsResult(Message):
    """Of DescribeConfigsResponse.results."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    resource_type: int = field("int8", default=0)
    resource_name: str = field("string", default="")
    configs: list[DescribeConfigsResourceResult] = array(DescribeConfigsResourceResult, default=())


class DescribeConfigsResponse(Message, versions="1-4", flexible="4+"):
    """Response of API key 32."""

    throttle_time_ms: int = field("int32", default=0)
    results: list[DescribeConfigsResult] = array(DescribeConfigsResult, default=())
