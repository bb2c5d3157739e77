"""What an application measures, with the names, groups and tags that Kafka Streams gives in JMX.

    StreamsMetrics   all of an application; a mapping from MetricName to the value of now
    ThreadMetrics    group stream-thread-metrics      tags thread-id
    TaskMetrics      group stream-task-metrics        tags thread-id, task-id
                     group stream-processor-node-metrics, tag processor-node-id too
    add_client       group stream-metrics             tags client-id

Every dropped record is counted in its task's `dropped-records-total`, and once more by node and
reason, which Kafka has not: group stream-processor-node-metrics, tag `reason`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pylog.streams.sensors import Clock, Counter, Spread

CLIENT_GROUP = "stream-metrics"
THREAD_GROUP = "stream-thread-metrics"
TASK_GROUP = "stream-task-metrics"
NODE_GROUP = "stream-processor-node-metrics"


@dataclass(frozen=True, slots=True)
class MetricName:
    """What a metric is called.

    Attributes:
        name: such as "process-total".
        group: such as "stream-task-metrics".
        tags: pairs of name and value, in Kafka's order.
    """

    name: str
    group: str
    tags: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        tags = ",".join(f"{name}={value}" for name, value in self.tags)
        return f"{self.group}:{self.name}{{{tags}}}"


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


class StreamsMetrics(Mapping[MetricName, Any]):
    """All metrics of an application, read when they are asked for.

    Args:
        clock: the time, ms since 1970; that of the system by default.
        window_ms: `metrics.sample.window.ms`.
        samples: `metrics.num.samples`.
    """

    def __init__(
        self, clock: Clock | None = None, window_ms: int = 30_000, samples: int = 2
    ) -> None:
        self.clock = clock or _system_ms
        self._window = (window_ms, samples)
        self._readers: dict[MetricName, Callable[[], Any]] = {}
        self._counters: dict[MetricName, Counter] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: MetricName) -> Any:
        return self._readers[name]()

    def __iter__(self) -> Iterator[MetricName]:
        with self._lock:
            return iter(list(self._readers))

    def __len__(self) -> int:
        return len(self._readers)

    def find(self, name: str, **tags: str) -> dict[MetricName, Any]:
        """The metrics of one name.

        Args:
            name: such as "dropped-records-total".
            tags: which they must have, `_` for `-`: `task_id="0_1"`.
        """
        wanted = {tag.replace("_", "-"): value for tag, value in tags.items()}
        return {
            metric: self[metric]
            for metric in self
            if metric.name == name and wanted.items() <= dict(metric.tags).items()
        }

    def dropped_records(self) -> dict[str, int]:
        """How many records were dropped so far, by reason."""
        result: dict[str, int] = {}
        for metric in self:
            reason = dict(metric.tags).get("reason")
            if metric.name == "dropped-records-total" and reason is not None:
                result[reason] = result.get(reason, 0) + self[metric]
        return result

    def gauge(self, name: str, group: str, tags: dict[str, str], read: Callable[[], Any]) -> None:
        """Add a metric that is read by a function."""
        with self._lock:
            self._readers[MetricName(name, group, tuple(tags.items()))] = read

    def counter(self, name: str, group: str, tags: dict[str, str]) -> Counter:
        """Add `name`-total and `name`-rate; the same counter when they are there already."""
        metric = MetricName(name, group, tuple(tags.items()))
        counter = self._counters.get(metric)
        if counter is None:
            counter = self._counters[metric] = Counter(self.clock, *self._window)
            self.gauge(f"{name}-rate", group, tags, counter.rate)
            self.gauge(f"{name}-total", group, tags, lambda: counter.total)
        return counter

    def spread(self, name: str, group: str, tags: dict[str, str], *, least: bool = False) -> Spread:
        """Add `name`-avg and `name`-max, and `name`-min where `least` asks for it."""
        spread = Spread(self.clock, *self._window)
        self.gauge(f"{name}-avg", group, tags, spread.average)
        self.gauge(f"{name}-max", group, tags, spread.most)
        if least:
            self.gauge(f"{name}-min", group, tags, spread.least)
        return spread

    def mark(self) -> None:
        """Let rates begin new samples where the last are over; a thread calls it now and then."""
        with self._lock:
            counters = list(self._counters.values())
        for counter in counters:
            counter.mark()

    def remove(self, tags: dict[str, str]) -> None:
        """Remove all metrics that have these tags."""
        wanted = tags.items()
        with self._lock:
            for table in (self._readers, self._counters):
                for metric in [name for name in table if wanted <= dict(name.tags).items()]:
                    del table[metric]


def add_client(
    metrics: StreamsMetrics,
    client_id: str,
    application_id: str,
    state: Callable[[], str],
    alive_threads: Callable[[], int],
    failed_threads: Callable[[], int],
) -> None:
    """Add what an instance says of itself.

    Args:
        metrics: of the application.
        client_id: of the instance.
        application_id: of the application.
        state: gives the name of the instance's state.
        alive_threads: gives how many of its threads are not dead.
        failed_threads: gives how many have failed so far.
    """
    tags = {"client-id": client_id}
    metrics.gauge("application-id", CLIENT_GROUP, tags, lambda: application_id)
    metrics.gauge("state", CLIENT_GROUP, tags, state)
    metrics.gauge("alive-stream-threads", CLIENT_GROUP, tags, alive_threads)
    metrics.gauge("failed-stream-threads", CLIENT_GROUP, tags, failed_threads)


class ThreadMetrics:
    """What a stream thread measures of itself.

    Args:
        metrics: of the application.
        thread_id: its name, `client-StreamThread-1`.
    """

    def __init__(self, metrics: StreamsMetrics, thread_id: str) -> None:
        self.metrics = metrics
        self.thread_id = thread_id
        self._tags = {"thread-id": thread_id}
        self.tasks_created = metrics.counter("task-created", THREAD_GROUP, self._tags)
        self.tasks_closed = metrics.counter("task-closed", THREAD_GROUP, self._tags)
        self._calls = {
            work: metrics.counter(work, THREAD_GROUP, self._tags)
            for work in ("poll", "process", "punctuate", "commit")
        }
        self._latency = {
            work: metrics.spread(f"{work}-latency", THREAD_GROUP, self._tags)
            for work in self._calls
        }
        self._records = {
            work: metrics.spread(f"{work}-records", THREAD_GROUP, self._tags)
            for work in ("poll", "process")
        }
        self.state = "CREATED"
        metrics.gauge("state", THREAD_GROUP, self._tags, lambda: self.state)
        started = metrics.clock()
        metrics.gauge("thread-start-time", THREAD_GROUP, self._tags, lambda: started)

    def task(self, task_id: object) -> "TaskMetrics":
        """The metrics of a task of this thread."""
        return TaskMetrics(self.metrics, self.thread_id, str(task_id))

    def record_poll(self, records: int, elapsed_ms: float) -> None:
        """A poll returned so many records."""
        self._record("poll", 1, elapsed_ms)
        self._records["poll"].record(records)

    def record_process(self, records: int, elapsed_ms: float) -> None:
        """So many records were processed in one go; the latency is that of one."""
        if records:
            self._record("process", records, elapsed_ms / records)
        self._records["process"].record(records)

    def record_punctuate(self, calls: int, elapsed_ms: float) -> None:
        """So many punctuations were called."""
        if calls:
            self._record("punctuate", calls, elapsed_ms / calls)

    def record_commit(self, elapsed_ms: float) -> None:
        """A commit is done."""
        self._record("commit", 1, elapsed_ms)

    def _record(self, work: str, calls: int, latency_ms: float) -> None:
        self._calls[work].add(calls)
        self._latency[work].record(latency_ms)

    def close(self) -> None:
        """Remove what this thread measures."""
        self.metrics.remove(self._tags)


class TaskMetrics:
    """What a task measures. Without an application's metrics it has its own, as in a test.

    Args:
        metrics: of the application.
        thread_id: of the thread it runs in.
        task_id: `0_1`.
    """

    def __init__(
        self, metrics: StreamsMetrics | None = None, thread_id: str = "", task_id: str = ""
    ) -> None:
        self.metrics = metrics = StreamsMetrics() if metrics is None else metrics
        self._tags = {"thread-id": thread_id, "task-id": task_id}
        self.dropped = self._counter("dropped-records")
        self.processed = self._counter("process")
        self.punctuated = self._counter("punctuate")
        self.committed = self._counter("commit")
        self.restored = self._counter("restore")
        self.updated = self._counter("update")  # a standby
        self._process_latency = metrics.spread("process-latency", TASK_GROUP, self._tags)
        self._punctuate_latency = metrics.spread("punctuate-latency", TASK_GROUP, self._tags)
        self._commit_latency = metrics.spread("commit-latency", TASK_GROUP, self._tags)
        self.buffered = 0
        self.remaining = 0
        self._gauge("active-buffer-count", lambda: self.buffered)
        self._gauge("restore-remaining-records-total", lambda: self.remaining)
        self._dropped_by: dict[tuple[str, str], Counter] = {}
        self._latency_of: dict[str, Spread] = {}

    def _counter(self, name: str) -> Counter:
        return self.metrics.counter(name, TASK_GROUP, self._tags)

    def _gauge(self, name: str, read: Callable[[], Any]) -> None:
        self.metrics.gauge(name, TASK_GROUP, self._tags, read)

    def _node_tags(self, node_name: str) -> dict[str, str]:
        return {**self._tags, "processor-node-id": node_name}

    def record_dropped(self, node_name: str, reason: str) -> None:
        """A record went no further.

        Args:
            node_name: where.
            reason: why: "null key", "late", "expired", ...
        """
        counter = self._dropped_by.get((node_name, reason))
        if counter is None:
            tags = {**self._node_tags(node_name), "reason": reason}
            counter = self.metrics.counter("dropped-records", NODE_GROUP, tags)
            self._dropped_by[node_name, reason] = counter
        counter.total += 1
        self.dropped.total += 1

    def dropped_records(self) -> dict[str, int]:
        """How many records this task has dropped, by reason."""
        result: dict[str, int] = {}
        for (_, reason), counter in self._dropped_by.items():
            result[reason] = result.get(reason, 0) + counter.total
        return result

    def record_processed(self, records: int, elapsed_ms: float) -> None:
        """So many records were processed in one go."""
        if records:
            self.processed.total += records
            self._process_latency.record(elapsed_ms / records)

    def record_punctuated(self, elapsed_ms: float) -> None:
        """A punctuation was called."""
        self.punctuated.total += 1
        self._punctuate_latency.record(elapsed_ms)

    def record_committed(self, elapsed_ms: float) -> None:
        """The task has committed."""
        self.committed.total += 1
        self._commit_latency.record(elapsed_ms)

    def record_latency(self, node_name: str, latency_ms: float) -> None:
        """A record came to a node so long after its timestamp."""
        spread = self._latency_of.get(node_name)
        if spread is None:
            tags = self._node_tags(node_name)
            spread = self.metrics.spread("record-e2e-latency", NODE_GROUP, tags, least=True)
            self._latency_of[node_name] = spread
        spread.record(latency_ms)

    def close(self) -> None:
        """Remove what this task measures."""
        self.metrics.remove(self._tags)
