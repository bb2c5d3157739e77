"""DescribeGroups, versions 0-6: state, protocol and members of groups of the older protocol.

A group that nobody knows is Dead, and from version 6 on GROUP_ID_NOT_FOUND too, as is one of the
newer protocol (ConsumerGroupDescribe). Members show what they joined with while it is Stable.

Source: Kafka GroupMetadataManager.describeGroups, ClassicGroup.asDescribedGroup.
"""

from pylog.errors import KafkaError
from pylog.group.group_types import GroupState
from pylog.group.standing import Standing, find_standing
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_15_describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

API_KEY = 15


async def handle(request: DescribeGroupsRequest, context: RequestContext) -> DescribeGroupsResponse:
    """Describe each."""
    groups = [
        await _describe(group_id, request.include_authorized_operations, context)
        for group_id in request.groups
    ]
    return DescribeGroupsResponse(groups=groups)


async def _describe(
    group_id: str, with_operations: bool, context: RequestContext
) -> DescribedGroup:
    broker = context.broker
    code = broker.groups.refusal(context, Operation.DESCRIBE, group_id)
    if code:
        return DescribedGroup(group_id=group_id, error_code=code)
    standing = await broker.run_blocking(find_standing, broker.log_dir, group_id)
    if standing is None or standing.consumer is not None:
        reason = "not found" if standing is None else "is not a classic group"
        described = DescribedGroup(group_id=group_id, group_state=GroupState.DEAD.value)
        if context.version >= 6:
            described.error_code = KafkaError.GROUP_ID_NOT_FOUND
            described.error_message = f"Group {group_id} {reason}."
    else:
        described = _as_described(standing)
    if with_operations:
        described.authorized_operations = context.authorized_operations(
            ResourceType.GROUP, group_id
        )
    return described


def _as_described(standing: Standing) -> DescribedGroup:
    is_stable = standing.state is GroupState.STABLE
    return DescribedGroup(
        group_id=standing.group_id,
        group_state=standing.state.value,
        protocol_type=standing.protocol_type,
        protocol_data=standing.protocol,
        members=[
            DescribedGroupMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=(
                    member.protocols.get(standing.protocol, b"") if is_stable else b""
                ),
                member_assignment=member.assignment if is_stable else b"",
            )
            for member in standing.members
        ],
    )
