"""InitProducerId, API key 22, versions 0-6, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, field


class InitProducerIdRequest(Message, versions="0-6", flexible="2+"):
    """Request of API key 22."""

    transactional_id: str | None = field("string", nullable="0+", default="")
    transaction_timeout_ms: int = field("int32", default=0)
    producer_id: int = field("int64", "3+", default=-1)
    producer_epoch: int = field("int16", "3+", default=-1)
    enable2_pc: bool = field("bool", "6+", default=False)
    keep_prepared_txn: bool = field("bool", "6+", default=False)


class InitProducerIdResponse(Message, versions="0-6", flexible="2+"):
    """Response of API key 22."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    error_code: int = field("int16", default=0)
    producer_id: int = field("int64", default=-1)
    producer_epoch: int = field("int16", default=0)
    ongoing_txn_producer_id: int = field("int64", "6+", default=-1)
    ongoing_txn_producer_epoch: int = field("int16", "6+", default=-1)
