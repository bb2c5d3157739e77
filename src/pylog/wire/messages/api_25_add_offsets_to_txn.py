"""AddOffsetsToTxn, API key 25, versions 0-4, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, field


class AddOffsetsToTxnRequest(Message, versions="0-4", flexible="3+"):
    """Request of API key 25."""

    transactional_id: str = field("string", default="")
    producer_id: int = field("int64", default=0)
    producer_epoch: int = field("int16", default=0)
    group_id: str = field("string", default="")


class AddOffsetsToTxnResponse(Message, versions="0-4", flexible="3+"):
    """Response of API key 25."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
