"""ListTransactions, API key 66, versions 0-2, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class ListTransactionsRequest(Message, versions="0-2", flexible="0+"):
    """Request of API key 66."""

    state_filters: list[str] = array("string", default=())
    producer_id_filters: list[int] = array("int64", default=())
    duration_filter: int = field("int64", "1+", default=-1)
    transactional_id_pattern: str | None = field("string", "2+", nullable="2+", default=None)


class TransactionState(Message):
    """Of ListTransactionsResponse.transaction_states."""

    transactional_id: str = field("string", default="")
    producer_id: int = field("int64", default=0)
    transaction_state: str = field("string", default="")


class ListTransactionsResponse(Message, versions="0-2", flexible="0+"):
    """Response of API key 66."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    unknown_state_filters: list[str] = array("string", default=())
    transaction_states: list[TransactionState] = array(TransactionState, default=())
