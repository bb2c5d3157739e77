"""ElectLeaders, API key 43, versions 0-2, flexible from 2.

Made by scripts/wire_codec.py from Apache Kafka's schemas (Apache License 2.0).
"""

from pylog.wire.fields import Message, array, field


class TopicPartitions(Message):
    """Of ElectLeadersRequest.topic_partitions."""

    topic: str = field("string", default="")
    partitions: list[int] = array("int32", default=())


class ElectLeadersRequest(Message, versions="0-2", flexible="2+"):
    """Request of API key 43."""

    election_type: int = field("int8", "1+", default=0)
    topic_partitions: list[TopicPartitions] | None = array(
        TopicPartitions, nullable="0+", default=()
    )
    timeout_ms: int = field("int32", default=60000)


class PartitionResult(Message):
    """Of ReplicaElectionResult.partition_result."""

    partition_id: int = field("int32", default=0)
    error_code: int = field("int16", default=0)
    error_message: str | None = field("string", nullable="0+", default="")


class ReplicaElectionResult(Message):
    """Of ElectLeadersResponse.replica_election_results."""

    topic: str = field("string", default="")
    partition_result: list[PartitionResult] = array(PartitionResult, default=())


class ElectLeadersResponse(Message, versions="0-2", flexible="2+"):
    """Response of API key 43."""

    throttle_time_ms: int = field("int32", default=0)
    error_code: int = field("int16", "1+", default=0)
    replica_election_results: list[ReplicaElectionResult] = array(ReplicaElectionResult, default=())
