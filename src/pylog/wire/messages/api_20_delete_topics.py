"""DeleteTopics, API key 20, versions 1-6, flexible from 4.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import NO_UUID, Message, array, field


class DeleteTopicState(Message):
    """Of DeleteTopicsRequest.topics."""

    name: str | None = field("string", "6+", nullable="6+", default=None)
    topic_id: bytes = field("uuid", "6+", default=NO_UUID)


class DeleteTopicsRequest(Message, versions="1-6", flexible="4+"):
    """Request of API key 20."""

    topics: list[DeleteTopicState] = array(DeleteTopicState, "6+", default=())
    topic_names: list[str] = array("string", "0-5", ignorable=True, default=())
    timeout_ms: int = field("int32", default=0)


class DeletableTopicResult(Message):
    """Of DeleteTopicsResponse.responses."""

    name: str | None = field("string", nullable="6+", default="")
    topic_id: bytes = field("uuid", "6+", ignorable=True, default=NO_UUID)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", "5+", nullable="5+", ignorable=True, default=None)


class DeleteTopicsResponse(Message, versions="1-6", flexible="4+"):
    """Response of API key 20."""

    throttle_time_ms: int = field("int32", ignorable=True, default=0)
    responses: list[DeletableTopicResult] = array(DeletableTopicResult, default=())
