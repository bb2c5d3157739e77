"""CreateTopics, API key 19, versions 2-7, flexible from 5.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class CreatableReplicaAssignment(Message):
    """Of CreatableTopic.assignments."""

    partition_index: int = field("int32", default=0)
    broker_ids: list[int] = array("int32", default=())


class CreatableTopicConfig(Message):
    """Of CreatableTopic.configs."""

    name: str = field("string", default="")
    value: str | None = field("string", nullable="0+", default="")


class CreatableTopic(Message):
    """Of CreateTopicsRequest.topics."""

    name: str = field("string", default="")
    num_partitions: int = field("int32", default=0)
    replication_factor: int = field("int16", default=0)
    assignments: list[CreatableReplicaAssignment] = array(CreatableReplicaAssignment, default=())
    configs: list[CreatableTopicConfig] = array(CreatableTopicConfig, default=())


class CreateTopicsRequest(Message, versions="2-7", flexible="5+"):
    """Request of API key 19."""

    topics: list[CreatableTopic] = array(CreatableTopic, default=())
    timeout_ms: int = field("int32", default=60000)
    validate_only: bool = field("bool", default=False)


class CreatableTopicConfigs(Message):
    """Of CreatableTopicResult.configs."""

    name: str = field("string", "5+", default="")
    value: str | None = field("string", "5+", nullable="5+", default="")
    read_only: bool = field("bool", "5+", default=False)
    config_source: int = field("int8", "5+", ignorable=True, default=-1)
    is_sensitive: bool = field("bool", "5+", default=False)


class CreatableTopicResult(Message):
    """Of CreateTopicsResponse.topics."""

    name: str = field("string", default="")
    topic_id: bytes = field("uuid", "7+", ignorable=True, default=NO_UUID)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", ignorable=True, default="")
    topic_config_error_code: int = field(
        "int16", "5+", tagged="5+", tag=0, ignorable=True, default=0
    )
    num_partitions: int = field("int32", "5+", ignorable=True, default=-1)
    replication_factor: int = field("int16", "5+", ignorable=True, default=-1)
    configs: list[CreatableTopicConfigs] | None = array(
        CreatableTopicConfigs, "5+", nullable="5+", ignorable=True, default=()
    )


class CreateTopicsResponse(Message, versions="2-7", flexible="5+"):
    """Response of API key 19."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    topics: list[CreatableTopicResult] = array(CreatableTopicResult, default=())
