"""Offsets of groups for clients of a server: who may commit or fetch, and into the topic.

The check and the append are one step under the group's mutex, as for programs that embed the log
(group/commits.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pylog.error_codes import ErrorCodes
from pylog.errors import KafkaException
from pylog.group.consumer_member import TopicIdPartition
from pylog.group.group_types import GroupError
from pylog.group.offset_table import Partition
from pylog.group.offsets import OffsetAndMetadata
from pylog.group.standing import Standing, standing_of
from pylog.server.broker import Broker


@dataclass(frozen=True, slots=True)
class Committer:
    """Who commits: "", None and -1 for who is no member."""

    member_id: str
    instance_id: str | None
    generation: int


async def commit(
    broker: Broker,
    group_id: str,
    who: Committer,
    offsets: Mapping[Partition, OffsetAndMetadata],
    version: int,
) -> None:
    """Commit offsets, all or none.

    Args:
        broker: that is asked.
        group_id: whose offsets.
        who: commits.
        offsets: by topic and partition; the topics exist.
        version: of the request: from 9 on members of the newer protocol may commit.

    Raises:
        GroupError: who may not.
        KafkaException: what appending raised.
    """
    groups = broker.groups
    await groups.ready(group_id, writes=True)
    if who.generation >= 0 and not groups.is_known(group_id):
        code = ErrorCodes.GROUP_ID_NOT_FOUND if version >= 9 else ErrorCodes.ILLEGAL_GENERATION
        raise GroupError(code, f"Group {group_id} not found.")
    group = groups.serve(group_id)
    topics = broker.topics()
    places: list[TopicIdPartition] = [
        (topics[topic].topic_id.hex, number) for topic, number in offsets if topic in topics
    ]

    def work(waits: bool) -> None:
        with group.shared.held(waits=waits) as state:
            newer = {} if state.consumer is None else state.consumer.members
            if version < 9 and who.member_id in newer:
                raise GroupError(ErrorCodes.UNSUPPORTED_VERSION, "OffsetCommit 9 is needed.")
            state.check_commit(
                who.member_id,
                who.instance_id,
                who.generation,
                is_transactional=False,
                partitions=places,
            )
            broker.offsets.commit(group_id, offsets)

    await group.run(work)
    if who.generation >= 0:
        group.heard(who.member_id)


def check_fetch(broker: Broker, group_id: str, member_id: str | None, epoch: int) -> None:
    """Whether a member of the newer protocol may fetch offsets. After `ready`.

    Raises:
        GroupError: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.
    """
    group = broker.groups.find(group_id)
    if group is None:
        return
    state = group.look()
    if state.consumer is not None:
        state.consumer.check_fetch(member_id, epoch)
        group.heard(member_id or "")


async def forget(broker: Broker, group_id: str, partitions: list[Partition] | None) -> set[str]:
    """Forget some offsets of a group, or the whole group. After `ready`.

    Args:
        broker: that is asked.
        group_id: whose.
        partitions: None for the whole group.

    Returns:
        Topics among them that its members read: their offsets are kept.

    Raises:
        GroupError: NON_EMPTY_GROUP.
        KafkaException: what appending raised.
    """
    group = broker.groups.serve(group_id)
    await group.change(lambda state, now_ms: None)  # who is dead is put out

    def work(waits: bool) -> set[str]:
        with group.shared.held(waits=waits) as state:
            standing = standing_of(broker.log_dir, state)
            if partitions is None:
                if standing.members:
                    raise GroupError(ErrorCodes.NON_EMPTY_GROUP, f"Group {group_id} is not empty.")
                broker.offsets.delete_group(group_id)
                group.shared.forget()
                return set()
            subscribed = _subscribed(standing, {place[0] for place in partitions})
            going = [place for place in partitions if place[0] not in subscribed]
            known = {*broker.offsets.committed(group_id), *broker.offsets.pending(group_id)}
            broker.offsets.delete_offsets(group_id, [place for place in going if place in known])
            return subscribed

    return await group.run(work)


def _subscribed(standing: Standing, asked: set[str]) -> set[str]:
    """Topics that the members read; of members that cannot be understood, all that is asked."""
    if standing.members and standing.protocol_type != "consumer":
        raise GroupError(ErrorCodes.NON_EMPTY_GROUP, "The group is not empty.")
    try:
        return standing.subscribed_topics()
    except KafkaException:
        return asked
