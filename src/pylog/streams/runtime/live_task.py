"""LiveTask: a task of a stream thread, from its creation to its end, with its stores' progress.

    restoring   stores are open and are filled from their changelogs
    standby     the same, for ever: ready to take the task over
    running     processors are open; records are processed
    closed

Source: Kafka AbstractTask, ProcessorStateManager.
"""

import shutil
import threading
import time
from collections.abc import Mapping
from typing import Any

from pylog.streams.metrics import TaskMetrics
from pylog.streams.runtime.assignment import Partition
from pylog.streams.runtime.task_id import TaskId

_NOWHERE: Partition = ("", -1)


class StoreProgress:
    """A store of a task, and up to where of its changelog it is filled.

    Attributes:
        store: it is open.
        changelog: (topic, partition), None for a store that is not logged.
        is_source: the changelog is a source topic, which the task itself reads on.
        offset: next offset of the changelog to read; None for all of it.
        log_end_offset: where the changelog ended when it was looked at last.
        restored: how many records were put into the store.
        is_complete: it has all that it needs to run.
        is_waiting: a standby that has come as far as it may.
    """

    def __init__(self, task: "LiveTask", store: Any, changelog_topic: str | None, is_source: bool):
        self.task = task
        self.store = store
        self.changelog: Partition | None = (
            None if changelog_topic is None else (changelog_topic, task.id.partition)
        )
        self.is_source = is_source
        self.offset: int | None = store.committed_offset if store.is_persistent else None
        self.log_end_offset = 0
        self.restored = 0
        self.is_complete = self.changelog is None
        self.is_waiting = False
        self._restored_at_commit = 0

    @property
    def name(self) -> str:
        """Of the store."""
        name: str = self.store.name
        return name

    @property
    def place(self) -> Partition:
        """The changelog's topic and partition."""
        return self.changelog or _NOWHERE

    @property
    def is_standby(self) -> bool:
        """Whether it follows its changelog for ever."""
        return self.task.is_standby

    @property
    def lag(self) -> int:
        """How many records of the changelog it has yet to read, about."""
        return max(0, self.log_end_offset - (self.offset or 0))

    def advance(self, offset: int, count: int, commit_every: int) -> None:
        """So many records were put into the store, and it stands at `offset` now."""
        self.offset = offset
        self.restored += count
        if self.restored - self._restored_at_commit >= commit_every:
            self.commit()

    def commit(self) -> None:
        """Make what is on disk, and where it stands, durable."""
        if self.store.is_persistent and self.changelog is not None:
            self.store.commit(self.offset)
        self._restored_at_commit = self.restored

    def wipe(self) -> None:
        """Begin with nothing: what is on disk does not belong to this changelog."""
        self.task.reopen_empty(self)
        self.offset = None
        self.is_complete = False


class LiveTask:
    """A task, its stores, and what was committed of its partitions.

    Args:
        task_id: which task.
        task: the StreamTask; its stores are open.
        partitions: what it reads.
        source_topics: all topics that tasks of the subtopology read.
        is_standby: it follows its changelogs.

    Attributes:
        lock: held by whoever touches the stores: the thread, and interactive queries.
        committed_offsets: next offset to read, as committed, by partition.
        first_offsets: the same as it was when the task became active: its stores have all before.
    """

    def __init__(
        self,
        task_id: TaskId,
        task: Any,
        partitions: list[Partition],
        source_topics: set[str],
        is_standby: bool,
    ):
        self.id = task_id
        self.task = task
        self.partitions = partitions
        self.is_standby = is_standby
        self.is_running = False
        self.is_closed = False
        self.lock = threading.RLock()
        self.waiting = 0  # how many queries want the lock
        self.committed_offsets: dict[Partition, int] = {}
        self.first_offsets: dict[Partition, int] = {}
        changelogs = task.topology.changelog_topics
        self.stores = [
            StoreProgress(
                self,
                store,
                changelogs.get(store.name),
                changelogs.get(store.name) in source_topics,
            )
            for store in task.stores
        ]

    @property
    def metrics(self) -> TaskMetrics:
        """What the task measures."""
        metrics: TaskMetrics = self.task.context.metrics
        return metrics

    def note_processed(self, count: int, elapsed_ms: float, now_ms: int) -> None:
        """Measure what was just done: how many records, and how late the last one was."""
        if not count:
            return
        metrics, context = self.metrics, self.task.context
        metrics.record_processed(count, elapsed_ms)
        metrics.buffered = self.task.buffered_count()
        source = self.task.topology.sources_by_topic.get(context.topic)
        if source is not None:
            metrics.record_latency(source.name, now_ms - context.record_timestamp)

    def note_restored(self, count: int, remaining: int) -> None:
        """Measure what came of a changelog, and how much is left."""
        (self.metrics.updated if self.is_standby else self.metrics.restored).add(count)
        self.metrics.remaining = remaining

    @property
    def is_restored(self) -> bool:
        """Whether all stores have what they need for the task to run."""
        return all(progress.is_complete for progress in self.stores)

    @property
    def has_stores_on_disk(self) -> bool:
        """Whether a commit has stores to commit."""
        return any(progress.store.is_persistent for progress in self.stores)

    def run(self, times: Mapping[Partition, int], numbers: Mapping[str, int]) -> None:
        """Open the processors: records may come.

        Args:
            times: partition times, as committed.
            numbers: what processors keep, as committed.
        """
        with self.lock:
            self.task.context.processor_metadata.update(numbers)
            for (topic, partition), time_ms in times.items():
                self.task.set_partition_time(topic, partition, time_ms)
            self.task.open()
            self.is_running = True

    def commit_stores(self, ends: Mapping[Partition, int]) -> None:
        """After a commit: what is on disk equals the changelogs up to these offsets."""
        with self.lock:
            for progress in self.stores:
                if not progress.store.is_persistent:
                    continue
                if progress.is_source:
                    progress.offset = self.committed_offsets.get(progress.place, progress.offset)
                elif progress.changelog is not None:
                    progress.offset = ends.get(progress.place, progress.offset)
                progress.store.commit(progress.offset)

    def commit_progress(self) -> None:
        """Make durable what was restored so far."""
        with self.lock:
            for progress in self.stores:
                progress.commit()

    def reopen_empty(self, progress: StoreProgress) -> None:
        """Open a store anew, without what it had on disk."""
        with self.lock:
            store, context = progress.store, self.task.context
            store.close()
            if context.state_dir is not None:
                shutil.rmtree(context.state_dir / store.name, ignore_errors=True)
            store.init(context)

    def close(self, is_clean: bool) -> None:
        """Close processors and stores.

        Args:
            is_clean: all that it did is committed. Else nothing is flushed, and what is on disk
                goes back to the last commit.
        """
        with self.lock:
            if not self.is_closed:
                self.is_closed = True
                self.is_running = False
                self.task.close(is_clean)

    def yield_lock(self) -> None:
        """Let others have the lock who wait for it: a query must not wait for ever."""
        if self.waiting:
            time.sleep(0.0005)
