"""What to do with a record that fails: fail, go on without it, or send it to a dead-letter topic.

Three settings take a handler: `deserialization.exception.handler`, `processing.exception.handler`
and `production.exception.handler`. A handler is a function `(context, record, exception)` or an
object with such a method `handle`, and returns a Response; or the name of one that is here:

    LogAndFail            the application fails; the default
    LogAndContinue        the record is dropped, and counted
    SendToDeadLetterQueue it is dropped, counted, and written to a topic of its own

With `errors.dead.letter.queue.topic.name` the first two write to that topic as well, as they do in
Kafka Streams. A dead-letter record has key and value of the source record as they were read, its
headers and timestamp, and headers that say what happened where (`__streams.errors...`).
"""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylog import KafkaException
from pylog.streams.errors import StreamsConfigError, StreamsError

Headers = list[tuple[str, bytes | None]]

EXCEPTION_HEADER = "__streams.errors.exception"
MESSAGE_HEADER = "__streams.errors.message"
STACKTRACE_HEADER = "__streams.errors.stacktrace"
TOPIC_HEADER = "__streams.errors.topic"
PARTITION_HEADER = "__streams.errors.partition"
OFFSET_HEADER = "__streams.errors.offset"

_log = logging.getLogger("pylog.streams")


@dataclass(frozen=True, slots=True)
class ErrorHandlerContext:
    """Where a record failed.

    Attributes:
        topic: of the source record; None in a punctuation.
        partition: of the source record, -1 in a punctuation.
        offset: of the source record, -1 in a punctuation.
        headers: of the source record.
        node_name: where in the topology.
        task_id: in which task.
        timestamp: of the source record, ms since 1970.
        source_raw_key: key of the source record as it was read, None where it is not known.
        source_raw_value: value of the source record as it was read, None where it is not known.
        dead_letter_topic: `errors.dead.letter.queue.topic.name`.
    """

    topic: str | None
    partition: int
    offset: int
    headers: Headers
    node_name: str
    task_id: object
    timestamp: int
    source_raw_key: bytes | None = None
    source_raw_value: bytes | None = None
    dead_letter_topic: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """What is written to a dead-letter topic; its partition follows from its key.

    Attributes:
        topic: where to.
        key: bytes or None.
        value: bytes or None.
        headers: pairs of name and bytes or None.
        timestamp: ms since 1970.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler decided: made by `fail`, `resume` and `retry`.

    Attributes:
        decision: "fail", "resume" or "retry".
        dead_letter_records: to be written, before it fails too.
    """

    decision: str
    dead_letter_records: tuple[DeadLetterRecord, ...] = ()

    @classmethod
    def fail(
        cls, dead_letter_records: list[DeadLetterRecord] | tuple[DeadLetterRecord, ...] = ()
    ) -> "Response":
        """The application fails."""
        return cls("fail", tuple(dead_letter_records))

    @classmethod
    def resume(
        cls, dead_letter_records: list[DeadLetterRecord] | tuple[DeadLetterRecord, ...] = ()
    ) -> "Response":
        """The record is dropped and counted."""
        return cls("resume", tuple(dead_letter_records))

    @classmethod
    def retry(cls) -> "Response":
        """It is written again; in production handlers only."""
        return cls("retry")


def dead_letter_record(
    topic: str, context: ErrorHandlerContext, exception: BaseException
) -> DeadLetterRecord:
    """Return the record for a dead-letter topic that tells what failed, and where."""
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    trace = "".join(traceback.format_exception(exception))
    said: list[tuple[str, str | None]] = [
        (EXCEPTION_HEADER, name),
        (MESSAGE_HEADER, str(exception) or None),
        (STACKTRACE_HEADER, trace),
        (TOPIC_HEADER, context.topic),
        (PARTITION_HEADER, str(context.partition)),
        (OFFSET_HEADER, str(context.offset)),
    ]
    headers = list(context.headers or ())
    headers += [
        (name, None if text is None else text.encode(errors="replace")) for name, text in said
    ]
    return DeadLetterRecord(
        topic, context.source_raw_key, context.source_raw_value, headers, context.timestamp
    )


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _letters(
    context: ErrorHandlerContext, exception: BaseException, topic: str | None = None
) -> list[DeadLetterRecord]:
    topic = topic or context.dead_letter_topic
    return [] if topic is None else [dead_letter_record(topic, context, exception)]


def _say(level: int, context: ErrorHandlerContext, exception: BaseException) -> None:
    _log.log(
        level,
        "%s failed in task %s, node %s, at topic %s, partition %s, offset %s: %s",
        type(exception).__name__,
        context.task_id,
        context.node_name,
        context.topic,
        context.partition,
        context.offset,
        exception,
    )


class ErrorHandler:
    """Base of the handlers; a subclass gives `handle`."""

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Decide.

        Args:
            context: where it happened.
            record: as far as it got: the message that was read, the Record that was processed, or
                what was to be written, in bytes.
            exception: what happened.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class LogAndFail(ErrorHandler):
    """Logs an error; the application fails."""

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Fail."""
        _say(logging.ERROR, context, exception)
        return Response.fail(_letters(context, exception))


class LogAndContinue(ErrorHandler):
    """Logs a warning; the record is dropped and counted."""

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Resume."""
        _say(logging.WARNING, context, exception)
        return Response.resume(_letters(context, exception))


class DefaultProductionHandler(LogAndFail):
    """What a production handler is unless set: tries again what may work then, else fails."""

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Retry or fail."""
        if isinstance(exception, KafkaException) and exception.args[0].retriable():
            return Response.retry()
        return super().handle(context, record, exception)


class SendToDeadLetterQueue(ErrorHandler):
    """Drops and counts the record, and writes it to a dead-letter topic.

    Args:
        topic: where to; `errors.dead.letter.queue.topic.name` by default.
    """

    def __init__(self, topic: str | None = None) -> None:
        self.topic = topic

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Resume."""
        letters = _letters(context, exception, self.topic)
        if not letters:
            raise StreamsConfigError(
                "SendToDeadLetterQueue has no topic: give it one, or set "
                "errors.dead.letter.queue.topic.name"
            )
        _say(logging.WARNING, context, exception)
        return Response.resume(letters)


class FunctionHandler(ErrorHandler):
    """A handler made of a function.

    Args:
        function: called with (context, record, exception).
    """

    def __init__(self, function: Callable[[ErrorHandlerContext, Any, Exception], Response]) -> None:
        self.function = function

    def handle(self, context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        """Call the function."""
        return self.function(context, record, exception)


def as_handler(value: Any, setting: str) -> ErrorHandler:
    """Return a handler, given as an object, a class, a function or a name.

    Args:
        value: what the program said.
        setting: which setting it is for.

    Raises:
        StreamsConfigError: it is none of these.
    """
    named = {kind.__name__: kind for kind in (LogAndFail, LogAndContinue, SendToDeadLetterQueue)}
    if isinstance(value, str):
        if value not in named:
            raise StreamsConfigError(
                f"{setting}: there is no handler {value!r}; there are {', '.join(sorted(named))}"
            )
        value = named[value]
    if isinstance(value, type):
        value = value()
    if type(value) is LogAndFail and setting == "production.exception.handler":
        return DefaultProductionHandler()
    if isinstance(value, ErrorHandler):
        return value
    function = getattr(value, "handle", value)
    if not callable(function):
        raise StreamsConfigError(
            f"{setting}: a handler is a function (context, record, exception) or has such a method "
            f"handle; {value!r} is neither"
        )
    return FunctionHandler(function)


def ask(
    handler: ErrorHandler, context: ErrorHandlerContext, record: Any, exception: Exception
) -> Response:
    """Return what a handler decides.

    Args:
        handler: as the configuration has it.
        context: where it happened.
        record: as far as it got.
        exception: what happened.

    Raises:
        StreamsError: the handler raised itself, or decided nothing.
    """
    try:
        response = handler.handle(context, record, exception)
    except StreamsError:
        raise
    except Exception as error:
        raise StreamsError(
            f"the error handler {handler!r} raised {type(error).__name__}: {error}; it was asked "
            f"about topic {context.topic}, partition {context.partition}, offset {context.offset}, "
            f"where {exception!r} had happened"
        ) from error
    if not isinstance(response, Response):
        raise StreamsError(
            f"the error handler {handler!r} is to return Response.fail(), Response.resume() or "
            f"Response.retry(), and returned {response!r}"
        )
    return response
