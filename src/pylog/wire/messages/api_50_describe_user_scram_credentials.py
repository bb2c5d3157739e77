"""DescribeUserScramCredentials, API key 50, versions 0, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class UserName(Message):
    """Of DescribeUserScramCredentialsRequest.users."""

    name: str = field("string", default="")


class DescribeUserScramCredentialsRequest(Message, versions="0", flexible="0+"):
    """Request of API key 50."""

    users: list[UserName] | None = array(UserName, nullable="0+", default=())


class CredentialInfo(Message):
    """Of DescribeUserScramCredentialsResult.credential_infos."""

    mechanism: int = field("int8", default=0)
    iterations: int = field("int32", default=0)


class DescribeUserScramCredentialsResult(Message):
    """Of DescribeUserScramCredentialsResponse.results."""

    user: str = field("string", default="")
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    credential_infos: list[CredentialInfo] = array(CredentialInfo, default=())


class DescribeUserScramCredentialsResponse(Message, versions="0", flexible="0+"):
    """Response of API key 50."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    results: list[DescribeUserScramCredentialsResult] = array(
        DescribeUserScramCredentialsResult, default=()
    )
