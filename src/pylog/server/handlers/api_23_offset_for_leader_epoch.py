"""OffsetForLeaderEpoch, versions 2-4: where a leader epoch of a partition ends.

A consumer asks after a change of leaders whether what it has read is still there. Here the leader
epoch rises when a log is recovered after a crash of the machine: its tail may be gone.

Source: Kafka KafkaApis.handleOffsetForLeaderEpochRequest, ReplicaManager.lastOffsetForLeaderEpoch.
"""

from collections.abc import Awaitable

from logcore.errors import LogError
from pylog.errors import KafkaException
from pylog.server.partition_reads import end_of_epoch
from pylog.server.partitions import check_leader_epoch, find_refusal, partition_error_of
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_23_offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)

API_KEY = 23


def handle(
    request: OffsetForLeaderEpochRequest, context: RequestContext
) -> Awaitable[OffsetForLeaderEpochResponse]:
    """Say where leader epochs end."""
    refused = {
        (topic.topic, partition.partition): find_refusal(
            context, topic.topic, partition.partition, Operation.DESCRIBE
        )
        for topic in request.topics
        for partition in topic.partitions
    }
    return context.broker.run_blocking(_find_all, request, context, refused)


def _find_all(
    request: OffsetForLeaderEpochRequest,
    context: RequestContext,
    refused: dict[tuple[str, int], int],
) -> OffsetForLeaderEpochResponse:
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic,
                partitions=[
                    _find(
                        topic.topic,
                        partition,
                        refused[(topic.topic, partition.partition)],
                        context,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _find(
    name: str, partition: OffsetForLeaderPartition, refusal: int, context: RequestContext
) -> EpochEndOffset:
    answer = EpochEndOffset(partition=partition.partition, error_code=refusal)
    if refusal:
        return answer
    log_dir = context.broker.log_dir
    try:
        log = log_dir.partition(name, partition.partition)
        answer.error_code = check_leader_epoch(log, partition.current_leader_epoch)
        if not answer.error_code:
            answer.leader_epoch, answer.end_offset = end_of_epoch(log, partition.leader_epoch)
    except (LogError, KafkaException, OSError) as error:
        answer.error_code, _ = partition_error_of(error, log_dir)
    return answer
