"""ApiVersions, API key 18, versions 0-4, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ApiVersionsRequest(Message, versions="0-4", flexible="3+"):
    """Request of API key 18."""

    client_software_name: str = field("string", "3+", ignorable=True, default="")
    client_software_version: str = field("string", "3+", ignorable=True, default="")


class ApiVersion(Message):
    """Of ApiVersionsResponse.api_keys."""

    api_key: int = field("int16", default=0)
    min_version: int = field("int16", default=0)
    max_version: int = field("int16", default=0)


class SupportedFeatureKey(Message):
    """Of ApiVersionsResponse.supported_features."""

    name: str = field("string", "3+", default="")
    min_version: int = field("int16", "3+", default=0)
    max_version: int = field("int16", "3+", default=0)


class FinalizedFeatureKey(Message):
    """Of ApiVersionsResponse.finalized_features."""

    name: str = field("string", "3+", default="")
    max_version_level: int = field("int16", "3+", default=0)
    min_version_level: int = field("int16", "3+", default=0)


class ApiVersionsResponse(Message, versions="0-4", flexible="3+"):
    """Response of API key 18."""

    error_code: int = field("int16", default=0)
    api_keys: list[ApiVersion] = array(ApiVersion, default=())
    throttle_time_ms: int = field("int32", "1+", ignorable=True, default=0)
    supported_features: list[SupportedFeatureKey] = array(
        SupportedFeatureKey, "3+", tagged="3+", tag=0, ignorable=True, default=()
    )
    finalized_features_epoch: int = field(
        "int64", "3+", tagged="3+", tag=1, ignorable=True, default=-1
    )
    finalized_features: list[FinalizedFeatureKey] = array(
        FinalizedFeatureKey, "3+", tagged="3+", tag=2, ignorable=True, default=()
    )
    zk_migration_ready: bool = field(
        "bool", "3+", tagged="3+", tag=3, ignorable=True, default=False
    )
