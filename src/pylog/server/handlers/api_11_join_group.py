"""JoinGroup, versions 0-9: a member takes part in a group; answered when all have joined.

A new member gets its id first (version 4: MEMBER_ID_REQUIRED), so that one whose answer is lost
leaves nothing behind. A static member that comes back takes its place without a rebalance. Members
that embed the log and clients of a server are not of one group (INCONSISTENT_GROUP_PROTOCOL).

Source: Kafka KafkaApis.handleJoinGroupRequest, GroupMetadataManager.classicGroupJoin.
"""

import uuid

from pylog.errors import KafkaError
from pylog.group import agreement
from pylog.group.group_types import GroupError, JoinRequest, JoinResult
from pylog.server.request import Operation, RequestContext
from pylog.server.served_group import ServedGroup, monotonic_ms
from pylog.wire.messages.api_11_join_group import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)

API_KEY = 11


async def handle(request: JoinGroupRequest, context: RequestContext) -> JoinGroupResponse:
    """Join, and wait for the others."""
    groups = context.broker.groups
    code = groups.refusal(context, Operation.READ, request.group_id)
    if code:
        return refuse(request, context, code, "")
    if not groups.accepts_session(request.session_timeout_ms):
        return refuse(request, context, KafkaError.INVALID_SESSION_TIMEOUT, "")
    await groups.ready(request.group_id, writes=True)
    group = groups.find(request.group_id)
    if group is None:
        if request.member_id:
            return refuse(request, context, KafkaError.UNKNOWN_MEMBER_ID, "")
        group = groups.serve(request.group_id)
    try:
        join = _as_join(request, context, group)
        needs_id = context.version >= 4 and request.group_instance_id is None
        if needs_id and not request.member_id:
            return _give_id(join, group, context)
        member_id, result, leader = await group.join(
            join,
            context.connection,
            max_members=groups.max_members,
            initial_delay_ms=groups.initial_delay_ms,
        )
    except GroupError as error:
        return refuse(request, context, error.code, error.reason)
    return _answer(request, context, group, member_id, result, leader)


def refuse(
    request: JoinGroupRequest, context: RequestContext, error_code: int, message: str
) -> JoinGroupResponse:
    """Say what went wrong."""
    return JoinGroupResponse(
        error_code=error_code,
        protocol_name=None if context.version >= 7 else "",
        member_id=request.member_id,
    )


def _as_join(request: JoinGroupRequest, context: RequestContext, group: ServedGroup) -> JoinRequest:
    rebalance_timeout_ms = request.rebalance_timeout_ms
    member_id, new_id = request.member_id, ""
    if member_id in group.pending and member_id not in group.look().members:
        member_id, new_id = "", member_id
    name = request.group_instance_id or context.client_id or ""
    return JoinRequest(
        member_id=member_id,
        new_member_id=new_id or f"{name}-{uuid.uuid4()}",
        protocols={each.name: bytes(each.metadata) for each in request.protocols},
        instance_id=request.group_instance_id,
        client_id=context.client_id or "",
        client_host=f"/{context.client_host}",
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=(
            rebalance_timeout_ms if rebalance_timeout_ms >= 0 else request.session_timeout_ms
        ),
        protocol_type=request.protocol_type,
    )


def _give_id(join: JoinRequest, group: ServedGroup, context: RequestContext) -> JoinGroupResponse:
    """Tell a new member its id, with which it is to come again."""
    now = group.look()
    type_now = now.protocol_type if now.members else join.protocol_type
    agreement.check_join(now.group_id, join, tuple(now.members.values()), type_now)
    group.pending[join.new_member_id] = monotonic_ms() + join.session_timeout_ms
    return JoinGroupResponse(
        error_code=KafkaError.MEMBER_ID_REQUIRED,
        protocol_name=None if context.version >= 7 else "",
        member_id=join.new_member_id,
    )


def _answer(
    request: JoinGroupRequest,
    context: RequestContext,
    group: ServedGroup,
    member_id: str,
    result: JoinResult,
    leader_before: str,
) -> JoinGroupResponse:
    leader, members, skips = result.leader, result.members, False
    is_leader = member_id == leader
    if is_leader and not members:
        # A leader that came back: the group goes on with the assignment that it has.
        if context.version >= 9:
            skips = True
            members = tuple(
                (one.member_id, one.instance_id, one.protocols.get(result.protocol, b""))
                for one in group.look().members.values()
            )
        elif leader_before != member_id:
            leader = leader_before  # it must not share out, and nobody else will
    return JoinGroupResponse(
        generation_id=result.generation,
        protocol_type=request.protocol_type,
        protocol_name=result.protocol,
        leader=leader,
        skip_assignment=skips,
        member_id=member_id,
        members=[
            JoinGroupResponseMember(member_id=name, group_instance_id=instance, metadata=metadata)
            for name, instance, metadata in members
        ],
    )
