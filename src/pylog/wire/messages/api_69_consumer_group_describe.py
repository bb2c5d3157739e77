"""ConsumerGroupDescribe, API key 69, versions 0-1, flexible from 0.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class ConsumerGroupDescribeRequest(Message, versions="0-1", flexible="0+"):
    """Request of API key 69."""

    group_ids: list[str] = array("string", default=())
    include_authorized_operations: bool = field("bool", default=False)


class TopicPartitions(Message):
    """Of Assignment.topic_partitions."""

    topic_id: bytes = field("uuid", default=NO_UUID)
    topic_name: str = field("string", default="")
    partitions: list[int] = array("int32", default=())


class Assignment(Message):
    """Of Member.assignment."""

    topic_partitions: list[TopicPartitions] = array(TopicPartitions, default=())


class Member(Message):
    """Of DescribedGroup.members."""

    member_id: str = field("string", default="")
    instance_id: str | None = field("string", nullable="0+", default=None)
    rack_id: str | None = field("string", nullable="0+", default=None)
    member_epoch: int = field("int32", default=0)
    client_id: str = field("string", default="")
    client_host: str = field("string", default="")
    subscribed_topic_names: list[str] = array("string", default=())
    subscribed_topic_regex: str | None = field("string", nullable="0+", default=None)
    assignment: Assignment = field(Assignment, default=Assignment)
    target_assignment: Assignment = field(Assignment, default=Assignment)
    member_type: int = field("int8", "1+", ignorable=True, default=-1)


class DescribedGroup(Message):
    """Of ConsumerGroupDescribeResponse.groups."""

    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default=None)
    group_id: str = field("string", default="")
    group_state: str = field("string", default="")
    group_epoch: int = field("int32", default=0)
    assignment_epoch: int = field("int32", default=0)
    assignor_name: str = field("string", default="")
    members: list[Member] = array(Member, default=())
    authorized_operations: int = field("int32", default=-2147483648)


class ConsumerGroupDescribeResponse(Message, versions="0-1", flexible="0+"):
    """Response of API key 69."""

    throttle_time_ms: int = field("int32", default=0)
    groups: list[DescribedGroup] = array(DescribedGroup, default=())
