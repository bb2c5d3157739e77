"""The record of a group's generation, as Kafka's coordinator keeps it in `__consumer_offsets`.

Written when a generation is complete and when the last member has left, so that whoever serves the
folder later knows that the group is one of consumers, and which generations it had. What counts
between the living is the shared state; a record that cannot be written costs a warning.
"""

import logging
import time

from pylog.errors import KafkaException
from pylog.group.group_types import GroupState
from pylog.group.offsets import GroupOffsets
from pylog.group.records import GroupMetadata, MemberMetadata
from pylog.group.states import Group
from pylog.log_dir import LogDir

_log = logging.getLogger("pylog.group")


Standing = tuple[int, GroupState, int | None]


def standing_of(group: Group) -> Standing:
    """What a record is written for, when it changes."""
    epoch = None if group.consumer is None else group.consumer.epoch
    return group.generation, group.state, epoch


def write_if_due(log_dir: LogDir, group: Group, before: Standing) -> None:
    """Write the group's record if it has come to rest since `before`. With its mutex held."""
    is_at_rest = group.state in (GroupState.STABLE, GroupState.EMPTY)
    if not is_at_rest or standing_of(group) == before:
        return
    try:
        if group.consumer is not None:
            GroupOffsets.of(log_dir).write_consumer_group(group.group_id, group.consumer.epoch)
        else:
            GroupOffsets.of(log_dir).write_group(group.group_id, as_record(group))
    except KafkaException as error:
        _log.warning("group %s: its generation was not written: %s", group.group_id, error)


def as_record(group: Group) -> GroupMetadata:
    """A group as its record has it. Source: Kafka GroupCoordinatorRecordHelpers."""
    members = tuple(
        MemberMetadata(
            member.member_id, member.client_id, member.client_host, member.session_timeout_ms,
            member.rebalance_timeout_ms, member.instance_id,
            member.protocols.get(group.protocol, b""), member.assignment,
        )
        for member in group.members.values()
    )  # fmt: skip
    now_ms = time.time_ns() // 1_000_000
    return GroupMetadata(
        group.protocol_type,
        group.generation,
        group.protocol if members else None,
        group.leader if members else None,
        now_ms,
        members,
    )
