"""FindCoordinator, versions 0-6: which node answers for a group or a transactional id.

From version 4 on for many keys at a time. Share groups (key type 2) are not served. A folder has
what a coordinator needs from the start, so that the answer is never "not yet".

Source: Kafka KafkaApis.handleFindCoordinatorRequest.
"""

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_10_find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

API_KEY = 10

GROUP, TRANSACTION = 0, 1


def handle(request: FindCoordinatorRequest, context: RequestContext) -> FindCoordinatorResponse:
    """Name the node of each key."""
    if context.version >= 4:
        found = [_find(key, request.key_type, context) for key in request.coordinator_keys]
        return FindCoordinatorResponse(coordinators=found)
    return _as_one(_find(request.key, request.key_type, context))


def refuse(
    request: FindCoordinatorRequest, context: RequestContext, error_code: int, message: str
) -> FindCoordinatorResponse:
    """Say what went wrong, of each key."""
    if context.version >= 4:
        found = [_refusal(key, error_code, message) for key in request.coordinator_keys]
        return FindCoordinatorResponse(coordinators=found)
    return _as_one(_refusal(request.key, error_code, message))


def _find(key: str, key_type: int, context: RequestContext) -> Coordinator:
    if key_type == GROUP:
        if not context.authorize(Operation.DESCRIBE, ResourceType.GROUP, key):
            return _refusal(key, KafkaError.GROUP_AUTHORIZATION_FAILED)
    elif key_type == TRANSACTION:
        if not context.authorize(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, key):
            return _refusal(key, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    else:
        return _refusal(key, KafkaError.INVALID_REQUEST, f"Unknown coordinator type {key_type}.")
    node_id = context.broker.coordinator_of(key)
    node = next(node for node in context.nodes() if node.node_id == node_id)
    return Coordinator(
        key=key, node_id=node.node_id, host=node.host, port=node.port, error_message=None
    )


def _refusal(key: str, error_code: int, message: str | None = None) -> Coordinator:
    return Coordinator(
        key=key, node_id=-1, host="", port=-1, error_code=error_code, error_message=message
    )


def _as_one(found: Coordinator) -> FindCoordinatorResponse:
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=found.error_message,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )
