"""GlobalThread: keeps the global stores of an instance: all partitions of their topics.

Stores are complete before the instance starts, and follow their topics from then on. What is on
disk is committed now and then, and after that its offsets are noted in a file beside it: what is
read a second time changes nothing.

Source: Kafka GlobalStreamThread, GlobalStateManagerImpl.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pylog import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pylog.streams.errors import MissingSourceTopicError, StreamsError
from pylog.streams.metrics import ThreadMetrics
from pylog.streams.node import TaskContext
from pylog.streams.runtime import client_settings
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.global_task import GlobalTask
from pylog.streams.runtime.instance import Instance
from pylog.streams.runtime.log_offsets import log_bounds
from pylog.streams.runtime.message_batches import as_rows, last_offset, split_by_partition
from pylog.streams.runtime.partition_counts import how_to_make
from pylog.streams.runtime.restore_listeners import tell
from pylog.streams.runtime.task_factory import now_ms
from pylog.streams.runtime.task_id import TaskId
from pylog.streams.runtime.uncaught import StreamThreadExceptionResponse

CHECKPOINT_NAME = "checkpoint.json"
_BATCH = 1000  # more at once outgrow the caches and wake the collector of cycles: a quarter as fast
_POLL_S = 0.1
_NO_TASK = TaskId(-1, -1)


class GlobalThread(threading.Thread):
    """The thread of the global stores.

    Args:
        instance: what threads share.
        judge: called as (thread, exception) when it fails, before it closes.
        on_failure: called as (thread, exception, what `judge` said) when it has closed.
    """

    def __init__(
        self,
        instance: Instance,
        judge: Callable[["GlobalThread", BaseException], StreamThreadExceptionResponse],
        on_failure: Callable[["GlobalThread", BaseException, StreamThreadExceptionResponse], None],
    ):
        super().__init__(name=f"{instance.client_id}-GlobalStreamThread", daemon=True)
        self._instance = instance
        self._judge = judge
        self._on_failure = on_failure
        self._is_stopping = threading.Event()
        self._metrics = ThreadMetrics(instance.metrics, self.name)
        self._offsets: dict[Partition, int] = {}
        topology = instance.topology
        self._stores_by_topic = {
            topology.source(source).topics[0]: store
            for source, store in topology.global_sources.items()
        }
        self._folder: Path | None = instance.state_directory.global_path()
        self._context = TaskContext(
            _NO_TASK,
            instance.application_id,
            instance.config,
            self._metrics.task("global"),
            state_dir=self._folder,
        )
        self._context.clock = now_ms
        self._task = GlobalTask(instance.topology.build_global(self._context), self._context)
        self._consumer: Consumer | None = None

    # ---- before the instance starts ----

    def open(self, is_over: threading.Event) -> None:
        """Open the stores and read all that there is, or until `is_over` is set.

        Raises:
            MissingSourceTopicError: a global topic does not exist.
            StreamsError: a store cannot be opened or filled.
        """
        missing = [
            topic for topic in self._task.topics if topic not in self._instance.existing_topics
        ]
        if missing:
            raise MissingSourceTopicError(
                f"global topics that do not exist: {', '.join(missing)}; {how_to_make(missing)}"
            )
        self._task.open_stores()
        self._task.open()
        self._consumer = Consumer(
            client_settings.changelog_consumer(
                self._instance.config, f"{self.name}-consumer", "global.consumer"
            )
        )
        starts, ends = log_bounds(
            self._instance.admin,
            {
                (topic, number)
                for topic in self._task.topics
                for number in range(self._instance.existing_topics[topic])
            },
        )
        self._offsets = self._read_checkpoint(starts, ends)
        self._consumer.assign(
            [TopicPartition(*place, offset) for place, offset in self._offsets.items()]
        )
        self._restore(ends, is_over)
        self._commit()
        self._instance.global_stores.update(self._context.stores)

    def _read_checkpoint(
        self, starts: dict[Partition, int], ends: dict[Partition, int]
    ) -> dict[Partition, int]:
        """Where to begin: what was noted, if all of it is in the topics, else the beginning."""
        noted: dict[Partition, int] = {}
        if self._folder is not None and (self._folder / CHECKPOINT_NAME).exists():
            try:
                content = json.loads((self._folder / CHECKPOINT_NAME).read_text())
                noted = {(topic, number): offset for topic, number, offset in content["offsets"]}
            except (ValueError, KeyError, TypeError):
                noted = {}
        persistent = {
            topic
            for topic, name in self._stores_by_topic.items()
            if self._context.stores[name].is_persistent
        }
        result = dict(starts)
        for topic in persistent:
            own = {place: offset for place, offset in noted.items() if place[0] == topic}
            if own and all(
                starts[place] <= offset <= ends[place]
                for place, offset in own.items()
                if place in starts
            ):
                result.update((p, offset) for p, offset in own.items() if p in starts)
            else:
                self._wipe(self._stores_by_topic[topic])
        return result

    def _wipe(self, name: str) -> None:
        store = self._context.stores[name]
        store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder / name, ignore_errors=True)
        store.init(self._context)

    def _restore(self, ends: dict[Partition, int], is_over: threading.Event) -> None:
        left = {place: end for place, end in ends.items() if self._offsets[place] < end}
        listener = self._instance.restore_listener
        restored = dict.fromkeys(left, 0)
        for place, end in left.items():
            tell(
                listener.on_restore_start,
                TopicPartition(*place),
                self._stores_by_topic[place[0]],
                self._offsets[place],
                end,
            )
        while left and not self._is_stopping.is_set() and not is_over.is_set():
            for place, count in self._take(_POLL_S, is_restoring=True).items():
                if place not in left:
                    continue
                restored[place] += count
                where = TopicPartition(*place)
                name = self._stores_by_topic[place[0]]
                if count:
                    last = self._offsets[place] - 1
                    tell(listener.on_batch_restored, where, name, last, count)
                if self._offsets[place] >= left[place]:
                    del left[place]
                    tell(listener.on_restore_end, where, name, restored[place])
        for place in left:
            name = self._stores_by_topic[place[0]]
            tell(listener.on_restore_suspended, TopicPartition(*place), name, restored[place])

    # ---- follow ----

    def run(self) -> None:
        """The thread's life: follow the topics."""
        failure: BaseException | None = None
        interval_s = self._instance.config["commit.interval.ms"] / 1000
        committed_s = time.monotonic()
        try:
            while not self._is_stopping.is_set():
                self._take(_POLL_S, is_restoring=False)
                if time.monotonic() - committed_s >= interval_s:
                    self._commit()
                    committed_s = time.monotonic()
        except BaseException as error:
            failure = error
        try:
            self.close()
        except BaseException as error:
            failure = failure or error
        if failure is not None:
            self._on_failure(self, failure, self._judge(self, failure))

    def _take(self, timeout_s: float, *, is_restoring: bool) -> dict[Partition, int]:
        """Read what is there into the stores: how many records, by partition."""
        assert self._consumer is not None
        first = self._consumer.poll(timeout_s)
        if first is None:
            return {}
        runs, events = split_by_partition([first, *self._consumer.consume(_BATCH, 0)])
        counts: dict[Partition, int] = {}
        for topic, partition, messages in runs:
            self._update(topic, messages, is_restoring)
            self._offsets[(topic, partition)] = last_offset(messages) + 1
            counts[(topic, partition)] = counts.get((topic, partition), 0) + len(messages)
        for event in events:
            place = self._take_event(event)
            if place is not None:
                counts.setdefault(place, 0)
        return counts

    def _update(self, topic: str, messages: list[Message], is_restoring: bool) -> None:
        name = self._stores_by_topic[topic]
        by_processor = name in self._instance.topology.stores_restored_by_processor
        with self._instance.global_lock:
            if is_restoring and not by_processor:
                rows = [row for row in as_rows(messages) if row[0] is not None]
                self._context.stores[name].restore_batch(rows)
            else:
                for message in messages:
                    self._task.update(message)

    def _take_event(self, event: Message) -> Partition | None:
        error = event.error()
        assert error is not None
        place = (event.topic() or "", event.partition() or 0)
        if error.code() == KafkaError._PARTITION_EOF:
            self._offsets[place] = max(self._offsets.get(place, 0), event.offset() or 0)
            return place
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):
            raise MissingSourceTopicError(f"global topic {place[0]} was deleted")
        if error.fatal() or error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise StreamsError(f"global topic {place[0]} [{place[1]}]: {error.str()}")
        return None

    def _commit(self) -> None:
        with self._instance.global_lock:
            self._task.flush()
            stores = [store for store in self._context.stores.values() if store.is_persistent]
            for store in stores:
                store.commit(None)
        if stores and self._folder is not None:
            fresh = self._folder / f"{CHECKPOINT_NAME}.tmp"
            rows = [[*place, offset] for place, offset in sorted(self._offsets.items())]
            fresh.write_text(json.dumps({"offsets": rows}))
            fresh.replace(self._folder / CHECKPOINT_NAME)

    # ---- the end ----

    def stop(self) -> None:
        """End soon; join() waits for it."""
        self._is_stopping.set()

    def close(self) -> None:
        """Commit what is on disk and close the stores; for a thread that was never started, too."""
        try:
            if self._consumer is not None and all(
                store.is_open for store in self._context.stores.values()
            ):
                self._commit()
        finally:
            try:
                self._task.close()
            finally:
                if not self._instance.is_ending:
                    self._metrics.close()
                if self._consumer is not None:
                    try:
                        self._consumer.close()
                    except KafkaException as error:
                        raise StreamsError(error.args[0].str()) from error
