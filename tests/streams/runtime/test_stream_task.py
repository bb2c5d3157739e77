"""A task as its thread drives it: records, punctuations, commits, suspension."""

from typing import Any

import pytest
from tests.streams.runtime.queues import make_context

from pylog import Message
from pylog.streams import serdes
from pylog.streams.collector import RecordCollector
from pylog.streams.error_handlers import LogAndContinue
from pylog.streams.errors import ProcessingError, StreamsError
from pylog.streams.runtime.punctuation import NEVER, PunctuationType
from pylog.streams.runtime.task import StreamTask
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.state import stores
from pylog.streams.topology import Topology

CONFIG = {"default.key.serde": serdes.string, "default.value.serde": serdes.string}


class Written(RecordCollector):
    """Keeps what a task writes."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []

    def send(
        self, topic: str, key: Any, value: Any, headers: Any, timestamp_ms: int, partition: int
    ) -> None:
        self.records.append((topic, key, value, timestamp_ms, partition))


def message(offset: int, timestamp: int = 0, value: bytes = b"v", topic: str = "in") -> Message:
    return Message(topic, 0, offset, b"k", value, timestamp=(1, timestamp))


class Harness:
    """A task of a topology that reads partition 0 of its topics."""

    def __init__(self, topology: Topology, **config: Any):
        self.now_ms = 1000
        self.context = make_context(**CONFIG, **config)
        self.written = self.context.collector = Written()
        built = topology.build(None, self.context)
        partitions = [(topic, 0) for topic in built.sources_by_topic]
        self.task = StreamTask(
            TaskId(0, 0), built, self.context, partitions, self.context.config, lambda: self.now_ms
        )
        self.task.lag_provider = lambda topic, partition: 0
        self.task.update_lags()
        self.task.open_stores()
        self.task.open()


def through() -> Topology:
    return Topology().add_source("source", "in").add_sink("sink", "out", "source")


def processing(process: Any, init: Any = None, close: Any = None) -> Topology:
    class Processor:
        def init(self, context: Any) -> None:
            self.context = context
            if init is not None:
                init(context)

        def process(self, record: Any) -> None:
            process(self.context, record)

        def close(self) -> None:
            if close is not None:
                close()

    return Topology().add_source("source", "in").add_processor("processor", Processor, "source")


def test_records_are_processed_in_order_up_to_the_limit() -> None:
    harness = Harness(through())
    task = harness.task
    task.add_messages("in", 0, [message(number, number, b"%d" % number) for number in range(5)])
    assert (task.buffered_count("in", 0), task.buffered_count()) == (5, 5)
    assert task.process_many(3, 1000) == 3
    assert task.process(1000)
    assert task.process_many(10, 1000) == 1
    assert not task.process(1000)
    assert [record[2] for record in harness.written.records] == [b"%d" % n for n in range(5)]
    assert harness.written.records[0] == ("out", b"k", b"0", 0, -1)


def test_commit_is_of_the_next_offset_to_read() -> None:
    task = Harness(through()).task
    assert not task.commit_needed
    assert task.prepare_commit() == {}
    task.add_messages("in", 0, [message(7), message(9), message(12)])
    assert task.prepare_commit() == {}
    task.process_many(2, 1000)
    assert task.commit_needed
    assert task.prepare_commit() == {("in", 0): 12}  # that of the record in front
    task.committed()
    assert not task.commit_needed
    assert task.prepare_commit() == {}
    task.process_many(2, 1000)
    assert task.prepare_commit() == {("in", 0): 13}


def test_what_was_not_committed_stays_to_be_committed() -> None:
    task = Harness(through()).task
    task.add_messages("in", 0, [message(0)])
    task.process_many(1, 1000)
    assert task.prepare_commit() == task.prepare_commit() == {("in", 0): 1}


def test_offsets_of_dropped_records_are_committed() -> None:
    builder = Topology().add_source("source", "in", value_serde=serdes.long)
    harness = Harness(builder, **{"deserialization.exception.handler": LogAndContinue()})
    task = harness.task
    task.add_messages("in", 0, [message(3), message(4)])
    assert task.process_many(5, 1000) == 1
    assert task.prepare_commit() == {("in", 0): 5}


def test_a_record_that_failed_is_not_committed_and_those_before_it_are_done() -> None:
    def process(context: Any, record: Any) -> None:
        if record.value == "bad":
            raise ValueError("bad")

    task = Harness(processing(process)).task
    task.add_messages("in", 0, [message(0), message(1, value=b"bad"), message(2)])
    with pytest.raises(ProcessingError, match="offset 1"):
        task.process_many(10, 1000)
    assert task.prepare_commit() == {("in", 0): 1}


def test_records_before_one_that_cannot_be_decoded_are_processed() -> None:
    seen = []
    topology = Topology().add_source("source", "in", value_serde=serdes.long)
    topology.add_processor("look", lambda: Look(seen), "source")
    task = Harness(topology).task
    good = serdes.long.serialize("in", 5)
    task.add_messages("in", 0, [message(0, value=good), message(1, value=b"bad")])
    with pytest.raises(StreamsError, match="offset 1"):
        task.process_many(10, 1000)
    assert seen == [5]


class Look:
    """Keeps the values that it sees."""

    def __init__(self, seen: list[Any]):
        self.seen = seen

    def process(self, record: Any) -> None:
        self.seen.append(record.value)


def test_a_processor_may_ask_for_a_commit() -> None:
    def process(context: Any, record: Any) -> None:
        if record.value == "commit":
            context.commit()

    task = Harness(processing(process)).task
    task.add_messages("in", 0, [message(0), message(1, value=b"commit"), message(2)])
    assert task.process_many(10, 1000) == 2
    assert task.commit_requested
    task.prepare_commit()
    task.committed()
    assert not task.commit_requested
    assert task.process_many(10, 1000) == 1


def test_stream_time_punctuations_come_between_records() -> None:
    calls: list[Any] = []

    def init(context: Any) -> None:
        context.schedule(10, PunctuationType.STREAM_TIME, calls.append)

    task = Harness(processing(lambda context, record: calls.append(record.value), init)).task
    task.add_messages("in", 0, [message(n, time) for n, time in enumerate((5, 9, 12, 38))])
    assert not task.maybe_punctuate_stream_time()
    assert task.process_many(10, 1000) == 4
    assert calls == ["v", 5, "v", "v", 12, "v", 38]
    assert not task.maybe_punctuate_stream_time()


def test_wall_clock_punctuations_come_when_the_thread_asks() -> None:
    calls: list[int] = []

    def init(context: Any) -> None:
        context.schedule("1s", PunctuationType.WALL_CLOCK_TIME, calls.append)

    task = Harness(processing(lambda context, record: None, init)).task
    assert task.next_wall_punctuation_ms == 2000
    assert not task.maybe_punctuate_wall_clock(1999)
    assert task.maybe_punctuate_wall_clock(2000)
    assert task.next_wall_punctuation_ms == 3000
    assert task.maybe_punctuate_wall_clock(7500)
    assert task.next_wall_punctuation_ms == 8000
    assert calls == [2000, 7500]
    assert task.commit_needed
    assert task.prepare_commit() == {}


def test_stream_time_is_the_tasks_and_comes_back_with_the_committed_times() -> None:
    seen = []
    topology = processing(lambda context, record: seen.append(context.current_stream_time_ms()))
    task = Harness(topology).task
    task.set_partition_time("in", 0, 40)
    task.add_messages("in", 0, [message(0, 10), message(1, 50), message(2, 45)])
    task.process_many(3, 1000)
    assert seen == [40, 50, 50]
    assert task.partition_times == {("in", 0): 50}


def test_numbers_of_processors_are_committed_with_every_partition_that_was_read() -> None:
    topology = through().add_source("other", "other")
    harness = Harness(topology)
    task, context = harness.task, harness.context
    task.add_messages("other", 0, [message(0, topic="other")])
    task.process_many(1, 1000)
    task.prepare_commit()
    task.committed()
    context.set_processor_metadata("closed", 17)
    context.set_processor_metadata("closed", 12)  # it only grows
    assert context.get_processor_metadata("closed") == 17
    assert task.commit_needed
    assert task.prepare_commit() == {("other", 0): 1}
    task.committed()
    assert not task.commit_needed


def test_suspended_nodes_are_closed_and_what_waits_is_forgotten() -> None:
    calls: list[str] = []

    def init(context: Any) -> None:
        context.schedule(10, PunctuationType.WALL_CLOCK_TIME, lambda now: None)

    topology = processing(lambda context, record: None, init, lambda: calls.append("close"))
    task = Harness(topology).task
    task.add_messages("in", 0, [message(0), message(1)])
    task.process_many(1, 1000)
    assert task.prepare_commit() == {("in", 0): 1}
    task.suspend()
    task.suspend()
    assert calls == ["close"]
    assert (task.is_open, task.buffered_count(), task.next_wall_punctuation_ms) == (False, 0, NEVER)
    assert task.prepare_commit() == {("in", 0): 1}
    task.open()
    assert task.next_wall_punctuation_ms == 1010
    task.close()
    assert calls == ["close", "close"]


def test_a_task_that_is_not_closed_cleanly_closes_its_stores_whatever_its_nodes_do() -> None:
    def fail() -> None:
        raise OSError("close")

    topology = processing(lambda context, record: None, close=fail)
    topology.add_state_store(
        stores.key_value_store_builder(
            stores.in_memory_key_value_store("kept"), serdes.string, serdes.string
        ),
        "processor",
    )
    for is_clean in (True, False):
        task = Harness(topology).task
        (store,) = task.stores
        assert (store.name, store.changelog_topic, store.changelog_partition) == (
            "kept",
            "app-kept-changelog",
            0,
        )
        if is_clean:
            with pytest.raises(ProcessingError, match="'processor' cannot be closed"):
                task.close()
        else:
            task.close(is_clean=False)
        assert not store.is_open


def test_partitions_come_and_go() -> None:
    topology = Topology().add_source("source", "in", "other")
    topology.add_sink("sink", "out", "source")
    harness = Harness(topology)
    task = harness.task
    task.add_messages("in", 0, [message(0, 5)])
    task.add_messages("other", 0, [message(0, 9, topic="other")])
    task.update_partitions([("other", 0)])
    with pytest.raises(KeyError):
        task.add_messages("in", 0, [message(1)])
    assert task.process_many(5, 1000) == 1
    task.update_partitions([("other", 0), ("in", 0)])
    task.add_messages("in", 0, [message(1, 7)])
    task.update_lags()
    assert task.process_many(5, 1000) == 1
    assert [record[3] for record in harness.written.records] == [9, 7]


def test_a_partition_without_a_source_is_refused() -> None:
    context = make_context(**CONFIG)
    built = through().build(None, context)
    with pytest.raises(StreamsError, match="task 0_0 has no source for topic 'other'"):
        StreamTask(TaskId(0, 0), built, context, [("other", 0)], context.config, lambda: 0)


def test_purgeable_offsets_are_of_repartition_topics() -> None:
    topology = Topology()
    topology.add_internal_topic("again")
    topology.add_source("source", "in").add_sink("sink", "again", "source")
    topology.add_source("second", "again")
    task = Harness(topology).task
    assert task.repartition_topics == {"app-again"}
    task.add_messages("in", 0, [message(0)])
    task.add_messages("app-again", 0, [message(4, topic="app-again")])
    task.process_many(5, 1000)
    assert task.purgeable_offsets == {("app-again", 0): 5}


def test_a_task_of_two_topics_waits_as_configured() -> None:
    topology = Topology().add_source("source", "in", "other")
    task = Harness(topology, **{"max.task.idle.ms": 50}).task
    task.add_messages("in", 0, [message(0)])
    assert not task.is_processable(1000)
    assert task.process_many(5, 1049) == 0
    assert task.is_processable(1050)
    assert task.process_many(5, 1050) == 1


def test_task_ids_are_kafkas() -> None:
    assert str(TaskId(3, 12)) == "3_12"
    assert TaskId.parse("3_12") == TaskId(3, 12)
    assert sorted([TaskId(1, 0), TaskId(0, 2), TaskId(0, 1)])[0] == TaskId(0, 1)
    for text in ("3", "a_1", "3_", "_3", "1_2_3", "-1_0"):
        with pytest.raises(StreamsError, match="no task's name"):
            TaskId.parse(text)
