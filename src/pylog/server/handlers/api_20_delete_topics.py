"""DeleteTopics, versions 1-6: topics go, by name or (version 6) by id.

What was deleted is gone when the response comes, so the timeout is of no use.

Source: Kafka ControllerApis.deleteTopics.
"""

from collections import Counter

from pylog.errors import KafkaError
from pylog.server import errors
from pylog.server.quotas import Mutation, mutation_of
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire import NO_UUID
from pylog.wire.messages.api_20_delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

API_KEY = 20
STRICT_SINCE = 5
"""The version from which on THROTTLING_QUOTA_EXCEEDED is known."""

_NO_SUCH_NAME = "This server does not host this topic-partition."
_NO_SUCH_ID = "This server does not host this topic ID."


async def handle(request: DeleteTopicsRequest, context: RequestContext) -> DeleteTopicsResponse:
    """Delete the topics, each or not."""
    asked = request.topics or [DeleteTopicState(name=name) for name in request.topic_names]
    if not context.broker.config.flag("delete.topic.enable"):
        return refuse(request, context, _disabled(context), "Topic deletion is disabled.")
    counts = Counter((topic.name, topic.topic_id) for topic in asked)
    mutation = mutation_of(context, STRICT_SINCE)
    results: dict[tuple[str | None, bytes], DeletableTopicResult] = {}
    for topic in asked:
        key = topic.name, topic.topic_id
        if key not in results:
            results[key] = await _delete(topic, counts[key], context, mutation)
    response = DeleteTopicsResponse(responses=list(results.values()))
    if mutation is not None:
        mutation.settle(response)
    return response


async def _delete(
    topic: DeleteTopicState, count: int, context: RequestContext, mutation: Mutation | None
) -> DeletableTopicResult:
    result = DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)
    code, result.error_message = _find(topic, count, result, context)
    result.error_code = code
    if code == KafkaError.NO_ERROR:
        try:
            known = context.broker.topics().get(result.name or "")
            if mutation is not None and known is not None:
                mutation.take(known.partitions)
            await context.broker.run_blocking(context.broker.log_dir.delete_topic, result.name)
        except Exception as error:
            result.error_code, result.error_message = errors.error_of(error)
    return result


def _find(
    topic: DeleteTopicState, count: int, result: DeletableTopicResult, context: RequestContext
) -> tuple[int, str | None]:
    """Name the topic that is meant in `result`; why it cannot be deleted."""
    has_id = topic.topic_id != NO_UUID
    if has_id and topic.name is not None:
        return KafkaError.INVALID_REQUEST, "You may not specify both topic name and topic id."
    if not has_id and topic.name is None:
        return KafkaError.INVALID_REQUEST, "Neither topic name nor id were specified."
    if count > 1:
        what = "topic id" if has_id else "topic name"
        return KafkaError.INVALID_REQUEST, f"Duplicate {what}."
    if has_id:
        known = context.broker.topic_by_id(topic.topic_id)
        if known is None:
            return KafkaError.UNKNOWN_TOPIC_ID, _NO_SUCH_ID
        # Whoever may not see a topic is not told its name.
        if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, known.name):
            return KafkaError.TOPIC_AUTHORIZATION_FAILED, "Authorization failed."
        result.name = known.name
    else:
        assert topic.name is not None
        known = context.broker.topics().get(topic.name)
    name = known.name if known is not None else topic.name or ""
    if not context.authorize(Operation.DELETE, ResourceType.TOPIC, name):
        return KafkaError.TOPIC_AUTHORIZATION_FAILED, "Authorization failed."
    if known is None:
        return KafkaError.UNKNOWN_TOPIC_OR_PART, _NO_SUCH_NAME
    result.topic_id = known.topic_id.bytes
    return KafkaError.NO_ERROR, None


def _disabled(context: RequestContext) -> int:
    return KafkaError.INVALID_REQUEST if context.version < 3 else KafkaError.TOPIC_DELETION_DISABLED


def refuse(
    request: DeleteTopicsRequest, context: RequestContext, error_code: int, message: str
) -> DeleteTopicsResponse:
    """Say what went wrong, of each topic."""
    asked = request.topics or [DeleteTopicState(name=name) for name in request.topic_names]
    return DeleteTopicsResponse(
        responses=[
            DeletableTopicResult(
                name=topic.name,
                topic_id=topic.topic_id,
                error_code=error_code,
                error_message=message,
            )
            for topic in asked
        ]
    )
