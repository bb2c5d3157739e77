"""Metrics: Kafka's names and tags, totals, rates, averages, and drops by reason."""

import math

from pylog.streams.metrics import MetricName, StreamsMetrics, TaskMetrics, ThreadMetrics
from pylog.streams.sensors import Counter, Spread


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def test_every_drop_is_counted_by_task_node_and_reason():
    metrics = StreamsMetrics()
    task = ThreadMetrics(metrics, "app-StreamThread-1").task("0_1")
    for node, reason in [("a", "late"), ("a", "late"), ("b", "late"), ("b", "null key")]:
        task.record_dropped(node, reason)
    assert task.dropped_records() == {"late": 3, "null key": 1}
    assert metrics.dropped_records() == {"late": 3, "null key": 1}
    name = MetricName(
        "dropped-records-total",
        "stream-task-metrics",
        (("thread-id", "app-StreamThread-1"), ("task-id", "0_1")),
    )
    assert metrics[name] == 4
    assert list(metrics.find("dropped-records-total", processor_node_id="a").values()) == [2]


def test_the_names_are_those_of_kafka_streams():
    metrics = StreamsMetrics()
    task = ThreadMetrics(metrics, "t").task("0_0")
    task.record_latency("source", 7)
    names = {(metric.group, metric.name) for metric in metrics}
    for group, expected in {
        "stream-thread-metrics": (
            "process-total process-rate process-latency-avg process-latency-max poll-records-avg "
            "commit-total commit-latency-max punctuate-total task-created-total task-closed-rate "
            "thread-start-time state"
        ),
        "stream-task-metrics": (
            "dropped-records-rate dropped-records-total process-total process-latency-avg "
            "punctuate-total restore-total restore-remaining-records-total update-total "
            "active-buffer-count commit-latency-max punctuate-latency-avg"
        ),
        "stream-processor-node-metrics": (
            "record-e2e-latency-avg record-e2e-latency-min record-e2e-latency-max"
        ),
    }.items():
        assert {(group, name) for name in expected.split()} <= names


def test_what_a_task_measured_goes_with_it():
    metrics = StreamsMetrics()
    thread = ThreadMetrics(metrics, "t")
    before = set(metrics)
    task = thread.task("0_0")
    task.record_dropped("a", "late")
    assert set(metrics) > before
    task.close()
    assert set(metrics) == before
    thread.close()
    assert len(metrics) == 0


def test_a_task_measures_without_an_application():
    task = TaskMetrics()
    task.record_dropped("a", "late")
    task.record_processed(10, 5.0)
    task.record_punctuated(1.0)
    task.record_committed(2.0)
    assert task.processed.total == 10
    assert task.metrics.find("process-latency-avg") == {
        next(iter(task.metrics.find("process-latency-avg"))): 0.5
    }


def test_a_thread_measures_its_rounds():
    metrics = StreamsMetrics()
    thread = ThreadMetrics(metrics, "t")
    thread.record_poll(100, 4.0)
    thread.record_process(50, 100.0)
    thread.record_process(0, 1.0)
    thread.record_commit(3.0)
    thread.record_punctuate(2, 4.0)
    thread.state = "RUNNING"
    expected = {
        "poll-total": 1, "poll-records-max": 100, "process-total": 50, "process-latency-avg": 2.0,
        "commit-latency-avg": 3.0, "punctuate-total": 2, "punctuate-latency-avg": 2.0,
        "state": "RUNNING",
    }  # fmt: skip
    assert {name: next(iter(metrics.find(name).values())) for name in expected} == expected


def test_a_rate_forgets_what_is_older_than_the_window():
    clock = Clock()
    counter = Counter(clock, window_ms=1000, samples=2)
    counter.add(10)
    assert counter.rate() == 10.0  # as if a second had passed
    clock.now += 2000
    assert counter.rate() == 5.0
    counter.mark()
    clock.now += 1000
    counter.mark()
    assert counter.rate() == 0.0
    assert counter.total == 10


def test_averages_forget_too_and_are_nan_of_nothing():
    clock = Clock()
    spread = Spread(clock, window_ms=1000, samples=2)
    assert math.isnan(spread.average()) and math.isnan(spread.most())
    spread.record(2)
    spread.record(4)
    assert (spread.average(), spread.least(), spread.most()) == (3.0, 2, 4)
    clock.now += 1000
    spread.record(9)
    assert (spread.average(), spread.least(), spread.most()) == (5.0, 2, 9)
    clock.now += 1000
    assert spread.average() == 9.0
    clock.now += 1000
    assert math.isnan(spread.least())


def test_one_name_is_one_counter():
    metrics = StreamsMetrics()
    metrics.counter("own", "stream-own-metrics", {"a": "b"}).add(2)
    metrics.counter("own", "stream-own-metrics", {"a": "b"}).add(3)
    assert metrics[MetricName("own-total", "stream-own-metrics", (("a", "b"),))] == 5
    assert str(next(iter(metrics))) == "stream-own-metrics:own-rate{a=b}"
    metrics.counter("own", "stream-own-metrics", {"a": "b"})
    metrics.mark()
    assert len(metrics) == 2
