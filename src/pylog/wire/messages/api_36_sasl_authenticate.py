"""SaslAuthenticate, API key 36, versions 0-2, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, field


class SaslAuthenticateRequest(Message, versions="0-2", flexible="2+"):
    """Request of API key 36."""

    auth_bytes: bytes = field("bytes", default=b"")


class SaslAuthenticateResponse(Message, versions="0-2", flexible="2+"):
    """Response of API key 36."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    auth_bytes: bytes = field("bytes", default=b"")
    session_lifetime_ms: int = field("int64", "1+", ignorable=True, default=0)
