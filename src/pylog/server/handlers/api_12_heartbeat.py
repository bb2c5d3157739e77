"""Heartbeat, versions 0-4: a member gives a sign of life, and hears whether to join again.

Source: Kafka GroupMetadataManager.classicGroupHeartbeat.
"""

from pylog.errors import KafkaError
from pylog.group.group_types import GroupError
from pylog.server.request import Operation, RequestContext
from pylog.server.served_group import monotonic_ms
from pylog.wire.messages.api_12_heartbeat import HeartbeatRequest, HeartbeatResponse

API_KEY = 12


def handle(request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse:
    """Note it."""
    groups = context.broker.groups
    code = groups.refusal(context, Operation.READ, request.group_id)
    if code:
        return HeartbeatResponse(error_code=code)
    group = groups.find(request.group_id)
    if group is None:
        return HeartbeatResponse(error_code=KafkaError.UNKNOWN_MEMBER_ID)
    try:
        group.look().heartbeat(
            request.member_id, request.group_instance_id, request.generation_id, monotonic_ms()
        )
    except GroupError as error:
        if error.code == KafkaError.REBALANCE_IN_PROGRESS:
            group.heard(request.member_id)
        return HeartbeatResponse(error_code=error.code)
    group.heard(request.member_id)
    return HeartbeatResponse()
