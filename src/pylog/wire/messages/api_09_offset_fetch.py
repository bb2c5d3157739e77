"""OffsetFetch, API key 9, versions 1-10, flexible from 6.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class OffsetFetchRequestTopic(Message):
    """Of OffsetFetchRequest.topics."""

    name: str = field("string", "0-7", default="")
    partition_indexes: list[int] = array("int32", "0-7", default=())


class OffsetFetchRequestTopics(Message):
    """Of OffsetFetchRequestGroup.topics."""

    name: str = field("string", "8-9", ignorable=True, default="")
    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    partition_indexes: list[int] = array("int32", "8+", default=())


class OffsetFetchRequestGroup(Message):
    """Of OffsetFetchRequest.groups."""

    group_id: str = field("string", "8+", default="")
    member_id: str | None = field("string", "9+", nullable="9+", ignorable=True, default=None)
    member_epoch: int = field("int32", "9+", ignorable=True, default=-1)
    topics: list[OffsetFetchRequestTopics] | None = array(
        OffsetFetchRequestTopics, "8+", nullable="8+", default=()
    )


class OffsetFetchRequest(Message, versions="1-10", flexible="6+"):
    """Request of API key 9."""

    group_id: str = field("string", "0-7", default="")
    topics: list[OffsetFetchRequestTopic] | None = array(
        OffsetFetchRequestTopic, "0-7", nullable="2-7", default=()
    )
    groups: list[OffsetFetchRequestGroup] = array(OffsetFetchRequestGroup, "8+", default=())
    require_stable: bool = field("bool", "7+", default=False)


class OffsetFetchResponsePartition(Message):
    """Of OffsetFetchResponseTopic.partitions."""

    partition_index: int = field("int32", "0-7", default=0)
    committed_offset: int = field("int64", "0-7", default=0)
    committed_leader_epoch: int = field("int32", "5-7", ignorable=True, default=-1)
    metadata: str | None = field("string", "0-7", nullable="0-7", default="")
    error_code: int = field("int16", "0-7", default=0)


class OffsetFetchResponseTopic(Message):
    """Of OffsetFetchResponse.topics."""

    name: str = field("string", "0-7", default="")
    partitions: list[OffsetFetchResponsePartition] = array(
        OffsetFetchResponsePartition, "0-7", default=()
    )


class OffsetFetchResponsePartitions(Message):
    """Of OffsetFetchResponseTopics.partitions."""

    partition_index: int = field("int32", "8+", default=0)
    committed_offset: int = field("int64", "8+", default=0)
    committed_leader_epoch: int = field("int32", "8+", ignorable=True, default=-1)
    metadata: str | None = field("string", "8+", nullable="8+", default="")
    error_code: int = field("int16", "8+", default=0)


class OffsetFetchResponseTopics(Message):
    """Of OffsetFetchResponseGroup.topics."""

    name: str = field("string", "8-9", ignorable=True, default="")
    topic_id: bytes = field("uuid", "10+", ignorable=True, default=NO_UUID)
    partitions: list[OffsetFetchResponsePartitions] = array(
        OffsetFetchResponsePartitions, "8+", default=()
    )


class OffsetFetchResponseGroup(Message):
    """Of OffsetFetchResponse.groups."""

    group_id: str = field("string", "8+", default="")
    topics: list[OffsetFetchResponseTopics] = array(OffsetFetchResponseTopics, "8+", default=())
    error_code: int = field("int16", "8+", default=0)


class OffsetFetchResponse(Message, versions="1-10", flexible="6+"):
    """Response of API key 9."""

    throttle_time_ms: int = field("int32", "3+", ignorable=True, default=0)
    topics: list[OffsetFetchResponseTopic] = array(OffsetFetchResponseTopic, "0-7", default=())
    error_code: int = field("int16", "2-7", ignorable=True, default=0)
    groups: list[OffsetFetchResponseGroup] = array(OffsetFetchResponseGroup, "8+", default=())
