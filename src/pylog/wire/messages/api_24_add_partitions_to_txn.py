"""AddPartitionsToTxn, API key 24, versions 0-5, flexible from 3.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class AddPartitionsToTxnTopic(Message):
    """Of AddPartitionsToTxnTransaction.topics."""

    name: str = field("string", default="")
    partitions: list[int] = array("int32", default=())


class AddPartitionsToTxnTransaction(Message):
    """Of AddPartitionsToTxnRequest.transactions."""

    transactional_id: str = field("string", "4+", default="")
    producer_id: int = field("int64", "4+", default=0)
    producer_epoch: int = field("int16", "4+", default=0)
    verify_only: bool = field("bool", "4+", default=False)
    topics: list[AddPartitionsToTxnTopic] = array(AddPartitionsToTxnTopic, "4+", default=())


class AddPartitionsToTxnRequest(Message, versions="0-5", flexible="3+"):
    """Request of API key 24."""

    transactions: list[AddPartitionsToTxnTransaction] = array(
        AddPartitionsToTxnTransaction, "4+", default=()
    )
    v3_and_below_transactional_id: str = field("string", "0-3", default="")
    v3_and_below_producer_id: int = field("int64", "0-3", default=0)
    v3_and_below_producer_epoch: int = field("int16", "0-3", default=0)
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = array(
        AddPartitionsToTxnTopic, "0-3", default=()
    )


class AddPartitionsToTxnPartitionResult(Message):
    """Of AddPartitionsToTxnTopicResult.results_by_partition."""

    partition_index: int = field("int32", default=0)
    partition_error_code: int = field("int16", default=0)


class AddPartitionsToTxnTopicResult(Message):
    """Of AddPartitionsToTxnResult.topic_results."""

    name: str = field("string", default="")
    results_by_partition: list[AddPartitionsToTxnPartitionResult] = array(
        AddPartitionsToTxnPartitionResult, default=()
    )


class AddPartitionsToTxnResult(Message):
    """Of AddPartitionsToTxnResponse.results_by_transaction."""

    transactional_id: str = field("string", "4+", default="")
    topic_results: list[AddPartitionsToTxnTopicResult] = array(
        AddPartitionsToTxnTopicResult, "4+", default=()
    )


class AddPartitionsToTxnResponse(Message, versions="0-5", flexible="3+"):
    """Response of API key 24."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", "4+", ignorable=True, default=0)
    results_by_transaction: list[AddPartitionsToTxnResult] = array(
        AddPartitionsToTxnResult, "4+", default=()
    )
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = array(
        AddPartitionsToTxnTopicResult, "0-3", default=()
    )
