"""What an error says of the function and the record, and what the handlers decide."""

import re
import traceback
from typing import Any

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.error_handlers import LogAndContinue, Response, SendToDeadLetterQueue
from pylog.streams.errors import ProcessingError, ProductionError, SerializationError
from pylog.streams.runtime.punctuation import PunctuationType
from pylog.streams.testing import TopologyTestDriver
from pylog.streams.topology import Topology

CONFIG = {
    "application.id": "app",
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "default.dsl.store": "in_memory",
}


def refuse_bad(value: Any) -> Any:
    if value == "bad":
        raise ValueError("this one")
    return value


def mapped(function: Any = refuse_bad) -> Topology:
    builder = StreamsBuilder()
    builder.stream("in").map_values(function, name="check").to("out")
    return builder.build()


def drive(topology: Topology, **config: Any) -> TopologyTestDriver:
    return TopologyTestDriver(topology, {**CONFIG, **config})


def test_the_error_names_node_function_file_line_and_record() -> None:
    with drive(mapped()) as driver:
        source = driver.create_input_topic("in")
        source.pipe_input("k", "good")
        with pytest.raises(ProcessingError) as raised:
            source.pipe_input("k", "bad")
    line = refuse_bad.__code__.co_firstlineno + 2
    assert str(raised.value) == (
        f"processor 'check' failed with ValueError: this one; in refuse_bad ({__file__}:{line}); "
        "record of topic 'in', partition 0, offset 1, key of type str"
    )


def test_the_cause_has_the_programs_own_traceback_alone() -> None:
    with drive(mapped()) as driver, pytest.raises(ProcessingError) as raised:
        driver.create_input_topic("in").pipe_input("k", "bad")
    cause = raised.value.__cause__
    assert isinstance(cause, ValueError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["refuse_bad"]


def test_a_builtin_without_frames_is_named() -> None:
    with (
        drive(mapped(int)) as driver,
        pytest.raises(ProcessingError, match=re.escape("base 10: 'x'; in int; record")) as raised,
    ):
        driver.create_input_topic("in").pipe_input("k", "x")
    assert raised.value.__cause__ is not None
    assert raised.value.__cause__.__traceback__ is None


def test_a_lambda_is_named_with_its_line() -> None:
    with drive(mapped(lambda value: value.missing)) as driver:
        here = re.escape(f"<lambda> ({__file__}:")
        with pytest.raises(ProcessingError, match=here):
            driver.create_input_topic("in").pipe_input("k", "x")


def test_an_error_is_that_of_the_innermost_node() -> None:
    class Outer:
        def init(self, context: Any) -> None:
            self.context = context

        def process(self, record: Any) -> None:
            self.context.forward(record)

    class Inner:
        def process(self, record: Any) -> None:
            raise KeyError("inside")

    made = Topology().add_source("source", "in").add_processor("outer", Outer, "source")
    made.add_processor("inner", Inner, "outer")
    with drive(made) as driver, pytest.raises(ProcessingError, match="processor 'inner' failed"):
        driver.create_input_topic("in").pipe_input("k", "v")


def test_a_handler_may_go_on_without_the_record() -> None:
    with drive(mapped(), **{"processing.exception.handler": LogAndContinue()}) as driver:
        source = driver.create_input_topic("in")
        source.pipe_key_value_list([("a", "1"), ("b", "bad"), ("c", "3")])
        assert driver.create_output_topic("out").read_values_to_list() == ["1", "3"]
        assert driver.metrics.dropped_records() == {"processing error": 1}


def test_a_record_that_one_child_drops_still_goes_to_the_others() -> None:
    builder = StreamsBuilder()
    stream = builder.stream("in")
    stream.map_values(refuse_bad).to("checked")
    stream.to("all")
    config = {"processing.exception.handler": LogAndContinue()}
    with drive(builder.build(), **config) as driver:
        driver.create_input_topic("in").pipe_input("k", "bad")
        assert driver.create_output_topic("all").read_value() == "bad"
        assert driver.create_output_topic("checked").is_empty()


def test_a_handler_sees_the_record_and_where_it_is() -> None:
    seen = []

    def handle(context: Any, record: Any, exception: Exception) -> Response:
        seen.append((context.node_name, context.topic, context.partition, context.offset))
        seen.append((context.timestamp, context.source_raw_key, context.source_raw_value))
        seen.append((record.key, record.value, str(exception)))
        return Response.resume()

    with drive(mapped(), **{"processing.exception.handler": handle}) as driver:
        driver.create_input_topic("in").pipe_input("k", "bad", 7)
    assert seen == [("check", "in", 0, 0), (7, b"k", b"bad"), ("k", "bad", "this one")]


def test_dead_letters_are_written() -> None:
    config = {"processing.exception.handler": SendToDeadLetterQueue("letters")}
    with drive(mapped(), **config) as driver:
        driver.create_input_topic("in").pipe_input("k", "bad", 7)
        letter = driver.create_output_topic("letters").read_record()
        assert (letter.key, letter.value, letter.timestamp) == ("k", "bad", 7)
        assert dict(letter.headers)["__streams.errors.topic"] == b"in"
        assert dict(letter.headers)["__streams.errors.message"] == b"this one"


def test_what_cannot_be_decoded_is_an_error_or_dropped() -> None:
    builder = StreamsBuilder()
    builder.stream("in", value_serde=serdes.long).to("out", value_serde=serdes.long)
    expected = "topic 'in', partition 0, offset 0"
    with drive(builder.build()) as driver, pytest.raises(SerializationError, match=expected):
        driver.create_input_topic("in").pipe_input("k", "no long")
    handler = {"deserialization.exception.handler": SendToDeadLetterQueue("letters")}
    with drive(builder.build(), **handler) as driver:
        driver.create_input_topic("in").pipe_input("k", "no long")
        assert driver.create_output_topic("letters").read_key_value() == ("k", "no long")
        assert driver.create_output_topic("out").is_empty()
        assert driver.metrics.dropped_records() == {"deserialization error": 1}


def test_what_cannot_be_encoded_is_an_error_or_dropped() -> None:
    topology = mapped(len)
    with drive(topology) as driver:
        expected = "sink 'KSTREAM-SINK-0000000002' cannot write to topic 'out'"
        with pytest.raises(ProductionError, match=expected):
            driver.create_input_topic("in").pipe_input("k", "v")
    with drive(topology, **{"production.exception.handler": LogAndContinue()}) as driver:
        driver.create_input_topic("in").pipe_input("k", "v")
        assert driver.create_output_topic("out").is_empty()
        assert driver.metrics.dropped_records() == {"production error": 1}


class Tick:
    """Raises whenever its time comes."""

    def init(self, context: Any) -> None:
        context.schedule(10, PunctuationType.WALL_CLOCK_TIME, self.tick)

    def tick(self, now: int) -> None:
        raise OSError("tick")

    def process(self, record: Any) -> None:
        pass


def test_an_error_in_a_punctuation_says_so() -> None:
    made = Topology().add_source("source", "in").add_processor("ticker", Tick, "source")
    with TopologyTestDriver(made, CONFIG, initial_wall_clock_time_ms=0) as driver:
        expected = (
            "processor 'ticker' failed with OSError: tick; in Tick.tick .*punctuation at 10 ms"
        )
        with pytest.raises(ProcessingError, match=expected):
            driver.advance_wall_clock_time(10)
    config = {**CONFIG, "processing.exception.handler": LogAndContinue()}
    with TopologyTestDriver(made, config, initial_wall_clock_time_ms=0) as driver:
        driver.advance_wall_clock_time(10)
        driver.advance_wall_clock_time(10)
        assert driver.metrics.dropped_records() == {"processing error": 2}


def test_an_error_in_init_names_the_processor() -> None:
    class Broken:
        def init(self, context: Any) -> None:
            raise RuntimeError("no")

        def process(self, record: Any) -> None:
            pass

    made = Topology().add_source("source", "in").add_processor("broken", Broken, "source")
    with pytest.raises(
        ProcessingError, match="'broken' cannot be opened: RuntimeError: no"
    ) as raised:
        drive(made)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_an_error_in_close_names_the_processor_after_all_are_closed() -> None:
    closed = []

    class Broken:
        def process(self, record: Any) -> None:
            pass

        def close(self) -> None:
            closed.append(1)
            raise RuntimeError("no")

    made = Topology().add_source("source", "in")
    made.add_processor("one", Broken, "source").add_processor("two", Broken, "source")
    driver = drive(made)
    with pytest.raises(ProcessingError, match="'one' cannot be closed: RuntimeError: no"):
        driver.close()
    assert closed == [1, 1]


def test_ctrl_c_is_no_processing_error() -> None:
    def interrupt(value: Any) -> Any:
        raise KeyboardInterrupt

    config = {"processing.exception.handler": LogAndContinue()}
    with drive(mapped(interrupt), **config) as driver, pytest.raises(KeyboardInterrupt):
        driver.create_input_topic("in").pipe_input("k", "v")
