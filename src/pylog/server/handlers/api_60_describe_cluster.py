"""DescribeCluster, versions 0-2: the nodes, the cluster's id, which node is the controller.

There are no controllers beside the brokers: who asks for them gets MISMATCHED_ENDPOINT_TYPE, as
from a broker of Kafka. No node is ever fenced.

Source: Kafka AuthHelper.computeDescribeClusterResponse.
"""

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_60_describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

API_KEY = 60

BROKERS, CONTROLLERS = 1, 2


def handle(request: DescribeClusterRequest, context: RequestContext) -> DescribeClusterResponse:
    """Describe the cluster that the server plays."""
    if request.endpoint_type != BROKERS:
        if request.endpoint_type == CONTROLLERS:
            return refuse(
                request, context, KafkaError.MISMATCHED_ENDPOINT_TYPE,
                "The request was sent to an endpoint of the wrong type.",
            )  # fmt: skip
        return refuse(
            request, context, KafkaError.UNSUPPORTED_ENDPOINT_TYPE,
            f"Unsupported endpoint type {request.endpoint_type}",
        )  # fmt: skip
    rack = context.broker.rack
    response = DescribeClusterResponse(
        endpoint_type=request.endpoint_type,
        cluster_id=context.broker.log_dir.cluster_id,
        controller_id=context.broker.controller_id,
        brokers=[
            DescribeClusterBroker(broker_id=node.node_id, host=node.host, port=node.port, rack=rack)
            for node in context.nodes()
        ],
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = (
            context.authorized_operations(ResourceType.CLUSTER)
            if context.authorize(Operation.DESCRIBE, ResourceType.CLUSTER)
            else 0
        )
    return response


def refuse(
    request: DescribeClusterRequest, context: RequestContext, error_code: int, message: str
) -> DescribeClusterResponse:
    """Say what went wrong."""
    return DescribeClusterResponse(
        error_code=error_code, error_message=message, endpoint_type=request.endpoint_type
    )
