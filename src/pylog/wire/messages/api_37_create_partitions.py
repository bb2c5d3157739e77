"""CreatePartitions, API key 37, versions 0-3, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class CreatePartitionsAssignment(Message):
    """Of CreatePartitionsTopic.assignments."""

    broker_ids: list[int] = array("int32", default=())


class CreatePartitionsTopic(Message):
    """Of CreatePartitionsRequest.topics."""

    name: str = field("string", default="")
    count: int = field("int32", default=0)
    assignments: list[CreatePartitionsAssignment] | None = array(
        CreatePartitionsAssignment, nullable="0+", default=()
    )


class CreatePartitionsRequest(Message, versions="0-3", flexible="2+"):
    """Request of API key 37."""

    topics: list[CreatePartitionsTopic] = array(CreatePartitionsTopic, default=())
    timeout_ms: int = field("int32", default=0)
    validate_only: bool = field("bool", default=False)


class CreatePartitionsTopicResult(Message):
    """Of CreatePartitionsResponse.results."""

    name: str = field("string", default="")
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default=None)


class CreatePartitionsResponse(Message, versions="0-3", flexible="2+"):
    """Response of API key 37."""

    throttle_time_ms: int = field("int32", default=0)
    results: list[CreatePartitionsTopicResult] = array(CreatePartitionsTopicResult, default=())
