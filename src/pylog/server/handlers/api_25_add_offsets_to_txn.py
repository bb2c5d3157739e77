"""AddOffsetsToTxn, versions 0-4: a transaction is going to commit offsets of a group.

That is, to write to the partition of `__consumer_offsets` that has the group.

Source: Kafka KafkaApis.handleAddOffsetsToTxnRequest.
"""

from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transactions import (
    ERRORS,
    FIRST_WITH_FENCED,
    find_coordinator_refusal,
    offsets_partition_of,
    transaction_error_of,
)
from pylog.txn.states import CLASSIC_TRANSACTION_VERSION
from pylog.wire.messages.api_25_add_offsets_to_txn import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
)

API_KEY = 25


def handle(
    request: AddOffsetsToTxnRequest, context: RequestContext
) -> AddOffsetsToTxnResponse | Awaitable[AddOffsetsToTxnResponse]:
    """Add a group's offsets to a transaction."""
    refusal = find_coordinator_refusal(context, request.transactional_id)
    if not refusal and not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
        refusal = KafkaError.GROUP_AUTHORIZATION_FAILED
    if refusal:
        return AddOffsetsToTxnResponse(error_code=refusal)
    return _add(request, context)


async def _add(request: AddOffsetsToTxnRequest, context: RequestContext) -> AddOffsetsToTxnResponse:
    try:
        partition = await context.broker.run_blocking(_add_in_thread, request, context)
    except ERRORS as error:
        code = transaction_error_of(error, context, FIRST_WITH_FENCED)
        return AddOffsetsToTxnResponse(error_code=code)
    context.broker.transaction_gate.note(request.producer_id, request.producer_epoch, [partition])
    return AddOffsetsToTxnResponse()


def _add_in_thread(request: AddOffsetsToTxnRequest, context: RequestContext) -> tuple[str, int]:
    broker = context.broker
    partition = offsets_partition_of(broker.log_dir, request.group_id)
    broker.transactions.add_partitions(
        request.transactional_id,
        request.producer_id,
        request.producer_epoch,
        [partition],
        CLASSIC_TRANSACTION_VERSION,
    )
    return partition
