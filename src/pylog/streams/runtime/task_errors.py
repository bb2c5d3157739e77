"""TaskErrors: asks the program's handlers what to do with a record that failed, and does it.

What a function of the program raised becomes a ProcessingError that says where: the node, the
function with its file and line, and the record. Its cause keeps the program's own traceback,
without the frames of this package above it.
"""

import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import pylog
from pylog.streams.error_handlers import ErrorHandlerContext, Response, ask
from pylog.streams.errors import ProcessingError, ProductionError, SerializationError, StreamsError
from pylog.streams.functions import describe_function
from pylog.streams.node import HANDLED, Node, TaskContext
from pylog.streams.record import Record

_PACKAGE = os.path.dirname(os.path.abspath(pylog.__file__)) + os.sep


class TaskErrors:
    """The error handler of a task.

    Args:
        context: of the task.
        raw: () -> key and value of the record that the task is at, as they were read.
        asks_processing_handler: False for errors of processors to be fatal.
    """

    def __init__(
        self,
        context: TaskContext,
        raw: Callable[[], tuple[bytes | None, bytes | None]],
        *,
        asks_processing_handler: bool = True,
    ):
        self._context = context
        self._raw = raw
        self._asks_processing_handler = asks_processing_handler

    def __call__(self, node: Node, record: Record | None, error: Exception) -> None:
        """A node, or a function that it calls, raised.

        Raises:
            ProcessingError: the handler says to fail.
        """
        response = Response.fail()
        if self._asks_processing_handler:
            handler = self._context.config["processing.exception.handler"]
            response = ask(handler, self._described(node), record, error)
            self._send_dead_letters(response)
        if response.decision != "resume":
            error.__traceback__ = user_frames(error.__traceback__)
            raise ProcessingError(self._text(node, record, error)) from error
        self._context.drop(node.name, "processing error")

    def punctuation(self, node: Node, error: Exception) -> None:
        """A function that was called as time went on raised.

        Raises:
            ProcessingError: the handler says to fail.
        """
        if isinstance(error, HANDLED):
            raise error
        self(node, None, error)

    def deserialization(self, node: Node, message: pylog.Message, error: Exception) -> None:
        """A record that was read cannot be decoded.

        Raises:
            StreamsError: the handler says to fail.
        """
        handler = self._context.config["deserialization.exception.handler"]
        context = ErrorHandlerContext(
            message.topic(),
            _or_unknown(message.partition()),
            _or_unknown(message.offset()),
            message.headers() or [],
            node.name,
            self._context.task_id,
            message.timestamp()[1],
            message.key(),
            message.value(),
            self._context.config["errors.dead.letter.queue.topic.name"],
        )
        response = ask(handler, context, message, error)
        self._send_dead_letters(response)
        if response.decision != "resume":
            raise SerializationError(
                f"source {node.name!r} cannot decode topic {context.topic!r}, partition "
                f"{context.partition}, offset {context.offset}: {error}. A "
                "deserialization.exception.handler could drop such records"
            ) from error
        self._context.drop(node.name, "deserialization error")

    def serialization(self, node: Node, topic: str, record: Record, error: Exception) -> None:
        """A sink cannot encode a record.

        Raises:
            ProductionError: the handler says to fail.
        """
        handler = self._context.config["production.exception.handler"]
        response = ask(handler, self._described(node), record, error)
        self._send_dead_letters(response)
        if response.decision != "resume":
            raise ProductionError(
                f"sink {node.name!r} cannot write to topic {topic!r}: {error}; {self._at()}"
            ) from error
        self._context.drop(node.name, "production error")

    def _described(self, node: Node) -> ErrorHandlerContext:
        context = self._context
        key, value = self._raw() if context.topic is not None else (None, None)
        return ErrorHandlerContext(
            context.topic,
            context.partition,
            context.offset,
            context.headers or [],
            node.name,
            context.task_id,
            context.record_timestamp,
            key,
            value,
            context.config["errors.dead.letter.queue.topic.name"],
        )

    def _send_dead_letters(self, response: Response) -> None:
        for letter in response.dead_letter_records:
            self._context.collector.send(
                letter.topic, letter.key, letter.value, letter.headers, letter.timestamp, -1
            )

    def _text(self, node: Node, record: Record | None, error: Exception) -> str:
        context = self._context
        text = f"processor {node.name!r} failed with {type(error).__name__}"
        text += f": {error}" if str(error) else ""
        where = describe_place(error, node.functions())
        text += f"; in {where}" if where else ""
        text += f"; {self._at()}"
        if context.topic is None or record is None:
            return text
        return f"{text}, key of type {type(record.key).__name__}"

    def _at(self) -> str:
        context = self._context
        return describe_record(
            context.topic, context.partition, context.offset, context.record_timestamp
        )


def describe_record(topic: str | None, partition: int, offset: int, timestamp_ms: int) -> str:
    """Returns which record a task was at when something failed.

    Args:
        topic: that it was read from, None in a punctuation.
        partition: number.
        offset: its own.
        timestamp_ms: of the punctuation.
    """
    if topic is None:
        return f"in a punctuation at {timestamp_ms} ms"
    return f"record of topic {topic!r}, partition {partition}, offset {offset}"


def describe_place(error: Exception, functions: Iterable[Callable[..., Any]]) -> str:
    """Returns where the program's own code raised: function, file and line.

    Args:
        error: what it raised.
        functions: that were called, for an error without a frame of the program.
    """
    trace = user_frames(error.__traceback__)
    if trace is not None:
        code = trace.tb_frame.f_code
        return f"{code.co_qualname} ({code.co_filename}:{trace.tb_lineno})"
    return ", ".join(describe_function(function) for function in functions)


def user_frames(trace: TracebackType | None) -> TracebackType | None:
    """Returns a traceback from the first frame that is not of this package; None without any."""
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_ours(file: str) -> bool:
    return file.endswith(".pyx") or os.path.abspath(file).startswith(_PACKAGE)


def _or_unknown(number: int | None) -> int:
    return -1 if number is None else number


def lifecycle_error(node: Node, error: Exception, what: str) -> StreamsError:
    """Returns what an error in a processor's init or close becomes.

    Args:
        node: of the processor.
        error: what it raised.
        what: "opened" or "closed".
    """
    where = describe_place(error, node.functions())
    error.__traceback__ = user_frames(error.__traceback__)
    text = f"processor {node.name!r} cannot be {what}: {type(error).__name__}: {error}"
    return ProcessingError(f"{text}; in {where}" if where else text)
