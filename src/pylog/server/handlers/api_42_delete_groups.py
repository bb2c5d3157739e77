"""DeleteGroups, versions 0-2: groups without members go, with their offsets.

Source: Kafka KafkaApis.handleDeleteGroupsRequest, GroupCoordinatorService.deleteGroups.
"""

from pylog.errors import KafkaError, KafkaException
from pylog.group.group_types import GroupError
from pylog.server import errors, group_offsets
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_42_delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)

API_KEY = 42


async def handle(request: DeleteGroupsRequest, context: RequestContext) -> DeleteGroupsResponse:
    """Delete them, each or not."""
    results = [
        DeletableGroupResult(group_id=group_id, error_code=await _delete(group_id, context))
        for group_id in dict.fromkeys(request.groups_names)
    ]
    return DeleteGroupsResponse(results=results)


async def _delete(group_id: str, context: RequestContext) -> int:
    broker = context.broker
    code = broker.groups.refusal(context, Operation.DELETE, group_id)
    if code:
        return code
    try:
        await broker.groups.ready(group_id, writes=True)
        if not broker.groups.is_known(group_id):
            return KafkaError.GROUP_ID_NOT_FOUND
        await group_offsets.forget(broker, group_id, None)
    except (GroupError, KafkaException) as error:
        return errors.coordinator_error_of(error)[0]
    return KafkaError.NO_ERROR
