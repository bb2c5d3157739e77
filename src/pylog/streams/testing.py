"""TopologyTestDriver: a topology in a test, without topics, threads or waiting.

Records are piped in one by one and each is processed to its end, through all subtopologies, before
the next; then the output can be read. Wall-clock time stands still unless the test moves it.

    with TopologyTestDriver(topology) as driver:
        words = driver.create_input_topic("words", serdes.string, serdes.string)
        counts = driver.create_output_topic("counts", serdes.string, serdes.long)
        words.pipe_input("a", "x")
        assert counts.read_key_value() == ("a", 1)
"""

import random
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pylog.streams import durations, testing_stores
from pylog.streams.config import AT_ONCE, StreamsConfig
from pylog.streams.driven_task import DrivenTask
from pylog.streams.errors import StreamsError
from pylog.streams.metrics import StreamsMetrics, ThreadMetrics
from pylog.streams.node import TaskContext
from pylog.streams.processor_topology import ProcessorTopology
from pylog.streams.runtime.global_task import GlobalTask
from pylog.streams.runtime.record_queue import RecordQueue
from pylog.streams.runtime.task import StreamTask
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.state.cache import ThreadCache
from pylog.streams.testing_topics import InputTopic, OutputTopic
from pylog.streams.topology import Topology, check_topology

_GLOBAL_TASK = TaskId(-1, -1)
_TASK = TaskId(0, 0)


class TopologyTestDriver:
    """Drives a topology; every topic has one partition.

    It commits after each record, so `commit.interval.ms` has no effect and caches hold nothing
    back. Windows that emit when they close, and joins that emit what found no partner, do it as
    soon as they can; set `__emit.interval.ms...` for the throttling of a running application.

    Args:
        topology: what Topology or StreamsBuilder.build made.
        config: as of Streams; `application.id` may be missing.
        initial_wall_clock_time_ms: what the clock shows at first, ms since 1970; None: the time.

    Raises:
        StreamsError: a serde is not known, a processor's init raised.
    """

    def __init__(
        self,
        topology: Topology,
        config: Mapping[str, Any] | None = None,
        *,
        initial_wall_clock_time_ms: int | None = None,
    ):
        application_id = f"test-driver-{random.randrange(2**32):08x}"
        given = {"application.id": application_id, **AT_ONCE, **(config or {})}
        self.config = StreamsConfig(given)
        check_topology(topology, self.config)
        if initial_wall_clock_time_ms is None:
            initial_wall_clock_time_ms = time.time_ns() // 1_000_000
        self._driven = DrivenTask(initial_wall_clock_time_ms)
        self._metrics = StreamsMetrics(self._driven.clock)
        self._thread_metrics = ThreadMetrics(self._metrics, "test-driver")
        max_bytes = self.config["statestore.cache.max.bytes"]
        self._cache = ThreadCache(max_bytes) if max_bytes > 0 else None
        self._folder: Path | None = None
        self._topology = topology
        self._queues: dict[str, RecordQueue] = {}
        self._is_closed = False
        try:
            self._open()
        except BaseException:
            self._remove_folder()
            raise

    def _open(self) -> None:
        global_task = self._open_global()
        context = self._context(_TASK)
        if global_task is not None:
            context.global_stores.update(global_task.context.stores)
        built = self._topology.build(None, context)
        self._give_folder(built, context)
        self.task: StreamTask | None = None
        if built.sources_by_topic:
            partitions = [
                (topic, 0)
                for topic, source in built.sources_by_topic.items()
                if source.name not in self._patterns()
            ]
            self.task = StreamTask(
                _TASK, built, context, partitions, self.config, self._driven.clock
            )
            self.task.lag_provider = _no_lag
            self.task.update_lags()
            self._queues = {topic: self.task.group.queues[topic, 0] for topic, _ in partitions}
        self._driven.run(self.task, global_task, self._find_queue)
        if self.task is not None:
            self.task.open_stores()
            self.task.open()

    def _patterns(self) -> dict[str, Any]:
        return self._topology.source_patterns

    def _open_global(self) -> GlobalTask | None:
        if not self._topology.global_sources:
            return None
        context = self._context(_GLOBAL_TASK)
        built = self._topology.build_global(context)
        self._give_folder(built, context)
        task = GlobalTask(built, context)
        task.open_stores()
        task.open()
        return task

    def _context(self, task_id: TaskId) -> TaskContext:
        context = TaskContext(
            task_id,
            self.config.application_id,
            self.config,
            self._thread_metrics.task(task_id),
            collector=self._driven,
            clock=self._driven.clock,
        )
        context.cache = self._cache
        return context

    def _give_folder(self, built: ProcessorTopology, context: TaskContext) -> None:
        if any(store.is_persistent for store in built.stores):
            if self._folder is None:
                parent = None
                if "state.dir" in self.config:
                    parent = Path(self.config["state.dir"])
                    parent.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix="test-driver-", dir=parent))
            context.state_dir = self._folder / str(context.task_id)
            context.state_dir.mkdir()

    def _find_queue(self, topic: str) -> RecordQueue | None:
        queue = self._queues.get(topic)
        if queue is None and self.task is not None:
            for name, pattern in self._patterns().items():
                if pattern.fullmatch(topic):
                    queue = self.task.add_partition(topic, 0, name)
                    self._queues[topic] = queue
                    self.task.update_lags()
                    break
        return queue

    # Topics.

    def create_input_topic(
        self,
        topic: str,
        key_serde: Any = None,
        value_serde: Any = None,
        *,
        start_timestamp_ms: int | None = None,
        auto_advance: durations.Duration = 0,
    ) -> InputTopic:
        """Return a topic to pipe records into.

        Args:
            topic: its name.
            key_serde: None takes `default.key.serde`.
            value_serde: None takes `default.value.serde`.
            start_timestamp_ms: of the first record, ms since 1970; None: what the driver's clock
                shows.
            auto_advance: how much later each next record is.
        """
        if start_timestamp_ms is None:
            start_timestamp_ms = self._driven.now_ms
        return InputTopic(
            self._driven,
            topic,
            self.config.key_serde_for(key_serde),
            self.config.value_serde_for(value_serde, f"input topic {topic!r}"),
            start_timestamp_ms,
            durations.to_ms(auto_advance),
        )

    def create_output_topic(
        self, topic: str, key_serde: Any = None, value_serde: Any = None
    ) -> OutputTopic:
        """Return a topic to read records from, also an internal one.

        Args:
            topic: its name.
            key_serde: None takes `default.key.serde`.
            value_serde: None takes `default.value.serde`.
        """
        return OutputTopic(
            self._driven,
            topic,
            self.config.key_serde_for(key_serde),
            self.config.value_serde_for(value_serde, f"output topic {topic!r}"),
        )

    @property
    def produced_topic_names(self) -> set[str]:
        """The topics that were written to, repartition and changelog topics among them."""
        return self._driven.topic_names()

    # Time.

    def advance_wall_clock_time(self, advance: durations.Duration) -> None:
        """Let wall-clock time go on.

        Punctuations of wall-clock time that become due are called, each once.

        Args:
            advance: how much.
        """
        advance_ms = durations.to_ms(advance)
        if advance_ms < 0:
            raise ValueError(f"what the clock advances by is not negative: {advance!r}")
        self._driven.advance_clock(advance_ms)

    @property
    def wall_clock_time_ms(self) -> int:
        """What the clock shows, ms since 1970."""
        return self._driven.now_ms

    # State.

    @property
    def metrics(self) -> StreamsMetrics:
        """What was measured; `metrics.dropped_records()` tells what was dropped, and why."""
        return self._metrics

    def get_all_state_stores(self) -> dict[str, Any]:
        """Return the stores, global ones too, by name."""
        stores: dict[str, Any] = {}
        if self._driven.global_task is not None:
            stores.update(self._driven.global_task.context.stores)
        if self.task is not None:
            stores.update(self.task.context.stores)
            if self.task.context.record_timestamp < 0:
                # What a test writes into a store before the first record is of the time 0.
                self.task.context.record_timestamp = 0
        return stores

    def get_state_store(self, name: str) -> Any:
        """Return the store of this name, None if there is none that a processor uses."""
        return self.get_all_state_stores().get(name)

    def get_key_value_store(self, name: str) -> Any:
        """Return a key-value store; of one with timestamps, a face that shows the values alone."""
        return testing_stores.key_value_store(self.get_state_store(name))

    def get_timestamped_key_value_store(self, name: str) -> Any:
        """Return a key-value store with timestamps, None if it is of another kind."""
        return testing_stores.timestamped_key_value_store(self.get_state_store(name))

    def get_versioned_key_value_store(self, name: str) -> Any:
        """Return a versioned store, None if it is of another kind."""
        return testing_stores.versioned_key_value_store(self.get_state_store(name))

    def get_window_store(self, name: str) -> Any:
        """Return a window store; of one with timestamps, a face that shows the values alone."""
        return testing_stores.window_store(self.get_state_store(name))

    def get_timestamped_window_store(self, name: str) -> Any:
        """Return a window store with timestamps, None if it is of another kind."""
        return testing_stores.timestamped_window_store(self.get_state_store(name))

    def get_session_store(self, name: str) -> Any:
        """Return a session store, None if it is of another kind."""
        return testing_stores.session_store(self.get_state_store(name))

    # The end.

    def close(self) -> None:
        """Close processors and stores. Output can still be read."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self.task is not None:
                self.task.flush_stores()
                self.task.close()
            if self._driven.global_task is not None:
                self._driven.global_task.close()
        finally:
            self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except StreamsError:
            if error is None:
                raise


def _no_lag(topic: str, partition: int) -> int:
    return 0
