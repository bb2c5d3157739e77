"""Committing offsets for a group: who may, and into `__consumer_offsets` while it is so.

The check and the append are one step under the group's mutex: a member that is put out in between
does not exist. Stricter than Kafka in one thing: a member may not commit a partition that the
current assignment gives to another one, so that a late commit cannot take its offset back.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.folder_errors import as_kafka_exception
from pylog.group import protocol
from pylog.group.group_types import NO_GENERATION, GroupError
from pylog.group.offsets import GroupOffsets, OffsetAndMetadata
from pylog.group.protocol import Partition
from pylog.group.shared_group import SharedGroup
from pylog.group.states import Group
from pylog.log_dir import LogDir


@dataclass(frozen=True, slots=True)
class ConsumerGroupMetadata:
    """Who commits, as `Consumer.consumer_group_metadata()` gives it to a transactional producer.

    Attributes:
        group_id: of the group.
        generation_id: -1 for a program that is no member.
        member_id: "" for a program that is no member.
        group_instance_id: of a static member.

    Source: Kafka ConsumerGroupMetadata.
    """

    group_id: str
    generation_id: int = NO_GENERATION
    member_id: str = ""
    group_instance_id: str | None = None


def commit_in_transaction(
    log_dir: LogDir,
    group_metadata: ConsumerGroupMetadata,
    offsets: Mapping[Partition, OffsetAndMetadata],
    producer_stamp: tuple[int, int, int],
) -> None:
    """Append a group's offsets as part of a producer's transaction; they count once it commits.

    Args:
        log_dir: the folder.
        group_metadata: of the consumer that read; its generation is checked under the group's
            mutex, and the offsets are appended before it is given back.
        offsets: next offset to read, by (topic, partition).
        producer_stamp: (producer_id, producer_epoch, base_sequence) of the batch.

    Raises:
        KafkaException: UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION or FENCED_INSTANCE_ID from a consumer
            that is no longer in the group: abort. Else what the log refused.
    """
    shared = SharedGroup.open(log_dir, group_metadata.group_id)
    try:
        commit(log_dir, shared, group_metadata, offsets, producer_stamp)
    finally:
        shared.close()


def commit(
    log_dir: LogDir,
    shared: SharedGroup,
    group_metadata: ConsumerGroupMetadata,
    offsets: Mapping[Partition, OffsetAndMetadata],
    producer_stamp: tuple[int, int, int] | None = None,
) -> None:
    """Append a group's offsets, if this member, in this generation, may.

    Raises:
        KafkaException: with the code that Kafka gives.
    """
    now_ms = time.monotonic_ns() // 1_000_000
    if shared.has_work(now_ms):
        with shared.locked() as group:
            shared.reap(group, now_ms)
    try:
        with shared.held() as group:
            group.check_commit(
                group_metadata.member_id,
                group_metadata.group_instance_id,
                group_metadata.generation_id,
                is_transactional=producer_stamp is not None,
            )
            _check_owners(group, group_metadata.member_id, offsets)
            GroupOffsets.of(log_dir).commit(group_metadata.group_id, offsets, producer_stamp)
    except GroupError as error:
        text = f"Commit failed: {error.describe()}"
        raise KafkaException(KafkaError(error.code, text)) from None
    except LogError as error:
        raise as_kafka_exception(error, log_dir.path) from error


def _check_owners(
    group: Group, member_id: str, offsets: Mapping[Partition, OffsetAndMetadata]
) -> None:
    # In a transaction Kafka takes offsets from who says nothing of a membership.
    if group.protocol_type != protocol.PROTOCOL_TYPE or not member_id:
        return
    for other in group.members.values():
        if other.member_id == member_id or not other.assignment:
            continue
        try:
            assigned = protocol.decode_assignment(other.assignment).partitions
        except KafkaException:  # a leader's own invention, which says nothing to others
            continue
        for partition in assigned:
            if partition in offsets:
                raise GroupError(
                    KafkaError.ILLEGAL_GENERATION,
                    f"{partition[0]} [{partition[1]}] was given to another member",
                )
