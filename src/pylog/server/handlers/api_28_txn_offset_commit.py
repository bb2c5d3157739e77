"""TxnOffsetCommit, versions 0-5: offsets of a group that count when a transaction commits.

The group says whether the member may commit, in its generation. Up to version 4 AddOffsetsToTxn has
to come first; from 5 on this does its work.

Source: Kafka KafkaApis.handleTxnOffsetCommitRequest, OffsetMetadataManager.
"""

from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.group.commits import ConsumerGroupMetadata, commit_in_transaction
from pylog.group.group_types import GroupError
from pylog.group.offsets import OffsetAndMetadata, offset_refusal
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.transaction_gate import check_is_open
from pylog.server.transactions import (
    ERRORS,
    offsets_partition_of,
    transaction_error_of,
)
from pylog.wire.messages.api_28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

API_KEY = 28
_FIRST_WITH_MEMBERS = 3
_FIRST_WITH_ABORTABLE = 4
_FIRST_THAT_ADDS = 5

Partition = tuple[str, int]


def handle(
    request: TxnOffsetCommitRequest, context: RequestContext
) -> TxnOffsetCommitResponse | Awaitable[TxnOffsetCommitResponse]:
    """Commit offsets in a transaction."""
    refusal = _find_refusal(request, context)
    offsets: dict[Partition, OffsetAndMetadata] = {}
    codes: dict[Partition, int] = {}
    for topic in request.topics:
        for partition in topic.partitions:
            key = (topic.name, partition.partition_index)
            value = OffsetAndMetadata(
                partition.committed_offset,
                partition.committed_leader_epoch,
                partition.committed_metadata or "",
            )
            codes[key] = refusal or _find_fault(key, value, context)
            if not codes[key]:
                offsets[key] = value
    if not offsets:
        return _answer(request, codes)
    return _commit(request, context, offsets, codes)


def _find_refusal(request: TxnOffsetCommitRequest, context: RequestContext) -> int:
    if not request.group_id:
        return KafkaError.INVALID_GROUP_ID
    if not request.transactional_id:
        return KafkaError.INVALID_REQUEST
    if not context.authorize(
        Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id
    ):
        return KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
        return KafkaError.GROUP_AUTHORIZATION_FAILED
    if context.broker.coordinator_of(request.group_id) != context.node_id:
        return KafkaError.NOT_COORDINATOR
    return KafkaError.NO_ERROR


def _find_fault(partition: Partition, value: OffsetAndMetadata, context: RequestContext) -> int:
    if not context.authorize(Operation.READ, ResourceType.TOPIC, partition[0]):
        return KafkaError.TOPIC_AUTHORIZATION_FAILED
    topic = context.broker.topics().get(partition[0])
    if topic is None or not 0 <= partition[1] < topic.partitions:
        return KafkaError.UNKNOWN_TOPIC_OR_PART
    fault = offset_refusal(*partition, value)
    if fault is None:
        return KafkaError.NO_ERROR
    code = fault.code()
    return code if code > 0 else KafkaError.INVALID_COMMIT_OFFSET_SIZE


async def _commit(
    request: TxnOffsetCommitRequest,
    context: RequestContext,
    offsets: dict[Partition, OffsetAndMetadata],
    codes: dict[Partition, int],
) -> TxnOffsetCommitResponse:
    broker = context.broker
    work = broker.run_blocking(_commit_in_thread, request, context, offsets)
    broker.transaction_gate.note_append(request.producer_id, request.producer_epoch, work)
    try:
        await work
    except (*ERRORS, GroupError) as error:
        codes |= dict.fromkeys(offsets, _code_of(error, context))
    return _answer(request, codes)


def _commit_in_thread(
    request: TxnOffsetCommitRequest,
    context: RequestContext,
    offsets: dict[Partition, OffsetAndMetadata],
) -> None:
    broker = context.broker
    partition = offsets_partition_of(broker.log_dir, request.group_id)
    identity = (request.transactional_id, request.producer_id, request.producer_epoch)
    if context.version >= _FIRST_THAT_ADDS:
        broker.transactions.add_partitions(*identity, [partition])
    else:
        check_is_open(broker.transactions, identity, partition)
    member = ConsumerGroupMetadata(request.group_id)
    if context.version >= _FIRST_WITH_MEMBERS:
        member = ConsumerGroupMetadata(
            request.group_id,
            request.generation_id,
            request.member_id,
            request.group_instance_id,
        )
    log = broker.log_dir.partition(*partition)
    with broker.transaction_gate.offset_commits:  # one batch at a time has the next sequence
        sequence = 0
        for known in log.producers():
            if known.producer_id == request.producer_id:
                if known.producer_epoch == request.producer_epoch and known.last_sequence >= 0:
                    sequence = (known.last_sequence + 1) & 0x7FFFFFFF
                break
        stamp = (request.producer_id, request.producer_epoch, sequence)
        commit_in_transaction(broker.log_dir, member, offsets, stamp)


def _code_of(error: BaseException, context: RequestContext) -> int:
    """Source: Kafka GroupCoordinatorService.commitTransactionalOffsets, its errors."""
    code = error.code if isinstance(error, GroupError) else transaction_error_of(error, context, 0)
    if code == KafkaError.STALE_MEMBER_EPOCH:
        return KafkaError.ILLEGAL_GENERATION
    if code == KafkaError.PRODUCER_FENCED:
        return KafkaError.INVALID_PRODUCER_EPOCH
    if code == KafkaError.INVALID_TXN_STATE and context.version >= _FIRST_WITH_ABORTABLE:
        return KafkaError.TRANSACTION_ABORTABLE
    return code


def _answer(
    request: TxnOffsetCommitRequest, codes: dict[Partition, int]
) -> TxnOffsetCommitResponse:
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=partition.partition_index,
                        error_code=codes[(topic.name, partition.partition_index)],
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
