"""Metadata, versions 0-13: the nodes, and topics with who leads their partitions.

Topics are named, or asked for by id (version 10 and on). One that is named and missing is made when
the client and `auto.create.topics.enable` allow it; Kafka answers before it is made, here it is
there with the answer. No partition is ever without its leader.

Source: Kafka KafkaApis.handleTopicMetadataRequest, DefaultAutoTopicCreationManager.
"""

from collections.abc import Awaitable

from pylog.errors import KafkaError
from pylog.internal_topics import is_internal
from pylog.log_dir import TopicMetadata
from pylog.server.errors import error_of
from pylog.server.quotas import mutation_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.topic_creation import create_automatically
from pylog.wire import NO_UUID
from pylog.wire.messages.api_03_metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

API_KEY = 3


def handle(
    request: MetadataRequest, context: RequestContext
) -> MetadataResponse | Awaitable[MetadataResponse]:
    """Describe the cluster and the topics asked for."""
    response = MetadataResponse(
        brokers=[
            MetadataResponseBroker(
                node_id=node.node_id, host=node.host, port=node.port, rack=context.broker.rack
            )
            for node in context.nodes()
        ],
        cluster_id=context.broker.log_dir.cluster_id,
        controller_id=context.broker.controller_id,
    )
    if request.include_cluster_authorized_operations and context.version <= 10:
        response.cluster_authorized_operations = (
            context.authorized_operations(ResourceType.CLUSTER)
            if context.authorize(Operation.DESCRIBE, ResourceType.CLUSTER)
            else 0
        )
    if request.topics is None or (context.version == 0 and not request.topics):
        response.topics = [
            _describe(topic, request, context)
            for topic in context.broker.topics().values()
            if context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
        ]
        return response
    missing: list[str] = []
    response.topics = [_answer(asked, request, context, missing) for asked in request.topics]
    if missing:
        return _create(response, request, context, missing)
    return response


def _answer(
    asked: MetadataRequestTopic,
    request: MetadataRequest,
    context: RequestContext,
    missing: list[str],
) -> MetadataResponseTopic:
    """Describe one topic; the name of one that is to be made is added to `missing`."""
    if asked.topic_id != NO_UUID:
        return _answer_id(asked, request, context)
    name = asked.name
    if name is None:
        return MetadataResponseTopic(error_code=KafkaError.INVALID_REQUEST, name=_no_name(context))
    if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name):
        return MetadataResponseTopic(error_code=KafkaError.TOPIC_AUTHORIZATION_FAILED, name=name)
    topic = context.broker.topics().get(name)
    if topic is not None:
        return _describe(topic, request, context)
    code = _why_missing(name, context)
    if code == KafkaError.UNKNOWN_TOPIC_OR_PART and request.allow_auto_topic_creation:
        if not context.broker.creates_topics:
            pass
        elif context.authorize(Operation.CREATE, ResourceType.CLUSTER) or context.authorize(
            Operation.CREATE, ResourceType.TOPIC, name
        ):
            missing.append(name)
        else:
            code = KafkaError.TOPIC_AUTHORIZATION_FAILED
    return MetadataResponseTopic(error_code=code, name=name, is_internal=is_internal(name))


def _answer_id(
    asked: MetadataRequestTopic, request: MetadataRequest, context: RequestContext
) -> MetadataResponseTopic:
    topic = context.broker.topic_by_id(asked.topic_id)
    if topic is not None and context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
        return _describe(topic, request, context)
    # Whether a topic exists is not told to who may not see it.
    code = KafkaError.UNKNOWN_TOPIC_ID if topic is None else KafkaError.TOPIC_AUTHORIZATION_FAILED
    return MetadataResponseTopic(error_code=code, name=_no_name(context), topic_id=asked.topic_id)


def _no_name(context: RequestContext) -> str | None:
    return None if context.version >= 12 else ""


def _why_missing(name: str, context: RequestContext) -> int:
    try:
        context.broker.log_dir.topic(name)
    except Exception as error:
        return error_of(error)[0]
    return KafkaError.UNKNOWN_TOPIC_OR_PART  # made this moment: the client asks again


async def _create(
    response: MetadataResponse,
    request: MetadataRequest,
    context: RequestContext,
    missing: list[str],
) -> MetadataResponse:
    """Make topics, and describe them."""
    broker = context.broker
    mutation = mutation_of(context, strict_since=None)
    for name in dict.fromkeys(missing):
        code = KafkaError.UNKNOWN_TOPIC_OR_PART
        try:
            await broker.run_blocking(create_automatically, broker, name)
        except Exception as error:
            code = error_of(error)[0]
        topic = broker.topics().get(name)
        if mutation is not None and topic is not None:
            mutation.take(topic.partitions)
        for index, known in enumerate(response.topics):
            if known.name == name and topic is not None:
                response.topics[index] = _describe(topic, request, context)
            elif known.name == name:
                known.error_code = code
    if mutation is not None:
        mutation.settle(response)
    return response


def _describe(
    topic: TopicMetadata, request: MetadataRequest, context: RequestContext
) -> MetadataResponseTopic:
    broker = context.broker
    described = MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id.bytes,
        is_internal=is_internal(topic.name),
        partitions=[
            MetadataResponsePartition(
                partition_index=number,
                leader_id=replicas[0],
                leader_epoch=broker.leader_epoch_of(topic.name, number),
                replica_nodes=replicas,
                isr_nodes=replicas,
            )
            for number in range(topic.partitions)
            for replicas in (broker.replicas_of(topic, number),)
        ],
    )
    if request.include_topic_authorized_operations:
        described.topic_authorized_operations = context.authorized_operations(
            ResourceType.TOPIC, topic.name
        )
    return described
