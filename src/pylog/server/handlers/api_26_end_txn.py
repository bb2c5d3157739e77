"""EndTxn, versions 0-5: a transaction is committed or aborted.

The answer comes when that is decided, on the disk, and marked in each partition. Up to version 4
the producer goes on with the epoch that it has; from 5 on with the one that it is told (KIP-890).

Source: Kafka KafkaApis.handleEndTxnRequest, TransactionCoordinator.endTransaction.
"""

import asyncio
from collections.abc import Awaitable

from pylog.server.request import RequestContext
from pylog.server.transactions import (
    ERRORS,
    FIRST_WITH_FENCED,
    find_coordinator_refusal,
    flush_offsets,
    transaction_error_of,
)
from pylog.wire.messages.api_26_end_txn import EndTxnRequest, EndTxnResponse

API_KEY = 26
_FIRST_THAT_RAISES_EPOCH = 5


def handle(
    request: EndTxnRequest, context: RequestContext
) -> EndTxnResponse | Awaitable[EndTxnResponse]:
    """End a transaction."""
    refusal = find_coordinator_refusal(context, request.transactional_id)
    if refusal:
        return EndTxnResponse(error_code=refusal)
    return _end(request, context)


async def _end(request: EndTxnRequest, context: RequestContext) -> EndTxnResponse:
    broker = context.broker
    appends = broker.transaction_gate.close(request.producer_id)
    try:
        if appends:
            await asyncio.wait(appends)
        identity = await broker.run_blocking(_end_in_thread, request, context)
    except ERRORS as error:
        code = transaction_error_of(error, context, FIRST_WITH_FENCED)
        return EndTxnResponse(error_code=code)
    finally:
        broker.transaction_gate.open(request.producer_id)
    broker.delayed.look_around()  # it holds readers back no more
    return EndTxnResponse(producer_id=identity[0], producer_epoch=identity[1])


def _end_in_thread(request: EndTxnRequest, context: RequestContext) -> tuple[int, int]:
    broker = context.broker
    if request.committed:
        metadata = broker.transactions.find(request.transactional_id)
        if metadata is not None:
            flush_offsets(broker.log_dir, metadata.partitions)
    return broker.transactions.end(
        request.transactional_id,
        request.producer_id,
        request.producer_epoch,
        request.committed,
        is_durable=request.committed,
        raises_epoch=context.version >= _FIRST_THAT_RAISES_EPOCH,
    )
