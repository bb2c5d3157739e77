"""ListGroups, versions 0-5: the groups that this node coordinates, by state and type if wanted.

Source: Kafka KafkaApis.handleListGroupsRequest, GroupMetadataManager.listGroups.
"""

from pylog.group.standing import Standing, find_standing, known_groups
from pylog.log_dir import LogDir
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_16_list_groups import (
    ListedGroup,
    ListGroupsRequest,
    ListGroupsResponse,
)

API_KEY = 16

CLASSIC, CONSUMER = "classic", "consumer"


async def handle(request: ListGroupsRequest, context: RequestContext) -> ListGroupsResponse:
    """List the groups that the client may see."""
    broker = context.broker
    sees_all = context.authorize(Operation.DESCRIBE, ResourceType.CLUSTER)
    states = {name.lower() for name in request.states_filter}
    types = {name.lower() for name in request.types_filter}
    response = ListGroupsResponse()
    for standing in await broker.run_blocking(_find_all, broker.log_dir):
        kind = CLASSIC if standing.consumer is None else CONSUMER
        if (
            broker.coordinator_of(standing.group_id) != context.node_id
            or (states and standing.state.value.lower() not in states)
            or (types and kind not in types)
        ):
            continue
        if sees_all or context.authorize(Operation.DESCRIBE, ResourceType.GROUP, standing.group_id):
            response.groups.append(
                ListedGroup(
                    group_id=standing.group_id,
                    protocol_type=standing.protocol_type,
                    group_state=standing.state.value,
                    group_type=kind,
                )
            )
    return response


def _find_all(log_dir: LogDir) -> list[Standing]:
    found = (find_standing(log_dir, group_id) for group_id in known_groups(log_dir))
    return [standing for standing in found if standing is not None]
