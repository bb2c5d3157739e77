"""DeleteRecords, versions 0-2: partitions begin at a later offset; -1 is their end.

The answer comes when that is on the disk. Whole segments below are deleted, the others when
retention takes them.

Source: Kafka KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecords.
"""

from collections.abc import Awaitable

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.internal_topics import is_internal
from pylog.server.partitions import find_refusal, partition_error_of
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_21_delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

API_KEY = 21
_TO_THE_END = -1


def handle(
    request: DeleteRecordsRequest, context: RequestContext
) -> Awaitable[DeleteRecordsResponse]:
    """Delete records below offsets."""
    refused = {
        (topic.name, partition.partition_index): find_refusal(
            context, topic.name, partition.partition_index, Operation.DELETE
        )
        for topic in request.topics
        for partition in topic.partitions
    }
    return context.broker.run_blocking(_delete_all, request, context, refused)


def _delete_all(
    request: DeleteRecordsRequest, context: RequestContext, refused: dict[tuple[str, int], int]
) -> DeleteRecordsResponse:
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=topic.name,
                partitions=[
                    _delete(
                        topic.name,
                        partition,
                        refused[(topic.name, partition.partition_index)],
                        context,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _delete(
    name: str, partition: DeleteRecordsPartition, refusal: int, context: RequestContext
) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(
        partition_index=partition.partition_index, low_watermark=-1, error_code=refusal
    )
    if refusal:
        return result
    if is_internal(name):
        result.error_code = KafkaError.TOPIC_EXCEPTION
        return result
    log_dir = context.broker.log_dir
    try:
        log = log_dir.partition(name, partition.partition_index)
        if not log.config.is_deleted:
            result.error_code = KafkaError.POLICY_VIOLATION
        elif not _TO_THE_END <= partition.offset <= log.log_end_offset:
            result.error_code = KafkaError.OFFSET_OUT_OF_RANGE
        else:
            result.low_watermark = log.delete_records(partition.offset)
    except (LogError, KafkaException, OSError) as error:
        result.error_code, _ = partition_error_of(error, log_dir)
    return result
