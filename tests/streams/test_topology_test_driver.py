"""The driver of tests itself. Scenarios of Kafka's TopologyTestDriverTest and TestTopicsTest."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pylog.streams import serdes
from pylog.streams.dsl.builder import StreamsBuilder
from pylog.streams.dsl.materialized import Materialized
from pylog.streams.errors import (
    EmptyTopicError,
    SerializationError,
    StreamsConfigError,
    StreamsError,
)
from pylog.streams.record import Record, ValueAndTimestamp
from pylog.streams.testing import TopologyTestDriver
from pylog.streams.topology import Topology
from pylog.streams.windows import SessionWindows, TimeWindows

CONFIG = {
    "application.id": "app",
    "default.key.serde": serdes.string,
    "default.value.serde": serdes.string,
    "default.dsl.store": "in_memory",
}


def through() -> Topology:
    return Topology().add_source("source", "in").add_sink("sink", "out", "source")


def drive(topology: Topology, **config: Any) -> TopologyTestDriver:
    return TopologyTestDriver(topology, {**CONFIG, **config}, initial_wall_clock_time_ms=1000)


def test_records_come_out_in_order_and_once() -> None:
    with drive(through()) as driver:
        source, out = driver.create_input_topic("in"), driver.create_output_topic("out")
        assert (out.is_empty(), out.get_queue_size()) == (True, 0)
        for number in range(4):
            source.pipe_input(str(number), f"v{number}", number, [("h", b"0")])
        assert (out.is_empty(), out.get_queue_size()) == (False, 4)
        assert out.read_record() == Record("0", "v0", 0, [("h", b"0")])
        assert out.read_key_value() == ("1", "v1")
        assert out.read_value() == "v2"
        assert out.read_values_to_list() == ["v3"]
        assert out.is_empty()


def test_a_topic_that_has_nothing_says_whether_it_ever_had() -> None:
    with drive(through()) as driver:
        out = driver.create_output_topic("out")
        with pytest.raises(EmptyTopicError, match="'out' was never written to"):
            out.read_value()
        driver.create_input_topic("in").pipe_input("k", "v")
        out.read_value()
        with pytest.raises(EmptyTopicError, match="'out' has no more records"):
            out.read_record()
        assert out.read_records_to_list() == []


def test_an_input_topic_that_nobody_reads_is_an_error() -> None:
    with drive(through()) as driver:
        topic = driver.create_input_topic("other")
        with pytest.raises(StreamsError, match="no source of the topology reads topic 'other'"):
            topic.pipe_input("k", "v")
        with pytest.raises(StreamsError, match="no source of the topology reads topic 'other'"):
            topic.pipe_key_value_list([("k", "v")])


def test_records_without_a_time_take_the_topics_which_advances() -> None:
    with drive(through()) as driver:
        out = driver.create_output_topic("out")
        source = driver.create_input_topic("in", start_timestamp_ms=100, auto_advance="10ms")
        source.pipe_input("a", "v")
        source.pipe_input("b", "v", 5)
        source.advance_time(timedelta(milliseconds=7))
        source.pipe_input("c", "v")
        source.pipe_key_value_list([("d", "v"), ("e", "v")])
        source.pipe_value_list(["v"])
        times = [(record.key, record.timestamp) for record in out.read_records_to_list()]
        assert times == [("a", 100), ("b", 5), ("c", 117), ("d", 127), ("e", 137), (None, 147)]


def test_a_topics_time_starts_at_the_drivers_and_stands_still() -> None:
    with drive(through()) as driver:
        out = driver.create_output_topic("out")
        driver.advance_wall_clock_time("1s")
        source = driver.create_input_topic("in")
        source.pipe_input("a", "v")
        source.pipe_input("b", "v")
        assert [record.timestamp for record in out.read_records_to_list()] == [2000, 2000]


def test_lists_have_times_of_their_own_if_they_are_given() -> None:
    with drive(through()) as driver:
        out = driver.create_output_topic("out")
        source = driver.create_input_topic("in", start_timestamp_ms=100, auto_advance=1)
        records = [Record("a", "v", 7, [("h", b"1")]), Record("b", "v", 3)]
        source.pipe_record_list(records)
        assert out.read_records_to_list() == records
        source.pipe_record_list(records, start_timestamp_ms=10, advance=5)
        assert [record.timestamp for record in out.read_records_to_list()] == [10, 15]
        source.pipe_key_value_list([("a", "v"), ("b", "v")], start_timestamp_ms=20, advance=2)
        source.pipe_value_list(["v", "v"], start_timestamp_ms=30)
        assert [record.timestamp for record in out.read_records_to_list()] == [20, 22, 30, 30]
        source.pipe_record(Record("c", "v", 9))
        assert out.read_record().timestamp == 9
        assert source.timestamp_ms == 100


def test_reading_a_map_keeps_the_last_value_and_needs_keys() -> None:
    with drive(through()) as driver:
        source, out = driver.create_input_topic("in"), driver.create_output_topic("out")
        source.pipe_key_value_list([("a", "1"), ("b", "2"), ("a", "3"), ("b", None)])
        assert out.read_key_values_to_map() == {"a": "3", "b": None}
        source.pipe_value_list(["v"])
        with pytest.raises(StreamsError, match="a record without a key has no place"):
            out.read_key_values_to_map()


def test_serdes_of_topics_are_those_given_or_the_default_ones() -> None:
    made = Topology().add_source("source", "in", key_serde=serdes.int, value_serde=serdes.long)
    made.add_sink("sink", "out", "source", key_serde=serdes.int, value_serde=serdes.long)
    with drive(made) as driver:
        source = driver.create_input_topic("in", serdes.int, serdes.long)
        source.pipe_input(1, 2)
        assert driver.create_output_topic("out", serdes.int, serdes.long).read_key_value() == (1, 2)
        with pytest.raises(SerializationError, match="topic 'in'"):
            source.pipe_input("text", 2)
        with pytest.raises(SerializationError, match="topic 'in'"):
            source.pipe_key_value_list([("text", 2)])


def test_a_value_serde_that_nobody_said_is_an_error_that_says_where() -> None:
    with pytest.raises(StreamsConfigError, match="source 'source'"):
        TopologyTestDriver(through())


def test_what_is_written_to_a_topic_that_is_read_goes_back_in() -> None:
    made = Topology().add_source("source", "in").add_sink("between", "middle", "source")
    made.add_source("again", "middle").add_sink("sink", "out", "again")
    with drive(made) as driver:
        driver.create_input_topic("in").pipe_input("k", "v", 7, [("h", None)])
        assert driver.create_output_topic("middle").read_value() == "v"
        assert driver.create_output_topic("out").read_record() == Record("k", "v", 7, [("h", None)])
        assert driver.produced_topic_names == {"middle", "out"}


def test_repartition_topics_have_the_applications_name_and_go_back_in() -> None:
    builder = StreamsBuilder()
    grouped = builder.stream("in").group_by(lambda key, value: value, name="by-value")
    grouped.count().to_stream().to("out")
    with drive(builder.build()) as driver:
        source = driver.create_input_topic("in")
        source.pipe_key_value_list([("a", "x"), ("b", "x"), ("c", "y")])
        out = driver.create_output_topic("out", serdes.string, serdes.long)
        assert out.read_key_values_to_list() == [("x", 1), ("x", 2), ("y", 1)]
        repartition = driver.create_output_topic("app-by-value-repartition")
        assert repartition.read_key_values_to_list() == [("x", "x"), ("x", "x"), ("y", "y")]
        assert any(name.endswith("-changelog") for name in driver.produced_topic_names)


def test_a_pattern_reads_every_topic_that_matches_it() -> None:
    made = Topology().add_source("source", pattern=re.compile("in-[0-9]+"))
    made.add_sink("sink", lambda key, value, context: f"{context.topic}-out", "source")
    with drive(made) as driver:
        for number in (1, 22):
            driver.create_input_topic(f"in-{number}").pipe_input("k", str(number))
        assert driver.create_output_topic("in-1-out").read_value() == "1"
        assert driver.create_output_topic("in-22-out").read_value() == "22"
        with pytest.raises(StreamsError, match="no source"):
            driver.create_input_topic("in-x").pipe_input("k", "v")


def test_the_clock_stands_still_unless_it_is_moved() -> None:
    with drive(through()) as driver:
        assert driver.wall_clock_time_ms == 1000
        driver.advance_wall_clock_time("5s")
        assert driver.wall_clock_time_ms == 6000
        with pytest.raises(ValueError, match="not negative"):
            driver.advance_wall_clock_time(-1)


def test_with_idling_a_record_waits_for_the_other_topic_or_the_clock() -> None:
    made = Topology().add_source("left", "left").add_source("right", "right")
    made.add_sink("sink", "out", "left", "right")
    with drive(made, **{"max.task.idle.ms": 100}) as driver:
        left, right = driver.create_input_topic("left"), driver.create_input_topic("right")
        out = driver.create_output_topic("out")
        left.pipe_input("k", "l10", 10)
        assert out.is_empty()
        right.pipe_input("k", "r5", 5)
        assert out.read_values_to_list() == ["r5"]
        driver.advance_wall_clock_time(99)
        assert out.is_empty()
        driver.advance_wall_clock_time(1)
        assert out.read_values_to_list() == ["l10"]


def test_without_idling_records_are_processed_as_they_come() -> None:
    made = Topology().add_source("left", "left").add_source("right", "right")
    made.add_sink("sink", "out", "left", "right")
    with drive(made) as driver:
        driver.create_input_topic("left").pipe_input("k", "l10", 10)
        driver.create_input_topic("right").pipe_input("k", "r5", 5)
        assert driver.create_output_topic("out").read_values_to_list() == ["l10", "r5"]


def counts(materialized: Materialized) -> Topology:
    builder = StreamsBuilder()
    builder.stream("in").group_by_key().count(materialized=materialized).to_stream().to("out")
    return builder.build()


@pytest.mark.parametrize("cache_bytes", [0, 10_000_000])
def test_each_record_is_committed_whatever_the_cache_holds(cache_bytes: int) -> None:
    topology = counts(Materialized("counts"))
    with drive(topology, **{"statestore.cache.max.bytes": cache_bytes}) as driver:
        driver.create_input_topic("in").pipe_key_value_list([("a", "v"), ("a", "v"), ("b", "v")])
        out = driver.create_output_topic("out", serdes.string, serdes.long)
        assert out.read_key_values_to_list() == [("a", 1), ("a", 2), ("b", 1)]


def test_stores_are_found_by_name_and_kind() -> None:
    builder = StreamsBuilder()
    grouped = builder.stream("in").group_by_key()
    grouped.count(materialized=Materialized("counts"))
    grouped.windowed_by(TimeWindows.of_size_with_no_grace(10)).count(
        materialized=Materialized("windows")
    )
    grouped.windowed_by(SessionWindows.of_inactivity_gap_with_no_grace(10)).count(
        materialized=Materialized("sessions")
    )
    with drive(builder.build()) as driver:
        driver.create_input_topic("in").pipe_input("a", "v", 12)
        assert set(driver.get_all_state_stores()) == {"counts", "windows", "sessions"}
        assert driver.get_key_value_store("counts").get("a") == 1
        stamped = driver.get_timestamped_key_value_store("counts")
        assert stamped.get("a") == ValueAndTimestamp(1, 12)
        assert list(driver.get_window_store("windows").fetch("a", 0, 20)) == [(10, 1)]
        window = driver.get_timestamped_window_store("windows")
        assert window.fetch_at("a", 10) == ValueAndTimestamp(1, 12)
        assert driver.get_session_store("sessions").fetch_session("a", 12, 12) == 1
        assert driver.get_state_store("nothing") is None
        for get in (driver.get_versioned_key_value_store, driver.get_session_store):
            assert get("counts") is None
        assert driver.get_key_value_store("windows") is None
        assert driver.get_window_store("counts") is None


def test_a_store_can_be_filled_before_the_first_record() -> None:
    with drive(counts(Materialized("counts"))) as driver:
        store = driver.get_timestamped_key_value_store("counts")
        store.put("a", ValueAndTimestamp(41, 5))
        driver.create_input_topic("in").pipe_input("a", "v", 7)
        out = driver.create_output_topic("out", serdes.string, serdes.long)
        assert out.read_value() == 42


def test_the_plain_face_of_a_store_writes_and_reads_values() -> None:
    with drive(counts(Materialized("counts"))) as driver:
        store = driver.get_key_value_store("counts")
        store.put("b", 2)
        store.put_all([("a", 1), ("c", 3)])
        assert store.put_if_absent("a", 9) == 1
        assert store.put_if_absent("d", 4) is None
        assert store.delete("d") == 4
        assert list(store.all()) == [("a", 1), ("b", 2), ("c", 3)]
        assert list(store.reverse_all()) == [("c", 3), ("b", 2), ("a", 1)]
        assert list(store.range("b", "c")) == [("b", 2), ("c", 3)]
        assert list(store.reverse_range("a", "b")) == [("b", 2), ("a", 1)]
        assert (store["a"], "a" in store, "d" in store, len(store)) == (1, True, False, 3)
        assert store.name == "counts"


def test_stores_on_disk_lie_in_a_folder_that_goes_with_the_driver(tmp_path: Path) -> None:
    config = {"state.dir": str(tmp_path), "default.dsl.store": "rocksDB"}
    driver = drive(counts(Materialized("counts")), **config)
    with driver:
        driver.create_input_topic("in").pipe_input("a", "v", 7)
        assert driver.get_key_value_store("counts").get("a") == 1
    assert list(tmp_path.iterdir()) == []


def test_output_can_be_read_after_close_which_may_be_called_again() -> None:
    driver = drive(through())
    driver.create_input_topic("in").pipe_input("k", "v")
    driver.close()
    driver.close()
    assert driver.create_output_topic("out").read_value() == "v"


def test_a_processor_may_forward_when_it_is_closed() -> None:
    class Last:
        def init(self, context: Any) -> None:
            self.context = context

        def process(self, record: Any) -> None:
            self.record = record

        def close(self) -> None:
            self.context.forward(self.record)

    made = Topology().add_source("source", "in").add_processor("last", Last, "source")
    driver = drive(made.add_sink("sink", "out", "last"))
    with driver:
        driver.create_input_topic("in").pipe_input("k", "v")
    assert driver.create_output_topic("out").read_value() == "v"


def test_a_record_that_is_piped_in_while_another_is_processed_comes_after_it() -> None:
    order = []

    class Again:
        def init(self, context: Any) -> None:
            self.context = context

        def process(self, record: Any) -> None:
            order.append(f"{record.value} begins")
            if record.value == "first":
                source.pipe_input("k", "second")
            order.append(f"{record.value} ends")

    made = Topology().add_source("source", "in").add_processor("again", Again, "source")
    with drive(made) as driver:
        source = driver.create_input_topic("in")
        source.pipe_input("k", "first")
    assert order == ["first begins", "first ends", "second begins", "second ends"]


def test_settings_that_came_too_late_for_the_topology_are_refused() -> None:
    topology = StreamsBuilder().build()
    with pytest.raises(StreamsConfigError, match="had to be known when the topology was built"):
        drive(topology, **{"topology.optimization": "all"})


def test_exactly_once_makes_no_difference() -> None:
    with drive(through(), **{"processing.guarantee": "exactly_once_v2"}) as driver:
        driver.create_input_topic("in").pipe_input("k", "v")
        assert driver.create_output_topic("out").read_value() == "v"


def test_the_driver_goes_on_after_an_error() -> None:
    made = StreamsBuilder()
    made.stream("in").map_values(lambda value: value.upper()).to("out")
    with drive(made.build()) as driver:
        source, out = driver.create_input_topic("in"), driver.create_output_topic("out")
        with pytest.raises(StreamsError):
            source.pipe_input("k", None)
        source.pipe_input("k", "v")
        assert out.read_values_to_list() == ["V"]


def test_two_drivers_of_one_topology_have_nothing_in_common() -> None:
    topology = counts(Materialized("counts"))
    with drive(topology) as one, drive(topology) as other:
        one.create_input_topic("in").pipe_input("a", "v")
        assert other.get_key_value_store("counts").get("a") is None
        assert one.get_key_value_store("counts").get("a") == 1
