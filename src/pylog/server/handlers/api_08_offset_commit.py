"""OffsetCommit, versions 2-10: how far a group has come; by topic ids from version 10 on.

An offset below 0 is refused (INVALID_COMMIT_OFFSET_SIZE), where Kafka keeps it and then takes it
for none. The empty group id, which Kafka still takes, is INVALID_GROUP_ID.

Source: Kafka KafkaApis.handleOffsetCommitRequest, OffsetMetadataManager.commitOffset.
"""

import time

from logcore.config_def import LONG_MAX
from pylog.errors import KafkaError, KafkaException
from pylog.group.group_types import GroupError
from pylog.group.offsets import OffsetAndMetadata
from pylog.log_dir import TopicMetadata
from pylog.server import errors, group_offsets
from pylog.server.group_offsets import Committer
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

API_KEY = 8


async def handle(request: OffsetCommitRequest, context: RequestContext) -> OffsetCommitResponse:
    """Commit what may be committed; each partition gets its own answer."""
    code = context.broker.groups.refusal(context, Operation.READ, request.group_id)
    if code:
        return refuse(request, context, code, "")
    offsets: dict[tuple[str, int], OffsetAndMetadata] = {}
    answers = []
    for topic in request.topics:
        known, topic_code = _find_topic(topic, context)
        answer = OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id)
        for partition in topic.partitions:
            code = topic_code or _check(known, partition, context)
            if not code and known is not None:
                place = known.name, partition.partition_index
                offsets[place] = _as_offset(partition, request.retention_time_ms)
            answer.partitions.append(
                OffsetCommitResponsePartition(
                    partition_index=partition.partition_index, error_code=code
                )
            )
        answers.append(answer)
    if offsets:
        code = await _commit(request, context, offsets)
        for answer in answers if code else ():
            for row in answer.partitions:
                row.error_code = row.error_code or code
    return OffsetCommitResponse(topics=answers)


def refuse(
    request: OffsetCommitRequest, context: RequestContext, error_code: int, message: str
) -> OffsetCommitResponse:
    """Say what went wrong, of each partition."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=error_code
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


async def _commit(
    request: OffsetCommitRequest,
    context: RequestContext,
    offsets: dict[tuple[str, int], OffsetAndMetadata],
) -> int:
    who = Committer(
        request.member_id, request.group_instance_id, request.generation_id_or_member_epoch
    )
    try:
        await group_offsets.commit(context.broker, request.group_id, who, offsets, context.version)
    except (GroupError, KafkaException) as error:
        return errors.coordinator_error_of(error)[0]
    return KafkaError.NO_ERROR


def _find_topic(
    topic: OffsetCommitRequestTopic, context: RequestContext
) -> tuple[TopicMetadata | None, int]:
    """The topic that is meant, or why its partitions are refused."""
    broker = context.broker
    if context.version >= 10:
        known = broker.topic_by_id(topic.topic_id)
        if known is None:
            return None, KafkaError.UNKNOWN_TOPIC_ID
    else:
        known = broker.topics().get(topic.name)
    name = topic.name if known is None else known.name
    if not context.authorize(Operation.READ, ResourceType.TOPIC, name):
        return None, KafkaError.TOPIC_AUTHORIZATION_FAILED
    return known, KafkaError.NO_ERROR if known is not None else KafkaError.UNKNOWN_TOPIC_OR_PART


def _check(
    topic: TopicMetadata | None, partition: OffsetCommitRequestPartition, context: RequestContext
) -> int:
    if topic is None or not 0 <= partition.partition_index < topic.partitions:
        return KafkaError.UNKNOWN_TOPIC_OR_PART
    length = len((partition.committed_metadata or "").encode("utf-16-le", "surrogatepass")) // 2
    if length > context.broker.config.integer("offset.metadata.max.bytes"):
        return KafkaError.OFFSET_METADATA_TOO_LARGE
    if partition.committed_offset < 0:
        return KafkaError.INVALID_COMMIT_OFFSET_SIZE
    return KafkaError.NO_ERROR


def _as_offset(
    partition: OffsetCommitRequestPartition, retention_time_ms: int
) -> OffsetAndMetadata:
    now_ms = time.time_ns() // 1_000_000
    return OffsetAndMetadata(
        partition.committed_offset,
        partition.committed_leader_epoch,
        partition.committed_metadata or "",
        now_ms,
        min(now_ms + retention_time_ms, LONG_MAX) if retention_time_ms >= 0 else -1,
    )
