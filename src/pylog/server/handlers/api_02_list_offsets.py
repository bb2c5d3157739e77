"""ListOffsets, versions 1-11: where partitions begin and end, and which offset a time has.

    timestamp   offset                                                    from version
    >= 0        of the first record at or after the time                  1
    -1          where the next record goes; with read_committed, where
                the first one of an open transaction stands               1
    -2          of the first record                                       1
    -3          of the first record with the largest timestamp            7
    -4          of the first record on this disk: as -2                   8
    -5          of the last record in tiered storage: none                9
    -6          of the first record not yet in tiered storage: as -2      11

Source: Kafka KafkaApis.handleListOffsetRequest, ReplicaManager.fetchOffset, ListOffsetsRequest.
"""

from collections.abc import Awaitable

from logcore.errors import LogError
from logcore.log import Log
from pylog.errors import KafkaError, KafkaException
from pylog.server.partition_reads import READ_COMMITTED, epoch_of
from pylog.server.partitions import check_leader_epoch, find_refusal, partition_error_of
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_02_list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

API_KEY = 2

_LATEST, _EARLIEST, _MAX_TIMESTAMP = -1, -2, -3
_EARLIEST_LOCAL, _LATEST_TIERED, _EARLIEST_PENDING_UPLOAD = -4, -5, -6
_FIRST_WITH_LEADER_EPOCH = 4
_FIRST_WITH = {
    _MAX_TIMESTAMP: 7,
    _EARLIEST_LOCAL: 8,
    _LATEST_TIERED: 9,
    _EARLIEST_PENDING_UPLOAD: 11,
}
_NONE = -1


def handle(
    request: ListOffsetsRequest, context: RequestContext
) -> ListOffsetsResponse | Awaitable[ListOffsetsResponse]:
    """Say which offsets partitions have."""
    doubled = _find_doubled(request)
    refused: dict[tuple[str, int], int] = {}
    is_quick = True
    for topic in request.topics:
        for partition in topic.partitions:
            key = (topic.name, partition.partition_index)
            refusal = _find_refusal(topic.name, partition, context)
            refused[key] = KafkaError.INVALID_REQUEST if key in doubled else refusal
            is_quick &= bool(refused[key]) or (
                partition.timestamp in (_LATEST, _EARLIEST)
                and context.broker.log_dir.known_log(*key) is not None
            )
    if is_quick:
        return _list(request, context, refused)
    return context.broker.run_blocking(_list, request, context, refused)


def _find_doubled(request: ListOffsetsRequest) -> set[tuple[str, int]]:
    seen: set[tuple[str, int]] = set()
    doubled = set()
    for topic in request.topics:
        for partition in topic.partitions:
            key = (topic.name, partition.partition_index)
            if key in seen:
                doubled.add(key)
            seen.add(key)
    return doubled


def _find_refusal(name: str, partition: ListOffsetsPartition, context: RequestContext) -> int:
    refusal = find_refusal(context, name, partition.partition_index, Operation.DESCRIBE)
    if not refusal and partition.timestamp < _LATEST:
        first = _FIRST_WITH.get(partition.timestamp, 1)
        is_known = partition.timestamp >= _EARLIEST_PENDING_UPLOAD
        if not is_known or context.version < first:
            return KafkaError.UNSUPPORTED_VERSION
    return refusal


def _list(
    request: ListOffsetsRequest, context: RequestContext, refused: dict[tuple[str, int], int]
) -> ListOffsetsResponse:
    """In a thread, where times are looked for or partitions to be opened."""
    is_committed = context.version >= 2 and request.isolation_level == READ_COMMITTED
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _answer(
                        topic.name,
                        partition,
                        refused[(topic.name, partition.partition_index)],
                        is_committed,
                        context,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _answer(
    name: str,
    partition: ListOffsetsPartition,
    refusal: int,
    is_committed: bool,
    context: RequestContext,
) -> ListOffsetsPartitionResponse:
    answer = ListOffsetsPartitionResponse(
        partition_index=partition.partition_index, error_code=refusal
    )
    if refusal:
        return answer
    log_dir = context.broker.log_dir
    try:
        log = log_dir.partition(name, partition.partition_index)
        answer.error_code = check_leader_epoch(log, partition.current_leader_epoch)
        if not answer.error_code:
            answer.offset, answer.timestamp = _find(log, partition.timestamp, is_committed)
            if answer.offset >= 0 and context.version >= _FIRST_WITH_LEADER_EPOCH:
                answer.leader_epoch = epoch_of(log, answer.offset)
    except (LogError, KafkaException, OSError) as error:
        answer.error_code, _ = partition_error_of(error, log_dir)
    return answer


def _find(log: Log, timestamp_ms: int, is_committed: bool) -> tuple[int, int]:
    """(offset, timestamp) for what was asked."""
    if timestamp_ms == _LATEST:
        return log.last_stable_offset if is_committed else log.log_end_offset, _NONE
    if timestamp_ms in (_EARLIEST, _EARLIEST_LOCAL, _EARLIEST_PENDING_UPLOAD):
        return log.log_start_offset, _NONE
    if timestamp_ms == _LATEST_TIERED:
        return _NONE, _NONE
    if timestamp_ms == _MAX_TIMESTAMP:
        found = log.max_timestamp()
    else:
        found = log.offset_for_timestamp(timestamp_ms)
    end_offset = log.last_stable_offset if is_committed else log.log_end_offset
    if found is None or found[0] >= end_offset:
        return _NONE, _NONE
    return found
