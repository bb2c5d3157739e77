"""What a task writes goes to its thread's producer; what fails is asked about."""

from typing import Any

import pytest

import pylog
from pylog import KafkaError, KafkaException
from pylog.streams.runtime.record_collector import Outlet, TaskCollector


def failing_with(told: list[Any]) -> Any:
    def report(collector: Any, topic: str, *more: Any) -> None:
        told.append((topic, *more[:2], more[-1].args[0].code()))

    return report


def outlet_of(producer: pylog.Producer, begin: Any = None) -> Outlet:
    return Outlet(producer.produce, producer.poll, begin)


def test_records_go_where_the_java_client_puts_them(tmp_path: Any) -> None:
    conf = {"log.dir": str(tmp_path), "partitioner": "murmur2_random"}
    with pylog.AdminClient({"log.dir": str(tmp_path)}) as admin:
        admin.create_topics([pylog.admin.NewTopic("t", 100)])["t"].result()
    with pylog.Producer(conf) as producer:
        collector = TaskCollector(outlet_of(producer), lambda topic: 100, failing_with([]), False)
        collector.send("t", b"kafka", b"v", [("h", b"1")], 5, -1)
        collector.send("t", None, None, None, 6, 3)
        collector.send("t", b"k", b"first millisecond", [], 0, 4)
        assert collector.partition_count("t") == 100
    found = {}
    conf = {"log.dir": str(tmp_path), "group.id": "g"}
    with pylog.Consumer(conf) as consumer:
        for partition in (80, 3, 4):
            consumer.assign([pylog.TopicPartition("t", partition, 0)])
            message = consumer.poll(5)
            assert message is not None
            found[partition] = (message.value(), message.headers(), message.timestamp()[1])
    assert found == {
        80: (b"v", [("h", b"1")], 5),
        3: (None, None, 6),
        4: (b"first millisecond", None, 1),
    }


def test_a_transaction_begins_with_its_first_record() -> None:
    calls: list[str] = []
    outlet = Outlet(lambda *_: calls.append("produce"), lambda _: 0, lambda: calls.append("begin"))
    collector = TaskCollector(outlet, lambda topic: 1, failing_with([]), False)
    collector.send("t", b"k", b"v", None, 1, -1)
    collector.send("t", b"k", b"v", None, 1, -1)
    assert calls == ["begin", "produce", "produce"]
    assert outlet.sent == 2


def test_a_full_queue_is_waited_for() -> None:
    refusals = [BufferError("full"), BufferError("full")]
    polled: list[float] = []

    def produce(*_: Any) -> None:
        if refusals:
            raise refusals.pop()

    def poll(timeout_s: float) -> int:
        polled.append(timeout_s)
        return 0

    collector = TaskCollector(Outlet(produce, poll, None), lambda topic: 1, failing_with([]), False)
    collector.send("t", b"k", b"v", None, 1, -1)
    assert len(polled) == 2


def test_a_record_that_is_refused_is_asked_about_and_may_be_left_out() -> None:
    def produce(*_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    told: list[Any] = []
    collector = TaskCollector(
        Outlet(produce, lambda _: 0, None), lambda topic: 1, failing_with(told), False
    )
    collector.send("t", b"k", b"v", None, 1, -1)
    assert told == [("t", b"k", b"v", KafkaError.MSG_SIZE_TOO_LARGE)]


def test_a_record_that_fails_later_is_asked_about_when_each_is_reported() -> None:
    reports: list[Any] = []
    told: list[Any] = []
    outlet = Outlet(lambda *args: reports.append(args[5]), lambda _: 0, None)
    collector = TaskCollector(outlet, lambda topic: 1, failing_with(told), True)
    collector.send("t", b"k", b"v", None, 1, -1)
    reports[0](None, None)
    assert told == []
    reports[0](KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert told == [("t", b"k", b"v", KafkaError._MSG_TIMED_OUT)]


def test_what_the_handler_raises_later_is_raised_by_the_next_record() -> None:
    reports: list[Any] = []

    def refuse(*_: Any) -> None:
        raise ValueError("no")

    outlet = Outlet(lambda *args: reports.append(args[5]), lambda _: 0, None)
    collector = TaskCollector(outlet, lambda topic: 1, refuse, True)
    collector.send("t", b"k", b"v", None, 1, -1)
    reports[0](KafkaError(KafkaError._MSG_TIMED_OUT), None)
    with pytest.raises(ValueError, match="no"):
        collector.send("t", b"k", b"v", None, 1, -1)
    collector.send("t", b"k", b"v", None, 1, -1)
