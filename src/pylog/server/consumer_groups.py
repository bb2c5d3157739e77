"""Groups of the newer consumer protocol (KIP-848) as this server keeps them.

The states are those of group/consumer_group.py. A heartbeat that says nothing new is answered from
the state as it stands, without the group's mutex. Left out: members of both protocols in one group
while it moves from one to the other (group.consumer.migration.policy), and the pause between two
targets (group.consumer.assignment.interval.ms).

Source: Kafka GroupMetadataManager.consumerGroupHeartbeat.
"""

from collections.abc import Mapping

from pylog.error_codes import ErrorCodes
from pylog.group.consumer_member import ConsumerHeartbeat, ConsumerMember, TopicIdPartition
from pylog.group.group_types import GroupError
from pylog.group.states import Group
from pylog.group.target_assignment import ASSIGNORS
from pylog.log_dir import TopicMetadata
from pylog.server.broker import Broker
from pylog.server.config_entries import ConfigResourceType
from pylog.server.request import Operation, RequestContext, ResourceType
from pylog.server.topic_regex import TopicRegex

_LEAST_TIMES_MS = {
    "consumer.session.timeout.ms": "group.consumer.session.timeout.ms",
    "consumer.heartbeat.interval.ms": "group.consumer.heartbeat.interval.ms",
}


class KnownTopics:
    """The topics, as one client may see them.

    Args:
        context: of its request.
    """

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._topics: Mapping[str, TopicMetadata] = context.broker.topics()
        self._matched: dict[str, tuple[str, ...]] = {}

    def find(self, name: str) -> tuple[str, int] | None:
        """The id and the partition count of a topic, None when there is none."""
        topic = self._topics.get(name)
        return None if topic is None else (topic.topic_id.hex, topic.partitions)

    def match(self, regex: str) -> tuple[str, ...]:
        """Names of the topics that an expression matches as a whole, internal ones too."""
        if regex not in self._matched:
            expression = TopicRegex(regex)
            self._matched[regex] = tuple(
                sorted(
                    name
                    for name in self._topics
                    if expression.matches(name)
                    and self._context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name)
                )
            )
        return self._matched[regex]


def time_ms(broker: Broker, group_id: str, name: str) -> int:
    """A time that a group may have of its own: consumer.session.timeout.ms and the like."""
    own = broker.kept_configs.get(ConfigResourceType.GROUP, group_id).get(name)
    return int(own) if own is not None else broker.config.integer(_LEAST_TIMES_MS[name])


def assignors(broker: Broker) -> tuple[str, ...]:
    """The assignors that clients may choose from, the default first."""
    wanted = broker.config.items_of("group.consumer.assignors")
    return tuple(name for name in wanted if name in ASSIGNORS) or ASSIGNORS


Answer = tuple[int, frozenset[TopicIdPartition], bool]
"""A member's epoch, what it is assigned, and whether that has changed."""


async def heartbeat(context: RequestContext, group_id: str, said: ConsumerHeartbeat) -> Answer:
    """A member joins or gives a sign of life.

    Raises:
        GroupError: why it is refused.
    """
    broker, groups = context.broker, context.broker.groups
    await groups.ready(group_id, writes=True)
    known = KnownTopics(context)
    group = groups.find(group_id)
    if group is None:
        if said.epoch != 0:
            raise GroupError(ErrorCodes.GROUP_ID_NOT_FOUND, f"Consumer group {group_id} not found.")
        group = groups.serve(group_id)
    consumer = group.look().consumer
    if consumer is not None and not consumer.is_news(said, known):
        member = consumer.members[said.member_id]
        group.heard(said.member_id)
        return member.epoch, frozenset(member.assigned), False
    session_timeout_ms = time_ms(broker, group_id, "consumer.session.timeout.ms")
    most = broker.config.integer("group.consumer.max.size")

    def event(state: Group, now_ms: int) -> Answer:
        if state.consumer is None and said.epoch != 0:
            raise GroupError(
                ErrorCodes.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group."
            )
        consumer = state.enter_consumer_protocol()
        consumer.session_timeout_ms = session_timeout_ms
        before = _assigned(consumer.members.get(said.member_id))
        member = consumer.heartbeat(said, known, assignors(broker), now_ms, most)
        after = _assigned(member)
        return member.epoch, after, after != before

    answer = await group.change(event)
    group.heard(said.member_id)
    return answer


async def leave(
    context: RequestContext, group_id: str, member_id: str, instance_id: str | None, epoch: int
) -> None:
    """A member goes.

    Raises:
        GroupError: why it is refused.
    """
    groups = context.broker.groups
    await groups.ready(group_id, writes=True)
    group = groups.find(group_id)
    if group is None or group.look().consumer is None:
        raise GroupError(ErrorCodes.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")

    def event(state: Group, now_ms: int) -> None:
        if state.consumer is None:
            raise GroupError(
                ErrorCodes.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group."
            )
        state.consumer.leave(member_id, instance_id, epoch)

    await group.change(event)


def _assigned(member: ConsumerMember | None) -> frozenset[TopicIdPartition]:
    return frozenset() if member is None else frozenset(member.assigned)
