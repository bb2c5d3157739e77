"""AddPartitionsToTxn, versions 0-5: partitions that a transaction is going to write to.

Versions 0-3 are of a client and one transaction; 4 and 5 of brokers (a right on the cluster), for
several transactions, some of them only to be verified.

Source: Kafka KafkaApis.handleAddPartitionsToTxnRequest.
"""

from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transaction_gate import check_is_open
from pylog.server.transactions import (
    ERRORS,
    FIRST_WITH_FENCED,
    find_coordinator_refusal,
    transaction_error_of,
)
from pylog.txn.states import CLASSIC_TRANSACTION_VERSION, TRANSACTION_VERSION
from pylog.wire.messages.api_24_add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

API_KEY = 24
_FIRST_OF_BROKERS = 4

Partition = tuple[str, int]


def handle(
    request: AddPartitionsToTxnRequest, context: RequestContext
) -> AddPartitionsToTxnResponse | Awaitable[AddPartitionsToTxnResponse]:
    """Add partitions to transactions, all or none to each."""
    if context.version < _FIRST_OF_BROKERS:
        return _add_for_client(request, context)
    if not context.authorize(Operation.CLUSTER_ACTION, ResourceType.CLUSTER):
        return AddPartitionsToTxnResponse(error_code=KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    return _add_for_brokers(request, context)


async def _add_for_client(
    request: AddPartitionsToTxnRequest, context: RequestContext
) -> AddPartitionsToTxnResponse:
    transaction = AddPartitionsToTxnTransaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    results = await _add(transaction, context)
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results)


async def _add_for_brokers(
    request: AddPartitionsToTxnRequest, context: RequestContext
) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(
        results_by_transaction=[
            AddPartitionsToTxnResult(
                transactional_id=transaction.transactional_id,
                topic_results=await _add(transaction, context),
            )
            for transaction in request.transactions
        ]
    )


async def _add(
    transaction: AddPartitionsToTxnTransaction, context: RequestContext
) -> list[AddPartitionsToTxnTopicResult]:
    refusal = find_coordinator_refusal(context, transaction.transactional_id)
    if refusal:
        return _answer(transaction.topics, dict.fromkeys(_partitions_of(transaction), refusal))
    faults = _find_faults(transaction, context)
    if any(faults.values()):
        return _answer(
            transaction.topics,
            {
                partition: fault or KafkaError.OPERATION_NOT_ATTEMPTED
                for partition, fault in faults.items()
            },
        )
    try:
        await context.broker.run_blocking(_add_in_thread, transaction, context, list(faults))
    except ERRORS as error:
        code = transaction_error_of(error, context, FIRST_WITH_FENCED)
        return _answer(transaction.topics, dict.fromkeys(faults, code))
    context.broker.transaction_gate.note(
        transaction.producer_id, transaction.producer_epoch, list(faults)
    )
    return _answer(transaction.topics, faults)


def _add_in_thread(
    transaction: AddPartitionsToTxnTransaction,
    context: RequestContext,
    partitions: list[Partition],
) -> None:
    coordinator = context.broker.transactions
    identity = (
        transaction.transactional_id,
        transaction.producer_id,
        transaction.producer_epoch,
    )
    if transaction.verify_only:
        for partition in partitions:
            check_is_open(coordinator, identity, partition)
        return
    is_client = context.version < _FIRST_OF_BROKERS
    coordinator.add_partitions(
        *identity,
        partitions,
        CLASSIC_TRANSACTION_VERSION if is_client else TRANSACTION_VERSION,
    )


def _partitions_of(transaction: AddPartitionsToTxnTransaction) -> list[Partition]:
    return [(topic.name, number) for topic in transaction.topics for number in topic.partitions]


def _find_faults(
    transaction: AddPartitionsToTxnTransaction, context: RequestContext
) -> dict[Partition, int]:
    topics = context.broker.topics()
    faults: dict[Partition, int] = {}
    for name, number in _partitions_of(transaction):
        topic = topics.get(name)
        if not context.authorize(Operation.WRITE, ResourceType.TOPIC, name):
            faults[(name, number)] = KafkaError.TOPIC_AUTHORIZATION_FAILED
        elif topic is None or not 0 <= number < topic.partitions:
            faults[(name, number)] = KafkaError.UNKNOWN_TOPIC_OR_PART
        else:
            faults[(name, number)] = KafkaError.NO_ERROR
    return faults


def _answer(
    topics: list[AddPartitionsToTxnTopic], codes: dict[Partition, int]
) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=number, partition_error_code=codes[(topic.name, number)]
                )
                for number in topic.partitions
            ],
        )
        for topic in topics
    ]
