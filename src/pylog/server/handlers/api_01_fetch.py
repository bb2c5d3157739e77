"""Fetch, versions 4-18: records of some partitions, as they stand in the log.

The answer waits until there are min_bytes of records, or max_wait_ms is over, or reading met an
error; a partition that nobody knows is no reason to answer, unless nothing else is wanted.
Sessions: fetch_sessions.py; limits and isolation: partition_reads.py.

Left out: replicas (there are none to fetch for), preferred read replicas, KRaft's snapshots, tiers.

Source: Kafka KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages, DelayedFetch.
"""

import asyncio
from collections.abc import Awaitable

from pylog.errors import KafkaException
from pylog.server.delayed import Waiting
from pylog.server.fetch_sessions import FetchContext, WantedPartition
from pylog.server.partition_reads import READ_COMMITTED, PartitionReads
from pylog.server.partitions import open_logs
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_01_fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    NodeEndpoint,
    PartitionData,
)

API_KEY = 1
_FIRST_WITH_TOPIC_IDS = 13
_LONGEST_WAIT_MS = 300_000  # then it is answered, so that what a gone client wanted is forgotten

Answers = list[tuple[WantedPartition, PartitionData]]


def handle(
    request: FetchRequest, context: RequestContext
) -> FetchResponse | Awaitable[FetchResponse]:
    """Read what there is, or wait for it."""
    uses_ids = context.version >= _FIRST_WITH_TOPIC_IDS
    try:
        fetch = context.broker.fetch_sessions.begin(request, uses_ids)
    except KafkaException as error:
        return FetchResponse(error_code=error.args[0].code())
    reads = PartitionReads(
        context,
        fetch.wanted,
        min(request.max_bytes, context.broker.config.integer("fetch.max.bytes")),
        is_committed=request.isolation_level == READ_COMMITTED,
        is_refused=_is_refused(request, context),
    )
    closed = reads.find_closed()
    if closed:
        return _open_and_read(request, context, fetch, reads, closed)
    answers = reads.read()
    if _is_enough(request, reads):
        return _respond(context, fetch, answers)
    return _wait(request, context, fetch, reads)


def _is_refused(request: FetchRequest, context: RequestContext) -> bool:
    """Whether somebody asks as a replica, who may not."""
    replica_id = request.replica_id
    if request.replica_state is not None and context.version >= 15:
        replica_id = request.replica_state.replica_id
    return replica_id >= 0 and not context.authorize(Operation.CLUSTER_ACTION, ResourceType.CLUSTER)


async def _open_and_read(
    request: FetchRequest,
    context: RequestContext,
    fetch: FetchContext,
    reads: PartitionReads,
    closed: list[tuple[str, int]],
) -> FetchResponse:
    await context.broker.run_blocking(open_logs, context.broker, closed)
    answers = reads.read()
    if _is_enough(request, reads):
        return _respond(context, fetch, answers)
    return await _wait(request, context, fetch, reads)


def _is_enough(request: FetchRequest, reads: PartitionReads) -> bool:
    return (
        reads.byte_count >= request.min_bytes
        or request.max_wait_ms <= 0
        or reads.has_fault
        or not reads.logs
    )


def _wait(
    request: FetchRequest, context: RequestContext, fetch: FetchContext, reads: PartitionReads
) -> "asyncio.Future[FetchResponse]":
    waiting = _WaitingFetch(request, context, fetch, reads)
    context.broker.delayed.add(waiting)
    return waiting.response


class _WaitingFetch(Waiting):
    """A fetch that waits for records."""

    __slots__ = ("_context", "_fetch", "_reads", "_request", "response")

    def __init__(
        self,
        request: FetchRequest,
        context: RequestContext,
        fetch: FetchContext,
        reads: PartitionReads,
    ) -> None:
        loop = context.broker.loop
        wait_ms = min(request.max_wait_ms, _LONGEST_WAIT_MS)
        super().__init__(loop.time() + wait_ms / 1000, reads.logs)
        self._request = request
        self._context = context
        self._fetch = fetch
        self._reads = reads
        self.response: asyncio.Future[FetchResponse] = loop.create_future()

    def try_complete(self) -> bool:
        if self._context.connection.is_closed:
            self.response.cancel()
            return True
        answers = self._reads.read()
        if not _is_enough(self._request, self._reads):
            return False
        self._answer(answers)
        return True

    def expire(self) -> None:
        self._answer(self._reads.read())

    def _answer(self, answers: Answers) -> None:
        if not self.response.done():
            self.response.set_result(_respond(self._context, self._fetch, answers))


def _respond(context: RequestContext, fetch: FetchContext, answers: Answers) -> FetchResponse:
    response = FetchResponse(session_id=fetch.session_id)
    topics: dict[str | bytes, FetchableTopicResponse] = {}
    for wanted, answer in fetch.select(answers):
        topic = topics.get(wanted.topic)
        if topic is None:
            topic = FetchableTopicResponse(partitions=[])
            if isinstance(wanted.topic, bytes):
                topic.topic_id = wanted.topic
            else:
                topic.topic = wanted.topic
            topics[wanted.topic] = topic
        topic.partitions.append(answer)
    response.responses = list(topics.values())
    if len(context.broker.node_ids) > 1:
        response.node_endpoints = _leaders(context, answers)
    return response


def _leaders(context: RequestContext, answers: Answers) -> list[NodeEndpoint]:
    """Where the leaders are that a client looked for here."""
    wanted = {
        answer.current_leader.leader_id
        for _, answer in answers
        if answer.current_leader is not None
    }
    return [
        NodeEndpoint(node_id=node.node_id, host=node.host, port=node.port, rack=context.broker.rack)
        for node in context.nodes()
        if node.node_id in wanted
    ]
