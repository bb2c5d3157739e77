"""DescribeTransactions, version 0: how transactional ids stand.

Source: Kafka KafkaApis.handleDescribeTransactionsRequest, TransactionCoordinator.
"""

from collections.abc import Awaitable
from itertools import groupby

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transactions import ERRORS, transaction_error_of
from pylog.txn.states import Partition
from pylog.wire.messages.api_65_describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TopicData,
    TransactionState,
)

API_KEY = 65


def handle(
    request: DescribeTransactionsRequest, context: RequestContext
) -> Awaitable[DescribeTransactionsResponse]:
    """Describe transactional ids."""
    refused = {
        transactional_id: _find_refusal(transactional_id, context)
        for transactional_id in request.transactional_ids
    }
    return context.broker.run_blocking(_describe_all, refused, context)


def _find_refusal(transactional_id: str, context: RequestContext) -> int:
    if not context.authorize(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if context.broker.coordinator_of(transactional_id) != context.node_id:
        return KafkaError.NOT_COORDINATOR
    return KafkaError.NO_ERROR


def _describe_all(refused: dict[str, int], context: RequestContext) -> DescribeTransactionsResponse:
    return DescribeTransactionsResponse(
        transaction_states=[
            _describe(transactional_id, refusal, context)
            for transactional_id, refusal in refused.items()
        ]
    )


def _describe(transactional_id: str, refusal: int, context: RequestContext) -> TransactionState:
    answer = TransactionState(transactional_id=transactional_id, error_code=refusal)
    if refusal:
        return answer
    try:
        metadata = context.broker.transactions.find(transactional_id)
    except ERRORS as error:
        answer.error_code = transaction_error_of(error, context, 0)
        return answer
    if metadata is None:
        answer.error_code = KafkaError.TRANSACTIONAL_ID_NOT_FOUND
        return answer
    answer.transaction_state = metadata.state.title
    answer.transaction_timeout_ms = metadata.timeout_ms
    answer.transaction_start_time_ms = metadata.start_timestamp_ms
    answer.producer_id = metadata.producer_id
    answer.producer_epoch = metadata.producer_epoch
    answer.topics = _by_topic(metadata.partitions, context)
    return answer


def _by_topic(partitions: frozenset[Partition], context: RequestContext) -> list[TopicData]:
    """Those that the client may know of."""
    return [
        TopicData(topic=name, partitions=[number for _, number in group])
        for name, group in groupby(sorted(partitions), key=lambda partition: partition[0])
        if context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name)
    ]
