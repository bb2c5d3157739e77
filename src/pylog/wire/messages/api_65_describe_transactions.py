"""DescribeTransactions, API key 65, versions 0, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class DescribeTransactionsRequest(Message, versions="0", flexible="0+"):
    """Request of API key 65."""

    transactional_ids: list[str] = array("string", default=())


class TopicData(Message):
    """Of TransactionState.topics."""

    topic: str = field("string", default="")
    partitions: list[int] = array("int32", default=())


class TransactionState(Message):
    """Of DescribeTransactionsResponse.transaction_states."""

    error_code: int = field("int16", default=0)
    transactional_id: str = field("string", default="")
    transaction_state: str = field("string", default="")
    transaction_timeout_ms: int = field("int32", default=0)
    transaction_start_time_ms: int = field("int64", default=0)
    producer_id: int = field("int64", default=0)
    producer_epoch: int = field("int16", default=0)
    topics: list[TopicData] = array(TopicData, default=())


class DescribeTransactionsResponse(Message, versions="0", flexible="0+"):
    """Response of API key 65."""

    throttle_time_ms: int = field("int32", default=0)
    transaction_states: list[TransactionState] = array(TransactionState, default=())
