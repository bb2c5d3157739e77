"""Produce, versions 3-13 (0-2 are offered and refused): one batch for each of some partitions.

acks=0 is not answered, and closes the connection where something was refused; acks=1 is answered
when the batch is in the log: it survives the death of every process; acks=all when it is on the
disk. A retry of an idempotent producer is answered with the offset that the batch has.

A transactional batch is taken for a partition that its transaction was told of. Before version 11
and at 11 AddPartitionsToTxn does that; from 12 on the first batch does.

Left out: the down-conversion and the recompression that topic configs of a cluster can ask for
(`compression.type` other than `producer` is kept, and does not change what is stored).

Source: Kafka KafkaApis.handleProduceRequest, ReplicaManager.appendRecords.
"""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.internal_topics import is_internal
from pylog.log_dir import TopicMetadata
from pylog.server.dispatch import UnservedRequestError
from pylog.server.errors import refusal
from pylog.server.partitions import find_fault, partition_error_of
from pylog.server.produced_batch import ProducedBatch, RejectedBatchError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire import Message
from pylog.wire.messages.api_00_produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

if TYPE_CHECKING:
    from asyncio import Future

API_KEY = 0
PIPELINED = True

ALL = -1
_FIRST_WITH_ZSTD = 7
_FIRST_WITH_LEADER = 10
_FIRST_WITH_TOPIC_IDS = 13
_ADMIN_CLIENT_ID = "__admin_client"  # Kafka lets it write to internal topics


class _Waiting:
    """What of a request is not done yet.

    Attributes:
        appends: partition's answer, topic and number, batch, future of the base offset.
        flushes: partition's answer, future of the flush.
    """

    __slots__ = ("appends", "flushes")

    def __init__(self) -> None:
        self.appends: list[
            tuple[PartitionProduceResponse, tuple[str, int], ProducedBatch, Future[int]]
        ] = []
        self.flushes: list[tuple[PartitionProduceResponse, Future[None]]] = []


def handle(
    request: ProduceRequest, context: RequestContext
) -> ProduceResponse | Awaitable[ProduceResponse | None] | None:
    """Append the batches, all of them before anything is awaited."""
    waiting = _Waiting()
    refused = _refusal_of_all(request, context)
    response = ProduceResponse(
        responses=[_append_topic(topic, request, context, refused, waiting)
                   for topic in request.topic_data]
    )  # fmt: skip
    if waiting.appends or waiting.flushes:
        return _answer_later(request, context, response, waiting)
    return _finish(request, context, response)


def refuse(
    request: ProduceRequest, context: RequestContext, error_code: int, message: str
) -> Message:
    """Refuse all of a request."""
    if request.acks == 0:
        raise UnservedRequestError(f"Produce with acks=0 was refused: {message}")
    return refusal(request, API_KEY, context.version, error_code, message)


def _refusal_of_all(request: ProduceRequest, context: RequestContext) -> int:
    """The code of why nothing of the request is taken."""
    if request.acks not in (ALL, 0, 1):
        return KafkaError.INVALID_REQUIRED_ACKS
    transactional_id = request.transactional_id
    if transactional_id is not None and not context.authorize(
        Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id
    ):
        return KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return KafkaError.NO_ERROR


def _append_topic(
    data: TopicProduceData,
    request: ProduceRequest,
    context: RequestContext,
    refused: int,
    waiting: _Waiting,
) -> TopicProduceResponse:
    has_id = context.version >= _FIRST_WITH_TOPIC_IDS
    broker = context.broker
    if has_id:
        topic = broker.find_topic_by_id(data.topic_id)
        missing = KafkaError.UNKNOWN_TOPIC_ID
    else:
        topic = broker.find_topic(data.name)
        missing = KafkaError.UNKNOWN_TOPIC_OR_PART
    name = data.name if topic is None else topic.name
    if not refused and (broker.authorizer is not None or is_internal(name)):
        refused = _refusal_of_topic(name, context, is_named=not has_id or topic is not None)
    if not refused and topic is None:
        refused = missing
    answers = []
    for partition in data.partition_data:
        answer = PartitionProduceResponse(index=partition.index, base_offset=-1)
        if refused or topic is None:
            answer.error_code = refused
        else:
            _append_partition(topic, partition, request, context, answer, waiting)
        answers.append(answer)
    return TopicProduceResponse(name=data.name, topic_id=data.topic_id, partition_responses=answers)


def _refusal_of_topic(name: str, context: RequestContext, is_named: bool) -> int:
    if is_named and not context.authorize(Operation.WRITE, ResourceType.TOPIC, name):
        return KafkaError.TOPIC_AUTHORIZATION_FAILED
    if is_internal(name) and context.client_id != _ADMIN_CLIENT_ID:
        return KafkaError.TOPIC_EXCEPTION
    return KafkaError.NO_ERROR


def _append_partition(
    topic: TopicMetadata,
    data: PartitionProduceData,
    request: ProduceRequest,
    context: RequestContext,
    answer: PartitionProduceResponse,
    waiting: _Waiting,
) -> None:
    """Append one batch; `answer` says how that went, or will once what is waited for is there."""
    broker = context.broker
    partition = (topic.name, data.index)
    fault = find_fault(context, topic, data.index)
    if fault:
        _refuse(answer, context, partition, fault, None)
        return
    log = broker.log_dir.known_log(*partition)
    has_id = context.version >= _FIRST_WITH_TOPIC_IDS
    # It is opened by its name, and there may be another topic of that name by now.
    if log is None and has_id and broker.topic_by_id(topic.topic_id.bytes) is None:
        _refuse(answer, context, partition, KafkaError.UNKNOWN_TOPIC_ID, None)
        return
    try:
        batch = ProducedBatch(data.records)
        if batch.is_zstd and context.version < _FIRST_WITH_ZSTD:
            raise RejectedBatchError(
                KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
                "Produce requests before version 7 cannot be compressed with zstd",
            )
        first = None
        if batch.is_transactional:
            first = broker.transaction_gate.find_check(
                request.transactional_id, context.version, partition, batch
            )
        result = broker.appends.append(partition, log, batch, first)
    except (KafkaException, LogError, OSError) as error:
        _take_error(answer, context, partition, error)
        return
    if isinstance(result, int):
        _take_offset(answer, request, context, partition, batch, result, waiting)
    else:
        waiting.appends.append((answer, partition, batch, result))
        if batch.is_transactional:
            broker.transaction_gate.note_append(batch.producer_id, batch.producer_epoch, result)


def _take_offset(
    answer: PartitionProduceResponse,
    request: ProduceRequest,
    context: RequestContext,
    partition: tuple[str, int],
    batch: ProducedBatch,
    base_offset: int,
    waiting: _Waiting,
) -> None:
    answer.base_offset = base_offset
    answer.log_append_time_ms = batch.log_append_time_ms
    log = context.broker.log_dir.known_log(*partition)
    if log is None:  # deleted meanwhile
        return
    try:
        answer.log_start_offset = log.log_start_offset
        if request.acks == ALL:
            flush = context.broker.flushes.wait(log, batch.next_offset)
            if flush is not None:
                waiting.flushes.append((answer, flush))
    except LogError as error:
        _take_error(answer, context, partition, error)


def _take_error(
    answer: PartitionProduceResponse,
    context: RequestContext,
    partition: tuple[str, int],
    error: BaseException,
) -> None:
    code, text = partition_error_of(error, context.broker.log_dir)
    _refuse(answer, context, partition, code, text)
    if isinstance(error, RejectedBatchError):
        answer.record_errors = [
            BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=fault)
            for index, fault in error.record_errors
        ]


def _refuse(
    answer: PartitionProduceResponse,
    context: RequestContext,
    partition: tuple[str, int],
    code: int,
    text: str | None,
) -> None:
    answer.error_code = code
    answer.base_offset = -1
    answer.error_message = text
    if code == KafkaError.NOT_LEADER_FOR_PARTITION and context.version >= _FIRST_WITH_LEADER:
        answer.current_leader = LeaderIdAndEpoch(
            leader_id=context.broker.leader_of(*partition),
            leader_epoch=context.broker.leader_epoch_of(*partition),
        )


async def _answer_later(
    request: ProduceRequest, context: RequestContext, response: ProduceResponse, waiting: _Waiting
) -> ProduceResponse | None:
    for answer, partition, batch, future in waiting.appends:
        try:
            base_offset = await future
        except (KafkaException, LogError, OSError) as error:
            _take_error(answer, context, partition, error)
        else:
            _take_offset(answer, request, context, partition, batch, base_offset, waiting)
    if waiting.flushes:
        await _await_flushes(request, context, waiting)
    return _finish(request, context, response)


async def _await_flushes(
    request: ProduceRequest, context: RequestContext, waiting: _Waiting
) -> None:
    futures = [future for _, future in waiting.flushes]
    await asyncio.wait(futures, timeout=max(request.timeout_ms, 0) / 1000)
    for answer, future in waiting.flushes:
        if not future.done():
            answer.error_code = KafkaError.REQUEST_TIMED_OUT
            answer.base_offset = -1
        elif (error := future.exception()) is not None:
            answer.error_code, answer.error_message = partition_error_of(
                error, context.broker.log_dir
            )
            answer.base_offset = -1


def _finish(
    request: ProduceRequest, context: RequestContext, response: ProduceResponse
) -> ProduceResponse | None:
    if request.acks != 0:
        if len(context.broker.node_ids) > 1:
            _name_leaders(context, response)
        return response
    for topic in response.responses:
        for answer in topic.partition_responses:
            if answer.error_code:
                # All that can be done without a response: the client looks for what is wrong.
                raise UnservedRequestError(
                    f"Produce with acks=0 to {topic.name} [{answer.index}] was refused: error "
                    f"{answer.error_code}"
                )
    return None


def _name_leaders(context: RequestContext, response: ProduceResponse) -> None:
    """Say where the leaders are that a client looked for here."""
    wanted = {
        answer.current_leader.leader_id
        for topic in response.responses
        for answer in topic.partition_responses
        if answer.current_leader is not None
    }
    response.node_endpoints = [
        NodeEndpoint(node_id=node.node_id, host=node.host, port=node.port, rack=context.broker.rack)
        for node in context.nodes()
        if node.node_id in wanted
    ]
