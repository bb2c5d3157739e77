"""ElectLeaders, versions 0-2: nobody is elected, for every partition has the leader it is to have.

Source: Kafka ReplicationControlManager.electLeaders.
"""

from pylog.errors import KafkaError
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_43_elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

API_KEY = 43

PREFERRED, UNCLEAN = 0, 1


def handle(request: ElectLeadersRequest, context: RequestContext) -> ElectLeadersResponse:
    """Say of each partition that it needs no election; of all of them nothing."""
    if not context.authorize(Operation.ALTER, ResourceType.CLUSTER):
        code = KafkaError.CLUSTER_AUTHORIZATION_FAILED
        return refuse(request, context, code, "Cluster authorization failed.")
    if request.election_type not in (PREFERRED, UNCLEAN):
        code = KafkaError.INVALID_REQUEST
        return refuse(request, context, code, f"Unknown election type {request.election_type}")
    response = ElectLeadersResponse()
    if request.topic_partitions is None:
        names = context.broker.topics()
        response.replica_election_results = [ReplicaElectionResult(topic=name) for name in names]
        return response
    for asked in request.topic_partitions:
        topic = context.broker.topics().get(asked.topic)
        results = []
        for number in asked.partitions:
            code = KafkaError.UNKNOWN_TOPIC_OR_PART
            if topic is None:
                message = f"No such topic as {asked.topic}"
            elif not 0 <= number < topic.partitions:
                message = f"No such partition as {asked.topic}-{number}"
            else:
                code = KafkaError.ELECTION_NOT_NEEDED
                message = "Leader election not needed for topic partition."
            results.append(
                PartitionResult(partition_id=number, error_code=code, error_message=message)
            )
        response.replica_election_results.append(
            ReplicaElectionResult(topic=asked.topic, partition_result=results)
        )
    return response


def refuse(
    request: ElectLeadersRequest, context: RequestContext, error_code: int, message: str
) -> ElectLeadersResponse:
    """Say what went wrong, and of each partition too."""
    response = ElectLeadersResponse()
    if context.version >= 1:
        response.error_code = error_code
    response.replica_election_results = [
        ReplicaElectionResult(
            topic=asked.topic,
            partition_result=[
                PartitionResult(partition_id=number, error_code=error_code, error_message=message)
                for number in asked.partitions
            ],
        )
        for asked in request.topic_partitions or []
    ]
    return response
