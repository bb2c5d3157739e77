"""Partitions as requests name them: whether there is one, whether it may be used, its Log."""

import os

from logcore.errors import LogClosedError
from logcore.log import Log
from pylog.errors import KafkaError, KafkaException
from pylog.log_dir import LogDir, TopicMetadata
from pylog.server.broker import Broker
from pylog.server.errors import error_of
from pylog.server.request import Operation, RequestContext, ResourceType

NO_ERROR = KafkaError.NO_ERROR


def find_refusal(context: RequestContext, topic: str, partition: int, operation: Operation) -> int:
    """The code of why a client gets nothing from a partition here, NO_ERROR when it does.

    Args:
        context: of the request.
        topic: its name.
        partition: its number.
        operation: what is to be done with it.
    """
    if not context.authorize(operation, ResourceType.TOPIC, topic):
        return KafkaError.TOPIC_AUTHORIZATION_FAILED
    return find_fault(context, context.broker.topics().get(topic), partition)


def find_fault(context: RequestContext, topic: TopicMetadata | None, partition: int) -> int:
    """The code of why a partition is not here, NO_ERROR when it is.

    Args:
        context: of the request.
        topic: that was named, None when there is none.
        partition: its number.
    """
    if topic is None or not 0 <= partition < topic.partitions:
        return KafkaError.UNKNOWN_TOPIC_OR_PART
    broker = context.broker
    if len(broker.node_ids) > 1 and broker.leader_of(topic.name, partition) != context.node_id:
        return KafkaError.NOT_LEADER_FOR_PARTITION
    return NO_ERROR


def check_leader_epoch(log: Log, current_leader_epoch: int) -> int:
    """The code of what is wrong with the leader epoch that a client knows, if it says one.

    Source: Kafka Partition.checkCurrentLeaderEpoch.
    """
    if current_leader_epoch < 0 or current_leader_epoch == log.leader_epoch:
        return NO_ERROR
    if current_leader_epoch < log.leader_epoch:
        return KafkaError.FENCED_LEADER_EPOCH
    return KafkaError.UNKNOWN_LEADER_EPOCH


def partition_error_of(error: BaseException, log_dir: LogDir) -> tuple[int, str]:
    """As errors.error_of, for what a partition raised: one that was deleted is not known."""
    code, text = error_of(error, log_dir.path)
    if isinstance(error, LogClosedError):
        code = KafkaError.UNKNOWN_TOPIC_OR_PART
    return code, text.replace(log_dir.path + os.sep, "")  # not for clients to know


def open_for_appends(log_dir: LogDir, topic: str, partition: int) -> Log:
    """The Log of a partition, ready for its first append; waits for the disk.

    Raises:
        KafkaException: there is none, or it cannot be opened.
    """
    log = log_dir.partition(topic, partition)
    log.producers()  # reads what the log knows of them: an append in the loop must not
    return log


def open_logs(broker: Broker, wanted: list[tuple[str, int]]) -> None:
    """Open partitions that this process has not open yet; waits for the disk.

    One that cannot be opened is left to who uses it: it raises there.
    """
    for topic, partition in wanted:
        try:
            broker.log_dir.partition(topic, partition)
        except KafkaException:
            continue
