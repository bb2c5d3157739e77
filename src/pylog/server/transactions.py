"""What the handlers of transactions share: who coordinates, which errors clients understand."""

from collections.abc import Iterable

from logcore.errors import LogError
from pylog.errors import KafkaError, KafkaException
from pylog.internal_topics import OFFSETS_TOPIC, open_partition, partition_of
from pylog.log_dir import LogDir
from pylog.server.errors import error_of
from pylog.server.request import Operation, RequestContext, ResourceType

# Before KIP-588 clients knew one error for a producer that was fenced.
FIRST_INIT_WITH_FENCED = 4
FIRST_WITH_FENCED = 2


def find_coordinator_refusal(context: RequestContext, transactional_id: str) -> int:
    """The code of why nothing is decided for a client here, NO_ERROR when it is."""
    if not transactional_id:
        return KafkaError.INVALID_REQUEST
    if not context.authorize(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if context.broker.coordinator_of(transactional_id) != context.node_id:
        return KafkaError.NOT_COORDINATOR
    return KafkaError.NO_ERROR


def transaction_error_of(error: BaseException, context: RequestContext, first_fenced: int) -> int:
    """The code for what the coordinator raised.

    Args:
        error: what it raised.
        context: of the request.
        first_fenced: the first version of the API that knows PRODUCER_FENCED.
    """
    if isinstance(error, KafkaException):
        local = error.args[0].code()
        if local == KafkaError._TIMED_OUT:
            return KafkaError.COORDINATOR_NOT_AVAILABLE
    code, _ = error_of(error, context.broker.log_dir.path)
    if code == KafkaError.PRODUCER_FENCED and context.version < first_fenced:
        return KafkaError.INVALID_PRODUCER_EPOCH
    if code in (KafkaError.KAFKA_STORAGE_ERROR, KafkaError.REQUEST_TIMED_OUT):
        return KafkaError.COORDINATOR_NOT_AVAILABLE  # clients try again; the others end them
    return code


def offsets_partition_of(log_dir: LogDir, group: str) -> tuple[str, int]:
    """The partition that a group's offsets are in; made when there is none."""
    open_partition(log_dir, OFFSETS_TOPIC, group)
    return OFFSETS_TOPIC, partition_of(group, log_dir.topic(OFFSETS_TOPIC).partitions)


def flush_offsets(log_dir: LogDir, partitions: Iterable[tuple[str, int]]) -> None:
    """Make durable what a transaction commits for groups: batches are by acks=all, these are not.

    Raises:
        KafkaException, LogError: the disk does not take it.
    """
    for topic, number in partitions:
        if topic == OFFSETS_TOPIC:
            log_dir.partition(topic, number).flush()


ERRORS = (KafkaException, LogError, OSError)
