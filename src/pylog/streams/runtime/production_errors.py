"""What to do about a record that the producer could not write: the program's handler decides.

Source: Kafka RecordCollectorImpl.recordSendError.
"""

from typing import Any

from pylog import KafkaError, KafkaException
from pylog.streams.error_handlers import (
    DeadLetterRecord,
    DefaultProductionHandler,
    ErrorHandlerContext,
    ask,
)
from pylog.streams.errors import ProductionError, TaskMigratedError
from pylog.streams.runtime.record_collector import TaskCollector
from pylog.streams.runtime.task_errors import describe_record

# The group went on to another generation; the member may be in it.
STALE = frozenset({KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS})

# No producer that met one of these writes anything again: no handler is asked.
FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.INVALID_TXN_STATE,
        KafkaError.PRODUCER_FENCED,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNKNOWN_PRODUCER_ID,
    }
)


class StaleGenerationError(TaskMigratedError):
    """Work was done under a generation that is over; who has the tasks begins again with them."""


def meaning(error: KafkaError, what: str) -> Exception:
    """What an error of a client means for the tasks of its thread."""
    text = f"could not {what}: {error.str()}"
    if error.code() in STALE:
        return StaleGenerationError(text)
    return TaskMigratedError(text) if error.code() in FENCED else ProductionError(text)


def reports_each(handler: object) -> bool:
    """Whether a handler may go on without a record, so that it must hear of each one that fails."""
    return not isinstance(handler, DefaultProductionHandler)


def report_failure(
    collector: TaskCollector,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Any,
    timestamp_ms: int,
    error: KafkaException,
) -> None:
    """Ask the handler about a record that was not written; return when it may be left out.

    Raises:
        TaskMigratedError: another producer took over.
        ProductionError: the handler says to fail.
    """
    kafka_error = error.args[0]
    context = collector.context
    at_topic, partition, offset, at_headers, record_timestamp = collector.origin or (
        context.topic,
        context.partition,
        context.offset,
        context.headers,
        context.record_timestamp,
    )
    node_name = collector.writers.get(topic) or collector.writers.get(None, "")
    where = (
        f"{node_name or 'a processor'} of task {context.task_id} could not write to topic "
        f"{topic!r}: {kafka_error.str()}; "
        f"{describe_record(at_topic, partition, offset, record_timestamp)}"
    )
    if kafka_error.code() in FENCED:
        raise TaskMigratedError(where) from error
    described = ErrorHandlerContext(
        at_topic,
        partition,
        offset,
        at_headers or [],
        node_name,
        context.task_id,
        record_timestamp,
        key,
        value,
        context.config["errors.dead.letter.queue.topic.name"],
    )
    record = DeadLetterRecord(topic, key, value, headers or [], timestamp_ms)
    handler = context.config["production.exception.handler"]
    response = ask(handler, described, record, error)
    if any(letter.topic == topic for letter in response.dead_letter_records):
        raise ProductionError(f"{where}; it is the dead-letter topic itself") from error
    for letter in response.dead_letter_records:
        collector.send(letter.topic, letter.key, letter.value, letter.headers, letter.timestamp, -1)
    if response.decision != "resume":
        raise ProductionError(where) from error
    context.drop(node_name, "production error")
