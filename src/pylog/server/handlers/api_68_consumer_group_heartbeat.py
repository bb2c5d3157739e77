"""ConsumerGroupHeartbeat, versions 0-1: a member of the newer consumer protocol (KIP-848).

With it a member joins, says what it subscribes to and what it reads, hears what it is to read, and
leaves. What is left out stands in consumer_groups.py.

Source: Kafka GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid,
GroupMetadataManager.consumerGroupHeartbeat.
"""

import base64
import uuid

from pylog.errors import KafkaError
from pylog.folder_errors import refuse as refuse_with
from pylog.group.consumer_member import (
    JOINING_EPOCH,
    LEAVING_EPOCH,
    LEAVING_STATIC_EPOCH,
    ConsumerHeartbeat,
    TopicIdPartition,
)
from pylog.group.group_types import GroupError
from pylog.server import consumer_groups
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.topic_regex import TopicRegex
from pylog.wire.messages.api_68_consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ResponseTopicPartitions,
)

API_KEY = 68


async def handle(
    request: ConsumerGroupHeartbeatRequest, context: RequestContext
) -> ConsumerGroupHeartbeatResponse:
    """Lead the member towards what it should read."""
    groups = context.broker.groups
    code = _refusal(request, context)
    if code:
        return ConsumerGroupHeartbeatResponse(error_code=code)
    _check(request, context)
    code = groups.misplaced(context, request.group_id)
    if code:
        return ConsumerGroupHeartbeatResponse(error_code=code)
    epoch, member_id = request.member_epoch, request.member_id
    try:
        if epoch in (LEAVING_EPOCH, LEAVING_STATIC_EPOCH):
            await consumer_groups.leave(
                context, request.group_id, member_id, request.instance_id, epoch
            )
            return ConsumerGroupHeartbeatResponse(member_id=member_id, member_epoch=epoch)
        said = _as_said(request, context)
        epoch, assigned, is_new = await consumer_groups.heartbeat(context, request.group_id, said)
    except GroupError as error:
        return ConsumerGroupHeartbeatResponse(error_code=error.code, error_message=error.reason)
    return ConsumerGroupHeartbeatResponse(
        member_id=said.member_id,
        member_epoch=epoch,
        heartbeat_interval_ms=consumer_groups.time_ms(
            context.broker, request.group_id, "consumer.heartbeat.interval.ms"
        ),
        assignment=_as_assignment(assigned) if is_new or _is_full(request) else None,
    )


def _refusal(request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> int:
    """The error code for who may not do this, or NO_ERROR."""
    if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
        return KafkaError.GROUP_AUTHORIZATION_FAILED
    if "consumer" not in context.broker.config.items_of("group.coordinator.rebalance.protocols"):
        return KafkaError.UNSUPPORTED_VERSION
    for name in request.subscribed_topic_names or ():
        if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name):
            return KafkaError.TOPIC_AUTHORIZATION_FAILED
    return KafkaError.NO_ERROR


def _check(request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> None:
    """Refuse what makes no sense.

    Raises:
        KafkaException: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR.
    """
    epoch = request.member_epoch
    wrong = ""
    if not request.group_id:
        wrong = "GroupId can't be empty."
    elif not request.member_id and (context.version > 0 or epoch != JOINING_EPOCH):
        wrong = "MemberId can't be empty."
    elif request.instance_id == "":
        wrong = "InstanceId can't be empty."
    elif request.rack_id == "":
        wrong = "RackId can't be empty."
    elif epoch == JOINING_EPOCH:
        wrong = _wrong_with_join(request)
    elif epoch == LEAVING_STATIC_EPOCH and request.instance_id is None:
        wrong = "InstanceId can't be null."
    elif epoch < LEAVING_STATIC_EPOCH:
        wrong = "MemberEpoch is invalid."
    if wrong:
        refuse_with(KafkaError.INVALID_REQUEST, wrong)
    known = consumer_groups.assignors(context.broker)
    if request.server_assignor is not None and request.server_assignor not in known:
        refuse_with(
            KafkaError.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: "
            f"{', '.join(known)}.",
        )


def _wrong_with_join(request: ConsumerGroupHeartbeatRequest) -> str:
    if request.rebalance_timeout_ms == -1:
        return "RebalanceTimeoutMs must be provided in first request."
    if request.topic_partitions is None or request.topic_partitions:
        return "TopicPartitions must be empty when (re-)joining."
    if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        return (
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when "
            "(re-)joining."
        )
    return ""


def _as_said(request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> ConsumerHeartbeat:
    names, owned = request.subscribed_topic_names, request.topic_partitions
    if request.subscribed_topic_regex:
        TopicRegex(request.subscribed_topic_regex)  # before it is a member
    return ConsumerHeartbeat(
        member_id=request.member_id or _new_id(),
        epoch=request.member_epoch,
        instance_id=request.instance_id,
        rack_id=request.rack_id,
        client_id=context.client_id or "",
        client_host=f"/{context.client_host}",
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        topics=None if names is None else tuple(names),
        regex=request.subscribed_topic_regex,
        assignor=request.server_assignor,
        owned=(
            None
            if owned is None
            else frozenset(
                (topic.topic_id.hex(), number) for topic in owned for number in topic.partitions
            )
        ),
    )


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _is_full(request: ConsumerGroupHeartbeatRequest) -> bool:
    """Whether the member said everything, so that it wants to hear everything."""
    return request.member_epoch == JOINING_EPOCH or (
        request.rebalance_timeout_ms != -1
        and request.topic_partitions is not None
        and (
            request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
        )
    )


def _as_assignment(assigned: frozenset[TopicIdPartition]) -> Assignment:
    numbers: dict[str, list[int]] = {}
    for topic_id, number in sorted(assigned):
        numbers.setdefault(topic_id, []).append(number)
    return Assignment(
        topic_partitions=[
            ResponseTopicPartitions(topic_id=bytes.fromhex(topic_id), partitions=partitions)
            for topic_id, partitions in numbers.items()
        ]
    )
