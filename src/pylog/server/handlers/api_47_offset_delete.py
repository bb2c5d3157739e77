"""OffsetDelete, version 0: a group forgets offsets of topics that its members do not read.

Source: Kafka KafkaApis.handleOffsetDeleteRequest, OffsetMetadataManager.deleteOffsets.
"""

from pylog.errors import KafkaError
from pylog.group.group_types import GroupError
from pylog.server import group_offsets
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

API_KEY = 47


async def handle(request: OffsetDeleteRequest, context: RequestContext) -> OffsetDeleteResponse:
    """Forget them, each or not."""
    broker = context.broker
    code = broker.groups.refusal(context, Operation.DELETE, request.group_id)
    if code:
        return OffsetDeleteResponse(error_code=code)
    await broker.groups.ready(request.group_id, writes=True)
    if not broker.groups.is_known(request.group_id):
        return OffsetDeleteResponse(error_code=KafkaError.GROUP_ID_NOT_FOUND)
    response = OffsetDeleteResponse()
    going: list[tuple[str, int]] = []
    for topic in request.topics:
        known = broker.topics().get(topic.name)
        count = 0 if known is None else known.partitions
        is_allowed = context.authorize(Operation.READ, ResourceType.TOPIC, topic.name)
        rows = []
        for partition in topic.partitions:
            number = partition.partition_index
            code = KafkaError.NO_ERROR
            if not is_allowed:
                code = KafkaError.TOPIC_AUTHORIZATION_FAILED
            elif not 0 <= number < count:
                code = KafkaError.UNKNOWN_TOPIC_OR_PART
            else:
                going.append((topic.name, number))
            rows.append(OffsetDeleteResponsePartition(partition_index=number, error_code=code))
        response.topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=rows))
    try:
        subscribed = await group_offsets.forget(broker, request.group_id, going)
    except GroupError as error:
        return OffsetDeleteResponse(error_code=error.code)
    for answer in response.topics:
        for row in answer.partitions:
            if not row.error_code and answer.name in subscribed:
                row.error_code = KafkaError.GROUP_SUBSCRIBED_TO_TOPIC
    return response
