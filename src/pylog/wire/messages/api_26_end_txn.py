"""EndTxn, API key 26, versions 0-5, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, field


class EndTxnRequest(Message, versions="0-5", flexible="3+"):
    """Request of API key 26."""

    transactional_id: str = field("string", default="")
    producer_id: int = field("int64", default=0)
    producer_epoch: int = field("int16", default=0)
    committed: bool = field("bool", default=False)


class EndTxnResponse(Message, versions="0-5", flexible="3+"):
    """Response of API key 26."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    producer_id: int = field("int64", "5+", ignorable=True, default=-1)
    producer_epoch: int = field("int16", "5+", ignorable=True, default=-1)
