"""OffsetFetch, versions 1-10: how far groups have come; many groups at a time from version 8 on.

A group or partition that nothing is known of has the offset -1, and no error. With require_stable
an offset that an open transaction would change is UNSTABLE_OFFSET_COMMIT. By topic ids from version
10 on. The empty group id has no offsets.

Source: Kafka KafkaApis.handleOffsetFetchRequest, OffsetMetadataManager.fetchOffsets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pylog.errors import KafkaError, KafkaException
from pylog.group.group_types import GroupError
from pylog.group.offsets import OffsetAndMetadata
from pylog.server import errors, group_offsets
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire import NO_UUID
from pylog.wire.messages.api_09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

API_KEY = 9

NO_OFFSET = OffsetAndMetadata(-1)


@dataclass(slots=True)
class _Known:
    """What is known of a group's offsets."""

    committed: dict[tuple[str, int], OffsetAndMetadata]
    pending: set[tuple[str, int]]


async def handle(request: OffsetFetchRequest, context: RequestContext) -> OffsetFetchResponse:
    """Tell the offsets that were asked for."""
    if context.version >= 8:
        found = [await _fetch(group, request, context) for group in request.groups]
        return OffsetFetchResponse(groups=found)
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        ]
    asked = OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)
    return _as_one(await _fetch(asked, request, context))


def refuse(
    request: OffsetFetchRequest, context: RequestContext, error_code: int, message: str
) -> OffsetFetchResponse:
    """Say what went wrong, of each group."""
    if context.version >= 8:
        return OffsetFetchResponse(
            groups=[
                OffsetFetchResponseGroup(group_id=group.group_id, error_code=error_code)
                for group in request.groups
            ]
        )
    asked = [
        OffsetFetchResponseTopics(
            name=topic.name,
            partitions=[_row(number, NO_OFFSET, error_code) for number in topic.partition_indexes],
        )
        for topic in request.topics or ()
    ]
    return _as_one(OffsetFetchResponseGroup(topics=asked, error_code=error_code))


def _as_one(group: OffsetFetchResponseGroup) -> OffsetFetchResponse:
    """The response of before version 8."""
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=row.partition_index,
                        committed_offset=row.committed_offset,
                        committed_leader_epoch=row.committed_leader_epoch,
                        metadata=row.metadata,
                        error_code=row.error_code,
                    )
                    for row in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )


async def _fetch(
    asked: OffsetFetchRequestGroup, request: OffsetFetchRequest, context: RequestContext
) -> OffsetFetchResponseGroup:
    groups = context.broker.groups
    answer = OffsetFetchResponseGroup(group_id=asked.group_id)
    answer.error_code = groups.misplaced(context, asked.group_id)
    if not context.authorize(Operation.DESCRIBE, ResourceType.GROUP, asked.group_id):
        answer.error_code = KafkaError.GROUP_AUTHORIZATION_FAILED
    if answer.error_code:
        return answer
    known = _Known({}, set())
    if asked.group_id:
        await groups.ready(asked.group_id)
        try:
            if context.version >= 9:
                group_offsets.check_fetch(
                    context.broker, asked.group_id, asked.member_id, asked.member_epoch
                )
            known.committed = context.broker.offsets.committed(asked.group_id)
            if request.require_stable:
                known.pending = context.broker.offsets.pending(asked.group_id)
        except (GroupError, KafkaException) as error:
            answer.error_code = errors.coordinator_error_of(error)[0]
            return answer
    if asked.topics is None:
        answer.topics = _all_topics(known, context)
    else:
        answer.topics = [_topic(topic, known, context) for topic in asked.topics]
    return answer


def _all_topics(known: _Known, context: RequestContext) -> list[OffsetFetchResponseTopics]:
    numbers: dict[str, list[int]] = {}
    for name, number in sorted({*known.committed, *known.pending}):
        numbers.setdefault(name, []).append(number)
    topics = context.broker.topics()
    found = []
    for name, partitions in numbers.items():
        if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name):
            continue
        topic_id = NO_UUID
        if context.version >= 10:
            if name not in topics:
                continue
            topic_id = topics[name].topic_id.bytes
        found.append(
            OffsetFetchResponseTopics(
                name=name, topic_id=topic_id, partitions=_rows(name, partitions, known)
            )
        )
    return found


def _topic(
    topic: OffsetFetchRequestTopics, known: _Known, context: RequestContext
) -> OffsetFetchResponseTopics:
    name, code = topic.name, KafkaError.NO_ERROR
    if context.version >= 10:
        found = context.broker.topic_by_id(topic.topic_id)
        if found is None:
            code = KafkaError.UNKNOWN_TOPIC_ID
        else:
            name = found.name
    if not code and not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name):
        code = KafkaError.TOPIC_AUTHORIZATION_FAILED
    rows = (
        [_row(number, NO_OFFSET, code) for number in topic.partition_indexes]
        if code
        else _rows(name, topic.partition_indexes, known)
    )
    return OffsetFetchResponseTopics(name=name, topic_id=topic.topic_id, partitions=rows)


def _rows(name: str, numbers: Sequence[int], known: _Known) -> list[OffsetFetchResponsePartitions]:
    rows = []
    for number in numbers:
        place = name, number
        if place in known.pending:
            rows.append(_row(number, NO_OFFSET, KafkaError.UNSTABLE_OFFSET_COMMIT))
        else:
            rows.append(_row(number, known.committed.get(place, NO_OFFSET)))
    return rows


def _row(
    number: int, value: OffsetAndMetadata, error_code: int = KafkaError.NO_ERROR
) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=number,
        committed_offset=value.offset,
        committed_leader_epoch=value.leader_epoch,
        metadata=value.metadata,
        error_code=error_code,
    )
