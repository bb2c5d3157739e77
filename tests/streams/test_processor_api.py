"""Processors: what they forward, store, schedule and see of their records."""

import contextlib
from typing import Any

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import (
    InvalidStateStoreError,
    InvalidTimestampError,
    ProcessingError,
    StreamsConfigError,
    TopologyError,
)
from pylog.streams.record import Record
from pylog.streams.runtime.punctuation import PunctuationType
from pylog.streams.state import stores
from pylog.streams.testing import TopologyTestDriver
from pylog.streams.testing_topics import InputTopic, OutputTopic
from pylog.streams.topology import Topology

CONFIG = {
    "application.id": "app",
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "statestore.cache.max.bytes": 0,
}


class Processor:
    """A processor that keeps its context."""

    def init(self, context: Any) -> None:
        self.context = context

    def process(self, record: Any) -> None:
        self.context.forward(record)


def store_builder(name: str) -> Any:
    return stores.key_value_store_builder(
        stores.in_memory_key_value_store(name), serdes.string, serdes.string
    )


def topology_of(processor: Any, **more: Any) -> Topology:
    made = Topology().add_source("source", "in")
    return made.add_processor("processor", processor, "source", **more).add_sink(
        "sink", "out", "processor"
    )


def drive(topology: Topology, **config: Any) -> TopologyTestDriver:
    return TopologyTestDriver(topology, {**CONFIG, **config}, initial_wall_clock_time_ms=0)


def topics(driver: TopologyTestDriver) -> tuple[InputTopic, OutputTopic]:
    return driver.create_input_topic("in"), driver.create_output_topic("out")


def test_a_record_goes_to_all_children_or_to_the_one_named() -> None:
    class Router(Processor):
        def process(self, record: Any) -> None:
            if record.value == "all":
                self.context.forward(record)
            else:
                self.context.forward(record, child=record.value)

    made = Topology().add_source("source", "in").add_processor("router", Router, "source")
    made.add_sink("left", "left-out", "router").add_sink("right", "right-out", "router")
    with drive(made) as driver:
        source, _ = topics(driver)
        for value in ("all", "left", "right"):
            source.pipe_input("k", value, 1)
        assert driver.create_output_topic("left-out").read_values_to_list() == ["all", "left"]
        assert driver.create_output_topic("right-out").read_values_to_list() == ["all", "right"]
        with pytest.raises(ProcessingError) as raised:
            source.pipe_input("k", "middle", 1)
        assert isinstance(raised.value.__cause__, TopologyError)
        assert "has no child 'middle'; it has ['left', 'right']" in str(raised.value)


def test_a_record_is_done_with_all_that_follows_when_forward_returns() -> None:
    order = []

    class Twice(Processor):
        def process(self, record: Any) -> None:
            for number in (1, 2):
                order.append(f"forward {number}")
                self.context.forward(record.with_value(f"{record.value}{number}"))

    class Last(Processor):
        def process(self, record: Any) -> None:
            order.append(record.value)
            self.context.forward(record)

    made = Topology().add_source("source", "in").add_processor("twice", Twice, "source")
    made.add_processor("last", Last, "twice").add_sink("sink", "out", "last")
    with drive(made) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "v", 1)
        assert order == ["forward 1", "v1", "forward 2", "v2"]
        assert out.read_values_to_list() == ["v1", "v2"]


def test_key_value_time_and_headers_go_on_as_they_are_changed() -> None:
    class Change(Processor):
        def process(self, record: Any) -> None:
            record.headers.append(("seen", b"1"))
            changed = record.with_key("other").with_value(record.value.upper())
            self.context.forward(changed.with_timestamp(record.timestamp + 5))
            self.context.forward(record.with_headers([("mine", None)]))

    with drive(topology_of(Change)) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "v", 7, [("given", b"0")])
        assert out.read_records_to_list() == [
            Record("other", "V", 12, [("given", b"0"), ("seen", b"1")]),
            Record("k", "v", 7, [("mine", None)]),
        ]


def test_metadata_tells_where_the_record_came_from() -> None:
    seen = []

    class Look(Processor):
        def process(self, record: Any) -> None:
            metadata = self.context.record_metadata
            seen.append((metadata.topic, metadata.partition, metadata.offset))
            seen.append(self.context.current_stream_time_ms())
            seen.append(self.context.current_system_time_ms())

    with drive(topology_of(Look)) as driver:
        source, _ = topics(driver)
        source.pipe_input("k", "v", 50)
        driver.advance_wall_clock_time("2s")
        source.pipe_input("k", "v", 30)
        assert seen == [("in", 0, 0), 50, 0, ("in", 0, 1), 50, 2000]


def test_context_tells_who_and_where_it_is() -> None:
    seen: list[Any] = []

    class Look(Processor):
        def init(self, context: Any) -> None:
            seen.extend([context.node_name, context.application_id, str(context.task_id)])
            seen.extend([context.record_metadata, context.current_stream_time_ms()])
            seen.append(context.config["application.id"])

    with drive(topology_of(Look)):
        assert seen == ["processor", "app", "0_0", None, -1, "app"]


def test_init_and_close_are_called_and_may_be_missing() -> None:
    calls = []

    class Full:
        def init(self, context: Any) -> None:
            calls.append("init")

        def process(self, record: Any) -> None:
            calls.append("process")

        def close(self) -> None:
            calls.append("close")

    class Bare:
        def process(self, record: Any) -> None:
            calls.append("bare")

    made = topology_of(Full).add_processor("bare", Bare, "source")
    with drive(made) as driver:
        topics(driver)[0].pipe_input("k", "v", 1)
        assert calls == ["init", "process", "bare"]
    assert calls == ["init", "process", "bare", "close"]


def test_stream_time_calls_come_with_the_records_once_on_their_grid() -> None:
    calls: list[int] = []

    class Tick(Processor):
        def init(self, context: Any) -> None:
            super().init(context)
            context.schedule(10, PunctuationType.STREAM_TIME, self.tick)

        def tick(self, now: int) -> None:
            calls.append(now)
            self.context.forward(Record("tick", str(now), now))

    with drive(topology_of(Tick)) as driver:
        source, out = topics(driver)
        for time in (3, 9, 10, 12, 45, 44, 49, 50):
            source.pipe_input("k", f"v{time}", time)
        assert calls == [3, 10, 45, 50]
        values = ["v3", "3", "v9", "v10", "10", "v12", "v45", "45", "v44", "v49", "v50", "50"]
        assert out.read_values_to_list() == values
        driver.advance_wall_clock_time("1h")
        assert calls == [3, 10, 45, 50]


def test_wall_clock_calls_come_when_the_clock_moves_once_on_their_grid() -> None:
    calls: list[int] = []

    class Tick(Processor):
        def init(self, context: Any) -> None:
            super().init(context)
            context.schedule("10ms", PunctuationType.WALL_CLOCK_TIME, self.tick)

        def tick(self, now: int) -> None:
            calls.append(now)
            assert self.context.record_metadata is None
            self.context.forward(Record("tick", str(now), 1))

    with drive(topology_of(Tick)) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "v", 1_000_000)
        assert calls == []
        for advance in (9, 1, 1, 30, 8, 1):
            driver.advance_wall_clock_time(advance)
        assert calls == [10, 41, 50]
        assert out.read_values_to_list() == ["v", "10", "41", "50"]


def test_anchored_calls_are_due_on_the_grid_of_their_start() -> None:
    calls: list[tuple[str, int]] = []

    class Tick(Processor):
        def init(self, context: Any) -> None:
            for name, start in (("past", 3), ("future", 125)):
                context.schedule(
                    10,
                    PunctuationType.WALL_CLOCK_TIME,
                    lambda now, name=name: calls.append((name, now)),
                    start_ms=start,
                )

    with TopologyTestDriver(topology_of(Tick), CONFIG, initial_wall_clock_time_ms=100) as driver:
        for _ in range(30):
            driver.advance_wall_clock_time(1)
        assert calls == [("past", 103), ("past", 113), ("past", 123), ("future", 125)]


def test_a_cancelled_schedule_is_over() -> None:
    calls: list[int] = []

    class Tick(Processor):
        def init(self, context: Any) -> None:
            def tick(now: int) -> None:
                calls.append(now)
                if len(calls) == 2:
                    schedule.cancel()

            schedule = context.schedule(10, PunctuationType.WALL_CLOCK_TIME, tick)

    with drive(topology_of(Tick)) as driver:
        for _ in range(5):
            driver.advance_wall_clock_time(10)
        assert calls == [10, 20]


@pytest.mark.parametrize(
    ("interval", "kind", "message"),
    [(0, PunctuationType.STREAM_TIME, "1 ms or more"), (10, "sometimes", "PunctuationType")],
)
def test_a_schedule_that_makes_no_sense_is_refused(interval: int, kind: Any, message: str) -> None:
    class Tick(Processor):
        def init(self, context: Any) -> None:
            context.schedule(interval, kind, print)

    with pytest.raises(TopologyError, match=message):
        drive(topology_of(Tick))


def test_a_connected_store_keeps_what_was_put_and_logs_it() -> None:
    class Count(Processor):
        def init(self, context: Any) -> None:
            super().init(context)
            self.store = context.get_state_store("counts")

        def process(self, record: Any) -> None:
            count = str(int(self.store.get(record.key) or 0) + 1)
            self.store.put(record.key, count)
            self.context.forward(record.with_value(count))

    made = topology_of(Count).add_state_store(store_builder("counts"), "processor")
    with drive(made) as driver:
        source, out = topics(driver)
        for time, key in enumerate("abaab"):
            source.pipe_input(key, "v", time)
        pairs = [("a", "1"), ("b", "1"), ("a", "2"), ("a", "3"), ("b", "2")]
        assert out.read_key_values_to_list() == pairs
        assert dict(driver.get_key_value_store("counts").all()) == {"a": "3", "b": "2"}
        changelog = driver.create_output_topic("app-counts-changelog")
        assert changelog.read_key_values_to_list() == pairs
        assert driver.produced_topic_names == {"out", "app-counts-changelog"}


def test_two_processors_share_a_store() -> None:
    class Put(Processor):
        def process(self, record: Any) -> None:
            self.context.get_state_store("shared").put(record.key, record.value)

    class Get(Processor):
        def process(self, record: Any) -> None:
            found = self.context.get_state_store("shared").get(record.key)
            self.context.forward(record.with_value(found))

    made = Topology().add_source("puts", "puts").add_source("gets", "gets")
    made.add_processor("put", Put, "puts").add_processor("get", Get, "gets")
    made.add_sink("sink", "out", "get").add_state_store(store_builder("shared"), "put", "get")
    with drive(made) as driver:
        driver.create_input_topic("puts").pipe_input("k", "stored", 1)
        driver.create_input_topic("gets").pipe_input("k", "?", 2)
        assert driver.create_output_topic("out").read_value() == "stored"


def test_a_store_that_is_not_connected_is_refused() -> None:
    class Peek(Processor):
        def process(self, record: Any) -> None:
            self.context.get_state_store(record.value)

    made = topology_of(Peek).add_processor("owner", Processor, "source")
    made.add_state_store(store_builder("kept"), "owner")
    with drive(made) as driver:
        source, _ = topics(driver)
        with pytest.raises(ProcessingError, match="processor has no access to store 'kept'"):
            source.pipe_input("k", "kept", 1)
        with pytest.raises(ProcessingError, match="there is no store 'missing'"):
            source.pipe_input("k", "missing", 1)


class Update(Processor):
    """Puts what comes into the global store."""

    def process(self, record: Any) -> None:
        self.context.get_state_store("global").put(record.key, record.value)


class Enrich(Processor):
    """Forwards what the global store has."""

    def process(self, record: Any) -> None:
        store = self.context.get_state_store("global")
        self.context.forward(record.with_value(store.get(record.key) or "nothing"))


def test_every_processor_reads_a_global_store() -> None:
    made = topology_of(Enrich).add_global_store(
        store_builder("global").with_logging_disabled(), "source-2", "globals", "update", Update
    )
    with drive(made) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "v", 1)
        driver.create_input_topic("globals").pipe_input("k", "known", 2)
        source.pipe_input("k", "v", 3)
        assert out.read_values_to_list() == ["nothing", "known"]
        assert driver.get_key_value_store("global").get("k") == "known"
        assert driver.produced_topic_names == {"out"}


def test_a_global_store_is_filled_by_what_the_topology_writes_to_its_topic() -> None:
    made = topology_of(Processor).add_global_store(
        store_builder("global").with_logging_disabled(), "source-2", "out", "update", Update
    )
    with drive(made) as driver:
        topics(driver)[0].pipe_input("k", "v", 1)
        assert driver.get_key_value_store("global").get("k") == "v"


def test_a_topology_may_have_global_stores_only() -> None:
    made = Topology().add_global_store(
        store_builder("global").with_logging_disabled(), "source", "globals", "update", Update
    )
    with drive(made) as driver:
        driver.create_input_topic("globals").pipe_input("k", "v", 1)
        driver.advance_wall_clock_time(5)
        assert driver.get_state_store("global").get("k") == "v"


@pytest.mark.parametrize("write", ["put", "delete", "flush", "close", "put_all"])
def test_a_global_store_is_for_reading_elsewhere(write: str) -> None:
    class Write(Processor):
        def process(self, record: Any) -> None:
            getattr(self.context.get_state_store("global"), write)

    made = topology_of(Write).add_global_store(
        store_builder("global").with_logging_disabled(), "source-2", "globals", "update", Update
    )
    with drive(made) as driver, pytest.raises(ProcessingError) as raised:
        topics(driver)[0].pipe_input("k", "v", 1)
    assert isinstance(raised.value.__cause__, InvalidStateStoreError)
    assert f"store 'global' is for reading here: {write} is not allowed" in str(raised.value)


def test_a_read_only_store_has_its_topic_for_changelog() -> None:
    class Mirror(Processor):
        def process(self, record: Any) -> None:
            self.context.get_state_store("mirror").put(record.key, record.value)

    made = Topology().add_read_only_state_store(
        store_builder("mirror"), "source", "topic", "update", Mirror
    )
    with drive(made) as driver:
        driver.create_input_topic("topic").pipe_input("k", "v", 1)
        assert driver.get_key_value_store("mirror").get("k") == "v"
        assert driver.produced_topic_names == set()


def test_a_fixed_key_processor_changes_all_but_the_key() -> None:
    class Values(Processor):
        def process(self, record: Any) -> None:
            assert not hasattr(record, "with_key")
            changed = record.with_value(record.value * 2).with_timestamp(record.timestamp + 1)
            self.context.forward(changed.with_headers([("h", b"1")]))
            self.context.forward(record, child="sink")

    with drive(topology_of(Values, is_fixed_key=True)) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "v", 7)
        assert out.read_records_to_list() == [
            Record("k", "vv", 8, [("h", b"1")]),
            Record("k", "v", 7),
        ]


def test_a_fixed_key_processor_forwards_only_what_came_in() -> None:
    class Values(Processor):
        def process(self, record: Any) -> None:
            self.context.forward(Record("other", record.value, record.timestamp))

    with drive(topology_of(Values, is_fixed_key=True)) as driver:
        with pytest.raises(ProcessingError, match="processor keeps the keys"):
            topics(driver)[0].pipe_input("k", "v", 7)
        with pytest.raises(TypeError, match="is made from another"):
            from pylog.streams.node import FixedKeyRecord

            FixedKeyRecord()


def test_a_fixed_key_processor_may_forward_later_what_it_kept() -> None:
    class Hold(Processor):
        def init(self, context: Any) -> None:
            super().init(context)
            self.held: list[Any] = []
            context.schedule(10, PunctuationType.STREAM_TIME, self.release)

        def process(self, record: Any) -> None:
            self.held.append(record)

        def release(self, now: int) -> None:
            for record in self.held:
                self.context.forward(record.with_value(f"{record.value}@{now}"))
            self.held.clear()

    with drive(topology_of(Hold, is_fixed_key=True)) as driver:
        source, out = topics(driver)
        for time in (0, 5, 12):
            source.pipe_input(f"k{time}", "v", time)
        assert out.read_key_values_to_list() == [("k0", "v@0"), ("k5", "v@12"), ("k12", "v@12")]


def test_a_processor_counts_what_it_drops_by_reason() -> None:
    class Picky(Processor):
        def process(self, record: Any) -> None:
            self.context.drop("null value" if record.value is None else "late")

    with drive(topology_of(Picky)) as driver:
        source, _ = topics(driver)
        for value in ("v", None, None):
            source.pipe_input("k", value, 1)
        assert driver.metrics.dropped_records() == {"late": 1, "null value": 2}


def test_a_timestamp_extractor_gives_the_time() -> None:
    def extract(record: Any, partition_time: int) -> int:
        return int(record.value)

    made = Topology().add_source("source", "in", timestamp_extractor=extract)
    made.add_sink("sink", "out", "source")
    with drive(made) as driver:
        source, out = topics(driver)
        source.pipe_input("k", "123", 5)
        source.pipe_input("k", "-1", 5)
        assert out.read_records_to_list() == [Record("k", "123", 123)]
        assert driver.metrics.dropped_records() == {"invalid timestamp": 1}


def test_sinks_choose_topic_and_partition_by_functions() -> None:
    seen = []

    def choose(key: Any, value: Any, context: Any) -> str:
        seen.append((context.topic, context.partition, context.offset, context.timestamp))
        return f"out-{value}"

    made = Topology().add_source("source", "in").add_sink("sink", choose, "source")
    made.add_sink(
        "several", "copies", "source",
        partitioner=lambda topic, key, value, count: [0, 0] if value == "a" else [],
    )  # fmt: skip
    with drive(made) as driver:
        source, _ = topics(driver)
        source.pipe_input("k", "a", 5)
        source.pipe_input("k", "b", 6)
        assert driver.create_output_topic("out-a").read_key_value() == ("k", "a")
        assert driver.create_output_topic("out-b").read_key_value() == ("k", "b")
        assert seen == [("in", 0, 0, 5), ("in", 0, 1, 6)]
        assert driver.create_output_topic("copies").read_values_to_list() == ["a", "a"]
        assert driver.metrics.dropped_records() == {"no partition": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic": lambda key, value, context: None}, "the function that names the topic returned"),
        ({"partitioner": lambda *arguments: 3}, "chose partition 3 of topic 'out', which has 1"),
    ],
)
def test_a_sink_refuses_what_its_functions_may_not_return(
    options: dict[str, Any], message: str
) -> None:
    topic = options.pop("topic", "out")
    made = Topology().add_source("source", "in").add_sink("sink", topic, "source", **options)
    with drive(made) as driver, pytest.raises(ProcessingError, match=message):
        topics(driver)[0].pipe_input("k", "v", 5)


def test_a_record_without_a_valid_timestamp_is_an_error_by_default() -> None:
    with drive(topology_of(Processor)) as driver:
        source, out = topics(driver)
        with pytest.raises(InvalidTimestampError, match="topic 'in', partition 0, offset 0"):
            source.pipe_input("k", "v", -1)
        source.pipe_input("k", "v", 1)
        assert out.read_values_to_list() == ["v"]


def test_a_wrapper_is_around_the_work_of_every_processor() -> None:
    seen = []

    def wrap(name: str, process: Any) -> Any:
        def traced(record: Any) -> None:
            seen.append(f"{name} begins")
            process(record)
            seen.append(f"{name} ends")

        return traced

    builder = StreamsBuilder()
    stream = builder.stream("in").filter(lambda key, value: value != "no", name="filter")
    stream.process(Processor, name="process").group_by_key(name="group").count(
        name="count", materialized=Materialized("counts")
    )
    with drive(builder.build(), **{"processor.wrapper.class": wrap}) as driver:
        source, _ = topics(driver)
        source.pipe_input("k", "no")
        assert seen == ["filter begins", "filter ends"]
        seen.clear()
        source.pipe_input("k", "yes")
        assert seen[:3] == ["filter begins", "process begins", "group-repartition-filter begins"]
        assert seen[-2:] == ["count begins", "count ends"]
        assert driver.get_key_value_store("counts").get("k") == 1
    with pytest.raises(TopologyError, match="for 'filter' it returned None"):
        drive(builder.build(), **{"processor.wrapper.class": lambda name, process: None})
    with pytest.raises(StreamsConfigError, match="a function of a node's name"):
        drive(builder.build(), **{"processor.wrapper.class": 5})


def test_a_wrapper_may_hold_back_errors_or_let_them_be_handled() -> None:
    class Fail(Processor):
        def process(self, record: Any) -> None:
            raise ValueError(record.value)

    def lenient(name: str, process: Any) -> Any:
        def attempt(record: Any) -> None:
            if record.value == "held":
                with contextlib.suppress(ValueError):
                    process(record)
            else:
                process(record)

        return attempt

    with drive(topology_of(Fail), **{"processor.wrapper.class": lenient}) as driver:
        source, _ = topics(driver)
        source.pipe_input("k", "held")
        with pytest.raises(ProcessingError, match="processor 'processor' failed with ValueError"):
            source.pipe_input("k", "v")
