"""DescribeTopicPartitions, version 0: topics with their partitions, a page at a time.

Topics come in the order of their names, from the cursor on; a page has as many partitions as the
client wants, at most `max.request.partition.size.limit`. Of eligible leaders beyond the leader
there are none.

Source: Kafka DescribeTopicPartitionsRequestHandler, KRaftMetadataCache.
"""

from pylog.errors import KafkaError
from pylog.internal_topics import is_internal
from pylog.server.errors import error_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_75_describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
    RequestCursor,
    ResponseCursor,
)

API_KEY = 75

MAX_PARTITIONS = 2000


def handle(
    request: DescribeTopicPartitionsRequest, context: RequestContext
) -> DescribeTopicPartitionsResponse:
    """Describe as many partitions as are wanted."""
    topics = context.broker.topics()
    asked = {topic.name for topic in request.topics}
    names = sorted(
        name
        for name in asked or topics
        if context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name)
    )
    cursor = request.cursor or RequestCursor()
    if cursor.partition_index < 0:
        return _page([], None)
    refused = sorted(asked - set(names)) if request.cursor is None else []
    described = [_missing(name, KafkaError.TOPIC_AUTHORIZATION_FAILED) for name in refused]
    room = min(max(request.response_partition_limit, 1), MAX_PARTITIONS)
    for name in names:
        if name < cursor.topic_name:
            continue
        if room <= 0:
            return _page(described, ResponseCursor(topic_name=name, partition_index=0))
        topic = topics.get(name)
        if topic is None:
            described.append(_missing(name, _why_missing(name, context)))
            continue
        first = cursor.partition_index if name == cursor.topic_name else 0
        end = min(topic.partitions, first + room)
        described.append(
            DescribeTopicPartitionsResponseTopic(
                name=name,
                topic_id=topic.topic_id.bytes,
                is_internal=is_internal(name),
                partitions=[
                    DescribeTopicPartitionsResponsePartition(
                        partition_index=number,
                        leader_id=replicas[0],
                        leader_epoch=context.broker.leader_epoch_of(name, number),
                        replica_nodes=replicas,
                        isr_nodes=replicas,
                        eligible_leader_replicas=[],
                        last_known_elr=[],
                    )
                    for number in range(first, end)
                    for replicas in (context.broker.replicas_of(topic, number),)
                ],
                topic_authorized_operations=context.authorized_operations(ResourceType.TOPIC, name),
            )
        )
        room -= max(end - first, 0)
        if end < topic.partitions:
            return _page(described, ResponseCursor(topic_name=name, partition_index=end))
    return _page(described, None)


def _page(
    topics: list[DescribeTopicPartitionsResponseTopic], cursor: ResponseCursor | None
) -> DescribeTopicPartitionsResponse:
    return DescribeTopicPartitionsResponse(topics=topics, next_cursor=cursor)


def _missing(name: str, error_code: int) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        name=name, error_code=error_code, is_internal=is_internal(name)
    )


def _why_missing(name: str, context: RequestContext) -> int:
    try:
        context.broker.log_dir.topic(name)
    except Exception as error:
        return error_of(error)[0]
    return KafkaError.UNKNOWN_TOPIC_OR_PART
