"""LeaveGroup, versions 0-5: members go; from version 3 on several at a time, static ones by name.

Source: Kafka GroupMetadataManager.classicGroupLeave.
"""

from pylog.errors import KafkaError
from pylog.group.consumer_member import LEAVING_EPOCH
from pylog.group.group_types import GroupError
from pylog.group.states import Group
from pylog.server.request import Operation, RequestContext
from pylog.server.served_group import ServedGroup
from pylog.wire.messages.api_13_leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
    MemberResponse,
)

API_KEY = 13


async def handle(request: LeaveGroupRequest, context: RequestContext) -> LeaveGroupResponse:
    """Let them go, each or not."""
    groups = context.broker.groups
    code = groups.refusal(context, Operation.READ, request.group_id)
    if code:
        return LeaveGroupResponse(error_code=code)
    asked = request.members
    if context.version < 3:
        asked = [MemberIdentity(member_id=request.member_id)]
    await groups.ready(request.group_id)
    group = groups.find(request.group_id)
    if group is None:
        codes = [int(KafkaError.UNKNOWN_MEMBER_ID)] * len(asked)
    else:
        served = group
        codes = await served.change(
            lambda state, now_ms: [_leave(served, state, one, now_ms) for one in asked]
        )
    if context.version < 3:
        return LeaveGroupResponse(error_code=codes[0])
    return LeaveGroupResponse(
        members=[
            MemberResponse(
                member_id=one.member_id,
                group_instance_id=one.group_instance_id,
                error_code=code,
            )
            for one, code in zip(asked, codes, strict=True)
        ]
    )


def _leave(served: ServedGroup, group: Group, one: MemberIdentity, now_ms: int) -> int:
    if served.pending.pop(one.member_id, None) is not None and not one.group_instance_id:
        return KafkaError.NO_ERROR
    try:
        if group.consumer is not None:
            group.consumer.leave(one.member_id, one.group_instance_id, LEAVING_EPOCH)
        else:
            group.leave(one.member_id, one.group_instance_id, now_ms)
    except GroupError as error:
        return error.code
    return KafkaError.NO_ERROR
