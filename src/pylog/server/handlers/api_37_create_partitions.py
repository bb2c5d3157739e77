"""CreatePartitions, versions 0-3: topics get more partitions.

Of an assignment only its shape counts, as in CreateTopics.

Source: Kafka ReplicationControlManager.createPartitions, ControllerApis.createPartitions.
"""

from collections import Counter

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_topic
from pylog.server import errors
from pylog.server.broker import Broker
from pylog.server.quotas import Mutation, mutation_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.topic_creation import check_assignments, check_room
from pylog.wire.messages.api_37_create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)

API_KEY = 37
STRICT_SINCE = 3
"""The version from which on THROTTLING_QUOTA_EXCEEDED is known."""


async def handle(
    request: CreatePartitionsRequest, context: RequestContext
) -> CreatePartitionsResponse:
    """Let the topics grow, each or not. There is a result for each, for the Java client counts."""
    counts = Counter(topic.name for topic in request.topics)
    mutation = mutation_of(context, STRICT_SINCE)
    results: dict[str, CreatePartitionsTopicResult] = {}
    for topic in request.topics:
        name = topic.name
        if name in results:
            continue
        result = results[name] = CreatePartitionsTopicResult(name=name)
        if counts[name] > 1:
            result.error_code = KafkaError.INVALID_REQUEST
            result.error_message = "Duplicate topic name."
        elif not context.authorize(Operation.ALTER, ResourceType.TOPIC, name):
            result.error_code = KafkaError.TOPIC_AUTHORIZATION_FAILED
        else:
            try:
                await _grow_within(mutation, context.broker, topic, request.validate_only)
            except Exception as error:
                result.error_code, result.error_message = errors.error_of(error)
    response = CreatePartitionsResponse(results=list(results.values()))
    if mutation is not None:
        mutation.settle(response)
    return response


async def _grow_within(
    mutation: Mutation | None, broker: Broker, topic: CreatePartitionsTopic, validate_only: bool
) -> None:
    """Let a topic grow, if the client may make as many partitions: only then they count."""
    if mutation is not None:
        mutation.take(await broker.run_blocking(_grow, broker, topic, True))
        if validate_only:
            return
    await broker.run_blocking(_grow, broker, topic, validate_only)


def _grow(broker: Broker, topic: CreatePartitionsTopic, validate_only: bool) -> int:
    """Let a topic grow; by how many partitions."""
    known = broker.log_dir.topic(topic.name)
    if topic.count == known.partitions:
        refuse_topic(
            KafkaError.INVALID_PARTITIONS, f"Topic already has {known.partitions} partition(s)."
        )
    if topic.count < known.partitions:
        refuse_topic(
            KafkaError.INVALID_PARTITIONS,
            f"The topic {topic.name} currently has {known.partitions} partition(s); {topic.count} "
            "would not be an increase.",
        )
    if topic.assignments is not None:
        more = topic.count - known.partitions
        if len(topic.assignments) != more:
            refuse_topic(
                KafkaError.INVALID_REPLICA_ASSIGNMENT,
                f"Attempted to add {more} additional partition(s), but only "
                f"{len(topic.assignments)} assignment(s) were specified.",
            )
        check_assignments(broker, [one.broker_ids for one in topic.assignments])
    check_room(broker, topic_count=0, partition_count=topic.count - known.partitions)
    broker.log_dir.create_partitions(topic.name, topic.count, validate_only=validate_only)
    return topic.count - known.partitions
