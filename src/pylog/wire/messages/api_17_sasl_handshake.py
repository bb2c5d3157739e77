"""SaslHandshake, API key 17, versions 0-1.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class SaslHandshakeRequest(Message, versions="0-1"):
    """Request of API key 17."""

    mechanism: str = field("string", default="")


class SaslHandshakeResponse(Message, versions="0-1"):
    """Response of API key 17."""

    error_code: int = field("int16", default=0)
    mechanisms: list[str] = array("string", default=())
