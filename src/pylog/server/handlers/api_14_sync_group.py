"""SyncGroup, versions 0-5: the leader brings who reads what; each member gets its part.

Source: Kafka KafkaApis.handleSyncGroupRequest, GroupMetadataManager.classicGroupSync.
"""

from pylog.errors import KafkaError
from pylog.group.group_types import GroupError
from pylog.group.states import Group
from pylog.server.request import Operation, RequestContext
from pylog.wire.messages.api_14_sync_group import SyncGroupRequest, SyncGroupResponse

API_KEY = 14


async def handle(request: SyncGroupRequest, context: RequestContext) -> SyncGroupResponse:
    """Bring assignments, and wait for one's own."""
    groups = context.broker.groups
    code = groups.refusal(context, Operation.READ, request.group_id)
    if code:
        return SyncGroupResponse(error_code=code)
    if context.version >= 5 and (request.protocol_type is None or request.protocol_name is None):
        return SyncGroupResponse(error_code=KafkaError.INCONSISTENT_GROUP_PROTOCOL)
    await groups.ready(request.group_id)
    group = groups.find(request.group_id)
    if group is None:
        return SyncGroupResponse(error_code=KafkaError.UNKNOWN_MEMBER_ID)
    assignments = {one.member_id: bytes(one.assignment) for one in request.assignments}
    try:
        _check_protocol(request, group.look())
        assignment = await group.sync(
            request.member_id,
            request.group_instance_id,
            request.generation_id,
            assignments,
            context.connection,
        )
    except GroupError as error:
        return SyncGroupResponse(error_code=error.code)
    state = group.look()
    return SyncGroupResponse(
        protocol_type=state.protocol_type,
        protocol_name=state.protocol,
        assignment=assignment,
    )


def _check_protocol(request: SyncGroupRequest, group: Group) -> None:
    """Refuse a member of this generation that speaks of another protocol."""
    if request.member_id not in group.members or request.generation_id != group.generation:
        return  # which is worse
    if request.protocol_type not in (None, group.protocol_type) or (
        request.protocol_name not in (None, group.protocol)
    ):
        raise GroupError(
            KafkaError.INCONSISTENT_GROUP_PROTOCOL,
            f"the group's protocol is {group.protocol}, not {request.protocol_name}",
        )
