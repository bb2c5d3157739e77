"""ConsumerGroupDescribe, versions 0-1: groups of the newer consumer protocol, and their members.

Source: Kafka GroupMetadataManager.consumerGroupDescribe, ConsumerGroup.asDescribedGroup.
"""

from collections.abc import Iterable, Mapping

from pylog.errors import KafkaError
from pylog.group.consumer_group import ConsumerGroup
from pylog.group.consumer_member import ConsumerMember, TopicIdPartition
from pylog.group.standing import find_standing
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.wire.messages.api_69_consumer_group_describe import (
    Assignment,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
    Member,
    TopicPartitions,
)

API_KEY = 69

_CONSUMER_MEMBER = 1


async def handle(
    request: ConsumerGroupDescribeRequest, context: RequestContext
) -> ConsumerGroupDescribeResponse:
    """Describe each."""
    groups = [
        await _describe(group_id, request.include_authorized_operations, context)
        for group_id in request.group_ids
    ]
    return ConsumerGroupDescribeResponse(groups=groups)


async def _describe(
    group_id: str, with_operations: bool, context: RequestContext
) -> DescribedGroup:
    broker = context.broker
    code = broker.groups.refusal(context, Operation.DESCRIBE, group_id)
    if code:
        return DescribedGroup(group_id=group_id, error_code=code)
    standing = await broker.run_blocking(find_standing, broker.log_dir, group_id)
    if standing is None or standing.consumer is None:
        reason = "not found" if standing is None else "is not a consumer group"
        return DescribedGroup(
            group_id=group_id,
            error_code=KafkaError.GROUP_ID_NOT_FOUND,
            error_message=f"Group {group_id} {reason}.",
        )
    described = _as_described(group_id, standing.consumer, context)
    if with_operations:
        described.authorized_operations = context.authorized_operations(
            ResourceType.GROUP, group_id
        )
    return described


def _as_described(
    group_id: str, consumer: ConsumerGroup, context: RequestContext
) -> DescribedGroup:
    names = {topic.topic_id.hex: name for name, topic in context.broker.topics().items()}
    described = DescribedGroup(
        group_id=group_id,
        group_state=consumer.state.value,
        group_epoch=consumer.epoch,
        assignment_epoch=consumer.assignment_epoch,
        assignor_name=consumer.assignor,
        members=[_as_member(member, consumer, names) for member in consumer.members.values()],
    )
    seen = {
        topic.topic_name
        for member in described.members
        for topic in (
            *member.assignment.topic_partitions,
            *member.target_assignment.topic_partitions,
        )
    }
    if not all(context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name) for name in seen):
        return DescribedGroup(
            group_id=group_id,
            error_code=KafkaError.TOPIC_AUTHORIZATION_FAILED,
            error_message="The group has described topic(s) that the client is not authorized "
            "to describe.",
        )
    return described


def _as_member(member: ConsumerMember, consumer: ConsumerGroup, names: Mapping[str, str]) -> Member:
    return Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=list(member.topics),
        subscribed_topic_regex=member.regex,
        assignment=_as_assignment((*member.assigned, *member.revoking), names),
        target_assignment=_as_assignment(consumer.target.get(member.member_id, ()), names),
        member_type=_CONSUMER_MEMBER,
    )


def _as_assignment(places: Iterable[TopicIdPartition], names: Mapping[str, str]) -> Assignment:
    numbers: dict[str, list[int]] = {}
    for topic_id, number in sorted(places):
        numbers.setdefault(topic_id, []).append(number)
    return Assignment(
        topic_partitions=[
            TopicPartitions(
                topic_id=bytes.fromhex(topic_id),
                topic_name=names.get(topic_id, ""),
                partitions=partitions,
            )
            for topic_id, partitions in numbers.items()
        ]
    )
