"""DescribeProducers, version 0: the producers that wrote to partitions of late.

Source: Kafka KafkaApis.handleDescribeProducersRequest.
"""

from collections.abc import Awaitable

from logcore.errors import LogError
from pylog.errors import KafkaException
from pylog.server.partitions import find_refusal, partition_error_of
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_61_describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

API_KEY = 61


def handle(
    request: DescribeProducersRequest, context: RequestContext
) -> Awaitable[DescribeProducersResponse]:
    """Describe producers."""
    refused = {
        (topic.name, number): find_refusal(context, topic.name, number, Operation.READ)
        for topic in request.topics
        for number in topic.partition_indexes
    }
    return context.broker.run_blocking(_describe_all, request, context, refused)


def _describe_all(
    request: DescribeProducersRequest, context: RequestContext, refused: dict[tuple[str, int], int]
) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[
                    _describe(topic.name, number, refused[(topic.name, number)], context)
                    for number in topic.partition_indexes
                ],
            )
            for topic in request.topics
        ]
    )


def _describe(name: str, number: int, refusal: int, context: RequestContext) -> PartitionResponse:
    answer = PartitionResponse(partition_index=number, error_code=refusal)
    if refusal:
        return answer
    log_dir = context.broker.log_dir
    try:
        answer.active_producers = [
            ProducerState(
                producer_id=info.producer_id,
                producer_epoch=info.producer_epoch,
                last_sequence=info.last_sequence,
                last_timestamp=info.last_timestamp_ms,
                coordinator_epoch=info.coordinator_epoch,
                current_txn_start_offset=info.transaction_first_offset,
            )
            for info in log_dir.partition(name, number).producers()
        ]
    except (LogError, KafkaException, OSError) as error:
        answer.error_code, answer.error_message = partition_error_of(error, log_dir)
    return answer
