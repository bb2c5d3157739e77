"""CreateTopics, versions 2-7: topics are made, one by one.

There is one copy of a partition; a replication factor is kept to be told again, and one of up to 3
is taken even where there are fewer nodes. Of an assignment only its shape counts: which node leads
a partition follows from its name. What was made can be written to when the response comes, so the
timeout is of no use.

Source: Kafka ReplicationControlManager.createTopics, ControllerApis.createTopics.
"""

from collections import Counter

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_topic
from pylog.server import errors
from pylog.server.broker import Broker
from pylog.server.config_entries import describe_topic
from pylog.server.quotas import Mutation, mutation_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.topic_creation import check_assignments, create_topic
from pylog.wire.messages.api_19_create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

API_KEY = 19
STRICT_SINCE = 6
"""The version from which on THROTTLING_QUOTA_EXCEEDED is known."""


async def handle(request: CreateTopicsRequest, context: RequestContext) -> CreateTopicsResponse:
    """Make the topics, each or not."""
    counts = Counter(topic.name for topic in request.topics)
    may_create_all = context.authorize(Operation.CREATE, ResourceType.CLUSTER)
    results: dict[str, CreatableTopicResult] = {}
    mutation = mutation_of(context, STRICT_SINCE)
    for topic in request.topics:
        name = topic.name
        if name in results:
            continue
        if counts[name] > 1:
            results[name] = _failed(name, KafkaError.INVALID_REQUEST, "Duplicate topic name.")
        elif not (may_create_all or context.authorize(Operation.CREATE, ResourceType.TOPIC, name)):
            results[name] = _failed(
                name, KafkaError.TOPIC_AUTHORIZATION_FAILED, "Authorization failed."
            )
        else:
            try:
                results[name] = await _create_within(
                    mutation, context.broker, topic, request.validate_only
                )
            except Exception as error:
                results[name] = _failed(name, *errors.error_of(error))
                continue
            if not context.authorize(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, name):
                _hide_configs(results[name])
    response = CreateTopicsResponse(topics=list(results.values()))
    if mutation is not None:
        mutation.settle(response)
    return response


async def _create_within(
    mutation: Mutation | None, broker: Broker, topic: CreatableTopic, validate_only: bool
) -> CreatableTopicResult:
    """Make a topic, if the client may make as many partitions: only then they count."""
    if mutation is not None:
        checked = await broker.run_blocking(_create, broker, topic, True)
        mutation.take(checked.num_partitions)
        if validate_only:
            return checked
    return await broker.run_blocking(_create, broker, topic, validate_only)


def _create(broker: Broker, topic: CreatableTopic, validate_only: bool) -> CreatableTopicResult:
    partitions = None if topic.num_partitions == -1 else topic.num_partitions
    replication_factor = topic.replication_factor
    if topic.assignments:
        if replication_factor != -1 or topic.num_partitions != -1:
            what = "replication factor" if replication_factor != -1 else "number of partitions"
            refuse_topic(
                KafkaError.INVALID_REQUEST,
                f"A manual partition assignment was specified, but {what} was not set to -1.",
            )
        assignments = sorted(topic.assignments, key=lambda one: one.partition_index)
        if [one.partition_index for one in assignments] != list(range(len(assignments))):
            refuse_topic(
                KafkaError.INVALID_REPLICA_ASSIGNMENT,
                "partitions should be a consecutive 0-based integer sequence",
            )
        partitions = len(assignments)
        replication_factor = check_assignments(broker, [one.broker_ids for one in assignments])
    elif partitions is not None and partitions <= 0:
        refuse_topic(
            KafkaError.INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.",
        )
    if replication_factor == -1:
        replication_factor = broker.default_replication_factor
    configs = {config.name: config.value for config in topic.configs}
    made = create_topic(
        broker, topic.name, partitions, replication_factor, configs, validate_only=validate_only
    )
    return CreatableTopicResult(
        name=made.name,
        topic_id=made.topic_id.bytes,
        error_message=None,
        num_partitions=made.partitions,
        replication_factor=made.replication_factor,
        configs=[
            CreatableTopicConfigs(
                name=entry.name,
                value=entry.value,
                read_only=entry.is_read_only,
                config_source=entry.source,
                is_sensitive=entry.is_sensitive,
            )
            for entry in describe_topic(made, broker.config)
        ],
    )


def _failed(name: str, error_code: int, message: str) -> CreatableTopicResult:
    """`configs` stays an array: where it is null, the Java client fails."""
    return CreatableTopicResult(name=name, error_code=error_code, error_message=message)


def _hide_configs(result: CreatableTopicResult) -> None:
    result.topic_config_error_code = KafkaError.TOPIC_AUTHORIZATION_FAILED
    result.num_partitions = result.replication_factor = -1
    result.configs = []
