"""Error handlers: what they decide, and what a dead-letter record says."""

import logging
from typing import Any

import pytest

from pylog import KafkaError, KafkaException
from pylog.streams.error_handlers import (
    DeadLetterRecord,
    DefaultProductionHandler,
    ErrorHandlerContext,
    LogAndContinue,
    LogAndFail,
    Response,
    SendToDeadLetterQueue,
    as_handler,
    ask,
)
from pylog.streams.errors import StreamsConfigError, StreamsError


def a_context(dead_letter_topic: str | None = None) -> ErrorHandlerContext:
    return ErrorHandlerContext(
        topic="clicks", partition=2, offset=77, headers=[("trace", b"1")], node_name="counter",
        task_id="0_2", timestamp=1000, source_raw_key=b"k", source_raw_value=b"v",
        dead_letter_topic=dead_letter_topic,
    )  # fmt: skip


def an_error() -> ValueError:
    try:
        raise ValueError("no number")
    except ValueError as error:
        return error


def test_fail_and_continue_say_so_in_the_log(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "pylog.streams"):
        assert LogAndFail().handle(a_context(), None, an_error()) == Response.fail()
        assert LogAndContinue().handle(a_context(), None, an_error()) == Response.resume()
    for record, level in zip(caplog.records, (logging.ERROR, logging.WARNING), strict=True):
        assert record.levelno == level
        for part in ("0_2", "counter", "clicks", "77", "no number"):
            assert part in record.getMessage()


@pytest.mark.parametrize("handler", [LogAndFail(), LogAndContinue(), SendToDeadLetterQueue()])
def test_with_a_dead_letter_topic_every_handler_writes_to_it(handler: Any):
    response = handler.handle(a_context("letters"), None, an_error())
    (letter,) = response.dead_letter_records
    assert (letter.topic, letter.key, letter.value) == ("letters", b"k", b"v")
    assert letter.timestamp == 1000
    headers = dict(letter.headers)
    trace = headers.pop("__streams.errors.stacktrace")
    assert headers == {
        "trace": b"1",
        "__streams.errors.exception": b"ValueError",
        "__streams.errors.message": b"no number",
        "__streams.errors.topic": b"clicks",
        "__streams.errors.partition": b"2",
        "__streams.errors.offset": b"77",
    }
    assert b"raise ValueError" in trace


def test_a_dead_letter_queue_may_have_a_topic_of_its_own():
    response = SendToDeadLetterQueue("own").handle(a_context("letters"), None, an_error())
    assert [letter.topic for letter in response.dead_letter_records] == ["own"]
    assert response.decision == "resume"
    with pytest.raises(StreamsConfigError, match="has no topic"):
        SendToDeadLetterQueue().handle(a_context(), None, an_error())


def test_a_production_handler_retries_what_may_work_then():
    handler = DefaultProductionHandler()
    busy = KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT, retriable=True))
    assert handler.handle(a_context(), None, busy) == Response.retry()
    assert handler.handle(a_context(), None, an_error()) == Response.fail()


def test_a_function_or_an_object_with_handle_is_a_handler():
    def go_on(context: ErrorHandlerContext, record: object, exception: Exception) -> Response:
        assert record == "record"
        letter = DeadLetterRecord("own", None, None, [], context.timestamp)
        return Response.resume([letter])

    class Handler:
        handle = staticmethod(go_on)

    for value in (go_on, Handler(), Handler):
        response = ask(as_handler(value, "x"), a_context(), "record", an_error())
        assert response.decision == "resume"
        assert response.dead_letter_records[0].timestamp == 1000


def test_a_handler_that_raises_is_an_error_that_names_it():
    def broken(context: object, record: object, exception: object) -> Response:
        raise KeyError("oh")

    with pytest.raises(StreamsError, match=r"raised KeyError: 'oh'.*clicks.*2.*77.*no number"):
        ask(as_handler(broken, "x"), a_context(), None, an_error())


def test_a_handler_that_decides_nothing_is_an_error():
    with pytest.raises(StreamsError, match=r"to return Response.fail.*returned None"):
        ask(as_handler(lambda context, record, exception: None, "x"), a_context(), None, an_error())
