"""Records that fail: what the handlers say happens, and nothing else is lost."""

from pathlib import Path
from typing import Any

import pytest
from tests.streams.runtime.running_streams import Log, wait_until

from pylog import KafkaError, KafkaException
from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.error_handlers import ErrorHandlerContext, Response
from pylog.streams.errors import (
    ProcessingError,
    ProductionError,
    SerializationError,
)
from pylog.streams.runtime.thread_state import State
from pylog.streams.runtime.uncaught import StreamThreadExceptionResponse
from pylog.streams.topology import Topology

GUARANTEES = ["at_least_once", "exactly_once_v2"]


def refuse_x(value: str) -> str:
    if value == "x":
        raise ValueError("no x here")
    return value.upper()


def mapped() -> Topology:
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.map_values(refuse_x).to("out", value_serde=serdes.string)
    return builder.build()


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_function_that_raises_is_named_with_its_line_and_record(
    tmp_path: Path, guarantee: str
) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "a"), ("k", "x"), ("k", "b")])
    streams = log.streams(mapped(), processing_guarantee=guarantee)
    with pytest.raises(ProcessingError) as caught:
        streams.run_to_end()
    text = str(caught.value)
    for part in ("refuse_x", "test_failing_records.py", "no x here", "'in', partition 0, offset 1"):
        assert part in text
    assert streams.state is State.ERROR
    if guarantee == "exactly_once_v2":
        assert log.texts("out") == []  # what came before was in the same transaction
        assert log.committed("app", "in") == [-1001]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_handler_may_go_on_and_send_the_record_elsewhere(tmp_path: Path, guarantee: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1, "dead": 1})
    log.write("in", [("k", "a"), ("k", "x"), ("k", "b")])
    streams = log.streams(
        mapped(),
        processing_guarantee=guarantee,
        processing_exception_handler="LogAndContinue",
        errors_dead_letter_queue_topic_name="dead",
    )
    streams.run_to_end()
    assert log.texts("out") == [("k", "A"), ("k", "B")]
    assert log.texts("dead") == [("k", "x")]


def test_dropped_records_are_counted_by_reason(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "x"), ("k", "x"), ("k", "b")])
    with log.streams(mapped(), processing_exception_handler="LogAndContinue") as streams:
        wait_until(lambda: len(log.read("out")) == 1, "the good record came out")
        assert streams.metrics.dropped_records() == {"processing error": 2}


@pytest.mark.parametrize("handler", ["LogAndFail", "LogAndContinue"])
def test_a_record_that_cannot_be_decoded(tmp_path: Path, handler: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "12345678"), ("k", "bad"), ("k", "87654321")])
    builder = StreamsBuilder()
    builder.stream("in", key_serde=serdes.string, value_serde=serdes.long).to("out")
    streams = log.streams(builder.build(), deserialization_exception_handler=handler)
    if handler == "LogAndFail":
        with pytest.raises(SerializationError, match="offset 1"):
            streams.run_to_end()
    else:
        streams.run_to_end()
        assert log.texts("out") == [("k", "12345678"), ("k", "87654321")]


def too_large() -> Topology:
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.map_values(lambda value: value * 3000).to("out", value_serde=serdes.string)
    return builder.build()


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_record_that_is_too_large_fails_the_application(tmp_path: Path, guarantee: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "a"), ("k", "b" * 1000)])
    streams = log.streams(
        too_large(), processing_guarantee=guarantee, producer_message_max_bytes=10_000
    )
    with pytest.raises(ProductionError, match=r"task 0_0 .* topic 'out'") as caught:
        streams.run_to_end()
    assert "KSTREAM-SINK-0000000002 of task 0_0" in str(caught.value)
    assert "record of topic 'in', partition 0, offset 1" in str(caught.value)


def test_a_record_that_cannot_be_encoded_is_named_by_where_it_came_from(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "a")])
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.to("out", value_serde=serdes.long)
    with pytest.raises(ProductionError, match="record of topic 'in', partition 0, offset 0"):
        log.streams(builder.build()).run_to_end()


def test_a_changelog_record_that_is_too_large_names_the_node_of_its_store(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1})
    log.write("in", [("k", "a" * 20_000)])
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.group_by_key().reduce(lambda one, other: one + other)
    streams = log.streams(builder.build(), producer_message_max_bytes=10_000)
    with pytest.raises(ProductionError, match=r"KSTREAM-REDUCE-0000000002 of task 0_0 .*changelog"):
        streams.run_to_end()


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_production_handler_may_go_on_without_it(tmp_path: Path, guarantee: str) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})
    log.write("in", [("k", "a"), ("k", "b" * 1000), ("k", "c")])
    asked: list[tuple[Any, str, int, str]] = []

    def handler(context: ErrorHandlerContext, record: Any, exception: Exception) -> Response:
        assert isinstance(exception, KafkaException)
        assert exception.args[0] == KafkaError.MSG_SIZE_TOO_LARGE
        asked.append((str(context.task_id), context.node_name, context.offset, record.topic))
        return Response.resume()

    streams = log.streams(
        too_large(),
        processing_guarantee=guarantee,
        producer_message_max_bytes=10_000,
        production_exception_handler=handler,
    )
    streams.run_to_end()
    assert [value for _, value in log.texts("out")] == ["a" * 3000, "c" * 3000]
    assert asked == [("0_0", "KSTREAM-SINK-0000000002", 1, "out")]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_thread_that_fails_may_be_replaced(tmp_path: Path, guarantee: str) -> None:
    log = Log(tmp_path / "log", **{"in": 2, "out": 1})
    failures = []
    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)

    def fail_twice(value: str) -> str:
        if value == "x" and len(failures) < 2:
            raise ValueError("not yet")
        return value

    stream.map_values(fail_twice).to("out", value_serde=serdes.string)
    streams = log.streams(builder.build(), processing_guarantee=guarantee)

    def replace(error: BaseException) -> StreamThreadExceptionResponse:
        failures.append(error)
        return StreamThreadExceptionResponse.REPLACE_THREAD

    streams.set_uncaught_exception_handler(replace)
    log.write("in", [(str(number), "x") for number in range(10)])
    with streams:
        wait_until(lambda: len(log.read("out")) >= 10, "all came out")
        assert streams.wait_for_state(State.RUNNING, 20)
    assert len(failures) == 2
    if guarantee == "exactly_once_v2":
        assert len(log.read("out")) == 10


def test_one_failing_instance_may_end_all_of_them(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 4, "out": 1})
    instances = [log.streams(mapped()) for _ in range(3)]
    for streams in instances:
        streams.set_uncaught_exception_handler(
            lambda _: StreamThreadExceptionResponse.SHUTDOWN_APPLICATION
        )
        streams.start()
    for streams in instances:
        assert streams.wait_for_state(State.RUNNING, 20)
    log.write("in", [("k", "x")])
    for streams in instances:
        assert streams.wait_for_state(State.ERROR, 30)
        streams.close()
    # One that starts later was not meant.
    with log.streams(mapped(), processing_exception_handler="LogAndContinue") as later:
        assert later.wait_for_state(State.RUNNING, 20)
        log.write("in", [("k", "y")])
        wait_until(lambda: log.texts("out") == [("k", "Y")], "the record came out")


def test_a_keyboard_interrupt_in_a_function_ends_the_instance(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", **{"in": 1, "out": 1})

    def interrupt(value: str) -> str:
        if value == "x":
            raise KeyboardInterrupt
        return value

    builder = StreamsBuilder()
    stream = builder.stream("in", key_serde=serdes.string, value_serde=serdes.string)
    stream.map_values(interrupt).to("out", value_serde=serdes.string)
    log.write("in", [("k", "a"), ("k", "x")])
    streams = log.streams(builder.build(), processing_guarantee="exactly_once_v2")
    streams.set_uncaught_exception_handler(lambda _: StreamThreadExceptionResponse.REPLACE_THREAD)
    with pytest.raises(KeyboardInterrupt):
        streams.run_to_end()
    assert log.texts("out") == []
