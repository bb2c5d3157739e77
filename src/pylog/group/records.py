"""Records of `__consumer_offsets`, byte for byte as Kafka's group coordinator writes them.

    key                                       value
    0  offset (before Kafka 0.9)              offset value, version 0
    1  offset: group, topic, partition        offset value, versions 0 to 4
    2  group: group                           group value, versions 0 to 4
    3  consumer group: group                  consumer group value, version 0
    others: members, assignments and so on of other kinds of groups; kept, and not read here

    offset key        int16 version (0 or 1) | string group | string topic | int32 partition
    group key         int16 version (2) | string group

    offset value      versions
      version         0-4   int16
      offset          0-4   int64
      leader_epoch    3-4   int32, -1 unknown
      metadata        0-4   string
      commit_time     0-4   int64, milliseconds
      expire_time     1     int64, milliseconds, -1 none
      tag 0           4     uuid of the topic, left out where it is not known

    group value       versions
      version         0-4   int16
      protocol_type   0-4   string, "consumer"
      generation      0-4   int32
      protocol        0-4   nullable string, the assignor
      leader          0-4   nullable string, member id
      state_time      2-4   int64, milliseconds, -1 unknown
      members         0-4   array of
        member_id         0-4   string
        instance_id       3-4   nullable string
        client_id         0-4   string
        client_host       0-4   string
        rebalance_timeout 1-4   int32, milliseconds
        session_timeout   0-4   int32, milliseconds
        subscription      0-4   bytes (ConsumerProtocolSubscription)
        assignment        0-4   bytes (ConsumerProtocolAssignment)

    consumer group value
      version         0     int16
      epoch           0     int32
      tag 0           0     int64, a hash of the topics that it reads; not written here

Version 4 of the first two values is flexible (record_fields.py), and so is the third. Offsets are
written as version 4, or 1 if they have a time to expire, and groups as version 3. A record without
value deletes what its key names.

Source: Kafka 4.3 OffsetCommitKey, OffsetCommitValue, GroupMetadataKey, GroupMetadataValue,
GroupCoordinatorRecordHelpers, CoordinatorRecordSerde.
"""

import uuid
from dataclasses import dataclass
from typing import NamedTuple

from logcore.errors import UnsupportedFormatError
from pylog.record_fields import FieldReader, FieldWriter

LEGACY_OFFSET_KEY = 0
OFFSET_KEY = 1
GROUP_KEY = 2
CONSUMER_GROUP_KEY = 3

OFFSET_VALUE_VERSION = 4
EXPIRING_OFFSET_VALUE_VERSION = 1
GROUP_VALUE_VERSION = 3
CONSUMER_GROUP_VALUE_VERSION = 0
_NEWEST_VERSION = 4
_FLEXIBLE_VERSION = 4
_TOPIC_ID_TAG = 0
_NO_TOPIC_ID = uuid.UUID(int=0)


class OffsetKey(NamedTuple):
    """Names the offset of a group in a partition."""

    group: str
    topic: str
    partition: int


class GroupKey(NamedTuple):
    """Names a group."""

    group: str


class ConsumerGroupKey(NamedTuple):
    """Names a group of the newer consumer protocol."""

    group: str


Key = OffsetKey | GroupKey | ConsumerGroupKey


class OtherKey(NamedTuple):
    """A key of a kind that is not read here."""

    version: int


@dataclass(frozen=True, slots=True)
class OffsetAndMetadata:
    """How far a group has come in a partition.

    Attributes:
        offset: of the next record to read.
        leader_epoch: of the last record read, -1 unknown.
        metadata: whatever the member wanted kept.
        commit_timestamp_ms: when it was committed; -1 for now, when it is written.
        expire_timestamp_ms: when it expires, -1 for when the folder's retention says.
        topic_id: of the topic that was read; None where it is not known.
    """

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = -1
    expire_timestamp_ms: int = -1
    topic_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class MemberMetadata:
    """A member of a group, as its coordinator remembers it.

    Attributes:
        subscription, assignment: bytes of Kafka's ConsumerProtocol.
    """

    member_id: str
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int = -1
    instance_id: str | None = None
    subscription: bytes = b""
    assignment: bytes = b""


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """A group and its members in one generation.

    Attributes:
        protocol: the assignor the members agreed on, None without members.
        leader: member id, None without members.
        state_timestamp_ms: of the last change, -1 unknown.
    """

    protocol_type: str
    generation: int
    protocol: str | None = None
    leader: str | None = None
    state_timestamp_ms: int = -1
    members: tuple[MemberMetadata, ...] = ()


# ---- keys ----


def encode_offset_key(group: str, topic: str, partition: int) -> bytes:
    """The key of an offset."""
    writer = FieldWriter()
    writer.int16(OFFSET_KEY)
    writer.string(group)
    writer.string(topic)
    writer.int32(partition)
    return writer.data


def encode_group_key(group: str) -> bytes:
    """The key of a group."""
    writer = FieldWriter()
    writer.int16(GROUP_KEY)
    writer.string(group)
    return writer.data


def encode_consumer_group_key(group: str) -> bytes:
    """The key of a group of the newer consumer protocol."""
    writer = FieldWriter()
    writer.int16(CONSUMER_GROUP_KEY)
    writer.string(group)
    return writer.data


def decode_key(data: bytes) -> Key | OtherKey:
    """What a key names.

    Raises:
        CorruptRecordError: it is none of Kafka's.
    """
    reader = FieldReader(data, "key of __consumer_offsets")
    version = reader.int16()
    key: Key
    if version in (LEGACY_OFFSET_KEY, OFFSET_KEY):
        key = OffsetKey(reader.string(), reader.string(), reader.int32())
        if key.partition < 0:
            raise reader.fault(f"partition {key.partition}")
    elif version == GROUP_KEY:
        key = GroupKey(reader.string())
    elif version == CONSUMER_GROUP_KEY:
        key = ConsumerGroupKey(reader.string())
    else:
        if version < 0:
            raise reader.fault(f"version {version}")
        return OtherKey(version)
    reader.end()
    return key


# ---- values ----


def _open_value(
    data: bytes, name: str, newest: int = _NEWEST_VERSION, flexible_from: int = _FLEXIBLE_VERSION
) -> tuple[FieldReader, int]:
    reader = FieldReader(data, name)
    version = reader.int16()
    if version > newest:
        raise UnsupportedFormatError(
            f"a {name} of version {version}, where {newest} is the newest one known: "
            "read it with the newer program that wrote it"
        )
    if version < 0:
        raise reader.fault(f"version {version}")
    reader.is_flexible = version >= flexible_from
    return reader, version


def encode_offset_value(value: OffsetAndMetadata) -> bytes:
    """The value of an offset.

    >>> encode_offset_value(OffsetAndMetadata(5, 0, "", 1700000000000)).hex()
    '0004000000000000000500000000010000018bcfe5680000'
    """
    expires = value.expire_timestamp_ms >= 0
    version = EXPIRING_OFFSET_VALUE_VERSION if expires else OFFSET_VALUE_VERSION
    writer = FieldWriter(is_flexible=version >= _FLEXIBLE_VERSION)
    writer.int16(version)
    writer.int64(value.offset)
    if version >= 3:
        writer.int32(value.leader_epoch)
    writer.string(value.metadata)
    writer.int64(value.commit_timestamp_ms)
    if version == EXPIRING_OFFSET_VALUE_VERSION:
        writer.int64(value.expire_timestamp_ms)
    writer.tagged_fields({} if value.topic_id is None else {_TOPIC_ID_TAG: value.topic_id.bytes})
    return writer.data


def decode_offset_value(data: bytes) -> OffsetAndMetadata:
    """Read the value of an offset, of any version.

    Raises:
        CorruptRecordError: it is none.
        UnsupportedFormatError: a version that only a newer program knows.
    """
    reader, version = _open_value(data, "offset of __consumer_offsets")
    offset = reader.int64()
    leader_epoch = reader.int32() if version >= 3 else -1
    metadata = reader.string()
    commit_timestamp_ms = reader.int64()
    expire_timestamp_ms = reader.int64() if version == EXPIRING_OFFSET_VALUE_VERSION else -1
    topic_id = _decode_topic_id(reader)
    reader.end()
    if offset < 0:
        raise reader.fault(f"offset {offset}")
    return OffsetAndMetadata(
        offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms, topic_id
    )


def _decode_topic_id(reader: FieldReader) -> uuid.UUID | None:
    raw = reader.tagged_fields().get(_TOPIC_ID_TAG)
    if raw is None:
        return None
    if len(raw) != 16:
        raise reader.fault(f"a topic id of {len(raw)} bytes")
    topic_id = uuid.UUID(bytes=raw)
    return None if topic_id == _NO_TOPIC_ID else topic_id


def encode_group_value(value: GroupMetadata) -> bytes:
    """The value of a group."""
    writer = FieldWriter()
    writer.int16(GROUP_VALUE_VERSION)
    writer.string(value.protocol_type)
    writer.int32(value.generation)
    writer.string(value.protocol)
    writer.string(value.leader)
    writer.int64(value.state_timestamp_ms)
    writer.array_length(len(value.members))
    for member in value.members:
        writer.string(member.member_id)
        writer.string(member.instance_id)
        writer.string(member.client_id)
        writer.string(member.client_host)
        writer.int32(member.rebalance_timeout_ms)
        writer.int32(member.session_timeout_ms)
        writer.binary(member.subscription)
        writer.binary(member.assignment)
    return writer.data


def decode_group_value(data: bytes) -> GroupMetadata:
    """Read the value of a group, of any version.

    Raises:
        CorruptRecordError: it is none.
        UnsupportedFormatError: a version that only a newer program knows.
    """
    reader, version = _open_value(data, "group of __consumer_offsets")
    protocol_type = reader.string()
    generation = reader.int32()
    protocol = reader.nullable_string()
    leader = reader.nullable_string()
    state_timestamp_ms = reader.int64() if version >= 2 else -1
    members = reader.array(lambda: _decode_member(reader, version))
    reader.tagged_fields()
    reader.end()
    return GroupMetadata(
        protocol_type, generation, protocol, leader, state_timestamp_ms, tuple(members)
    )


def _decode_member(reader: FieldReader, version: int) -> MemberMetadata:
    member_id = reader.string()
    instance_id = reader.nullable_string() if version >= 3 else None
    client_id = reader.string()
    client_host = reader.string()
    # Before version 1 a rebalance could take as long as a session.
    rebalance_timeout_ms = reader.int32() if version >= 1 else None
    session_timeout_ms = reader.int32()
    subscription, assignment = reader.binary(), reader.binary()
    reader.tagged_fields()
    if rebalance_timeout_ms is None or rebalance_timeout_ms < 0:
        rebalance_timeout_ms = session_timeout_ms
    return MemberMetadata(
        member_id, client_id, client_host, session_timeout_ms, rebalance_timeout_ms,
        instance_id, subscription, assignment,
    )  # fmt: skip


def encode_consumer_group_value(epoch: int) -> bytes:
    """The value of a group of the newer consumer protocol.

    >>> encode_consumer_group_value(2).hex()
    '00000000000200'
    """
    writer = FieldWriter(is_flexible=True)
    writer.int16(CONSUMER_GROUP_VALUE_VERSION)
    writer.int32(epoch)
    writer.tagged_fields({})
    return writer.data


def decode_consumer_group_value(data: bytes) -> int:
    """Read the epoch of a group of the newer consumer protocol.

    Raises:
        CorruptRecordError: the value is none.
        UnsupportedFormatError: a version that only a newer program knows.
    """
    reader, _ = _open_value(data, "consumer group of __consumer_offsets", 0, flexible_from=0)
    epoch = reader.int32()
    reader.tagged_fields()
    reader.end()
    return epoch
