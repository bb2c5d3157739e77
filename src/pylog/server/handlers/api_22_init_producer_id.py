"""InitProducerId, versions 0-5: a producer id and epoch, for idempotence or for transactions.

Without a transactional id it is a new id. With one, producers that had it are fenced; a transaction
that one of them left open is aborted before the answer (Kafka answers CONCURRENT_TRANSACTIONS until
it is). From version 3 on a producer that met an error says who it was, and goes on if it still is.

Left out: version 6, two-phase commit (KIP-939).

Source: Kafka KafkaApis.handleInitProducerIdRequest, TransactionCoordinator.handleInitProducerId.
"""

from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transactions import (
    ERRORS,
    FIRST_INIT_WITH_FENCED,
    find_coordinator_refusal,
    transaction_error_of,
)
from pylog.txn.producer_ids import ProducerIds
from pylog.wire.messages.api_22_init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)

API_KEY = 22
_NONE = -1


def handle(
    request: InitProducerIdRequest, context: RequestContext
) -> InitProducerIdResponse | Awaitable[InitProducerIdResponse]:
    """Give out a producer id and epoch."""
    transactional_id = request.transactional_id
    refusal: int = KafkaError.NO_ERROR
    if (request.producer_id == _NONE) != (request.producer_epoch == _NONE):
        refusal = KafkaError.INVALID_REQUEST
    elif transactional_id is not None:
        refusal = find_coordinator_refusal(context, transactional_id)
    elif not context.authorize(
        Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER
    ) and not context.authorize_any(Operation.WRITE, ResourceType.TOPIC):
        refusal = KafkaError.CLUSTER_AUTHORIZATION_FAILED
    if refusal:
        return InitProducerIdResponse(error_code=refusal, producer_epoch=_NONE)
    return _initialize(request, context)


async def _initialize(
    request: InitProducerIdRequest, context: RequestContext
) -> InitProducerIdResponse:
    try:
        identity = await context.broker.run_blocking(_take_identity, request, context)
    except ERRORS as error:
        code = transaction_error_of(error, context, FIRST_INIT_WITH_FENCED)
        return InitProducerIdResponse(error_code=code, producer_epoch=_NONE)
    context.broker.transaction_gate.forget(identity[0])
    context.broker.delayed.look_around()  # what was aborted holds readers back no more
    return InitProducerIdResponse(producer_id=identity[0], producer_epoch=identity[1])


def _take_identity(request: InitProducerIdRequest, context: RequestContext) -> tuple[int, int]:
    broker = context.broker
    if request.transactional_id is None:
        return broker.log_dir.attached(ProducerIds).take(), 0
    expected = None
    if request.producer_id != _NONE:
        expected = (request.producer_id, request.producer_epoch)
    return broker.transactions.init_producer_id(
        request.transactional_id,
        request.transaction_timeout_ms,
        expected=expected,
        is_remote=True,
        max_timeout_ms=broker.config.integer("transaction.max.timeout.ms"),
    )
