"""AlterClientQuotas, API key 49, versions 0-1, flexible from 1.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class RequestEntityData(Message):
    """Of RequestEntryData.entity."""

    entity_type: str = field("string", default="")
    entity_name: str | None = field("string", nullable="0+", default="")


class OpData(Message):
    """Of RequestEntryData.ops."""

    key: str = field("string", default="")
    value: float = field("float64", default=0.0)
    remove: bool = field("bool", default=False)


class RequestEntryData(Message):
    """Of AlterClientQuotasRequest.entries."""

    entity: list[RequestEntityData] = array(RequestEntityData, default=())
    ops: list[OpData] = array(OpData, default=())


class AlterClientQuotasRequest(Message, versions="0-1", flexible="1+"):
    """Request of API key 49."""

    entries: list[RequestEntryData] = array(RequestEntryData, default=())
    validate_only: bool = field("bool", default=False)


class ResponseEntityData(Message):
    """Of ResponseEntryData.entity."""

    entity_type: str = field("string", default="")
    entity_name: str | None = field("string", nullable="0+", default="")


class ResponseEntryData(Message):
    """Of AlterClientQuotasResponse.entries."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    entity: list[ResponseEntityData] = array(ResponseEntityData, default=())


class AlterClientQuotasResponse(Message, versions="0-1", flexible="1+"):
    """Response of API key 49."""

    throttle_time_ms: int = field("int32", default=0)
    entries: list[ResponseEntryData] = array(ResponseEntryData, default=())
