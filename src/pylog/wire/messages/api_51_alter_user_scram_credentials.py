"""AlterUserScramCredentials, API key 51, versions 0, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ScramCredentialDeletion(Message):
    """Of AlterUserScramCredentialsRequest.deletions."""

    name: str = field("string", default="")
    mechanism: int = field("int8", default=0)


class ScramCredentialUpsertion(Message):
    """Of AlterUserScramCredentialsRequest.upsertions."""

    name: str = field("string", default="")
    mechanism: int = field("int8", default=0)
    iterations: int = field("int32", default=0)
    salt: bytes = field("bytes", default=b"")
    salted_password: bytes = field("bytes", default=b"")


class AlterUserScramCredentialsRequest(Message, versions="0", flexible="0+"):
    """Request of API key 51."""

    deletions: list[ScramCredentialDeletion] = array(ScramCredentialDeletion, default=())
    upsertions: list[ScramCredentialUpsertion] = array(ScramCredentialUpsertion, default=())


class AlterUserScramCredentialsResult(Message):
    """Of AlterUserScramCredentialsResponse.results."""

    user: str = field("string", default="")
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")


class AlterUserScramCredentialsResponse(Message, versions="0", flexible="0+"):
    """Response of API key 51."""

    throttle_time_ms: int = field("int32", default=0)
    results: list[AlterUserScramCredentialsResult] = array(
        AlterUserScramCredentialsResult, default=()
    )
