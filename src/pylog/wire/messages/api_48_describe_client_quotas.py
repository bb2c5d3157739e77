"""DescribeClientQuotas, API key 48, versions 0-1, flexible from 1.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ComponentData(Message):
    """Of DescribeClientQuotasRequest.components."""

    entity_type: str = field("string", default="")
    match_type: int = field("int8", default=0)
    match: str | None = field("string", nullable="0+", default="")


class DescribeClientQuotasRequest(Message, versions="0-1", flexible="1+"):
    """Request of API key 48."""

    components: list[ComponentData] = array(ComponentData, default=())
    strict: bool = field("bool", default=False)


class EntityData(Message):
    """Of EntryData.entity."""

    entity_type: str = field("string", default="")
    entity_name: str | None = field("string", nullable="0+", default="")


class ValueData(Message):
    """Of EntryData.values."""

    key: str = field("string", default="")
    value: float = field("float64", default=0.0)


class EntryData(Message):
    """Of DescribeClientQuotasResponse.entries."""

    entity: list[EntityData] = array(EntityData, default=())
    values: list[ValueData] = array(ValueData, default=())


class DescribeClientQuotasResponse(Message, versions="0-1", flexible="1+"):
    """Response of API key 48."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")
    entries: list[EntryData] | None = array(EntryData, nullable="0+", default=())
